package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Part is a program that is not built from this repository.
type Part string

// The programs. The first four make the control plane of the development
// cluster.
const (
	APIServer         Part = "kube-apiserver"
	Etcd              Part = "etcd"
	ControllerManager Part = "kube-controller-manager"
	Kubectl           Part = "kubectl"
	Envoy             Part = "envoy"
	Nginx             Part = "nginx"
	Caddy             Part = "caddy"
	Traefik           Part = "traefik"
	HAProxy           Part = "haproxy"
	// Spin is a model checker.
	Spin Part = "spin"
	// GatewaySchemas is a program that checks a mesh configuration of Istio, and
	// beside it a directory SchemaDir.
	GatewaySchemas Part = "gateway-schemas"
	// Helm packages and renders the chart.
	Helm Part = "helm"
)

// All lists every part, in the order they are fetched in.
func All() []Part {
	return []Part{Envoy, Nginx, Caddy, Traefik, HAProxy, Spin, GatewaySchemas, Helm, APIServer, Etcd, ControllerManager, Kubectl}
}

// Path is a program found on this machine.
type Path struct {
	Part Part
	// File is the absolute path of the executable.
	File string
	// From says where it was found, for people.
	From string
}

// errFetchOff is why a part is missing when fetching is switched off.
var errFetchOff = errors.New("not found, and APIKEY_OPERATOR_FETCH=off")

// result is one finished search: within a process, a search (above all a failed
// one, which may have taken minutes) is done once.
type result struct {
	once sync.Once
	path Path
	err  error
}

var (
	resultsMu sync.Mutex
	results   = map[Part]*result{}
)

// Locate finds p and fetches it if need be. It may take minutes the first time
// on a machine; progress goes to stderr.
func Locate(ctx context.Context, p Part) (Path, error) {
	resultsMu.Lock()
	r, ok := results[p]
	if !ok {
		r = &result{}
		results[p] = r
	}
	resultsMu.Unlock()

	r.once.Do(func() {
		r.path, r.err = locate(ctx, p)
		if r.err != nil {
			r.err = fmt.Errorf("%s: %w", p, r.err)
		}
	})
	return r.path, r.err
}

func locate(ctx context.Context, p Part) (Path, error) {
	s, err := sourceOf(p)
	if err != nil {
		return Path{}, err
	}
	path, found, err := s.look(ctx, p)
	if found || err != nil {
		return path, err
	}
	if os.Getenv("APIKEY_OPERATOR_FETCH") == "off" {
		return Path{}, errFetchOff
	}
	return s.fetch(ctx, p)
}

// look searches everything short of fetching.
func (s source) look(ctx context.Context, p Part) (Path, bool, error) {
	if path, found, err := s.fromEnv(ctx, p); found || err != nil {
		return path, found, err
	}
	if s.onPath {
		// A program on PATH that isn't what tests need (nginx without its
		// auth_request module) is passed over.
		if file, err := exec.LookPath(string(p)); err == nil {
			err := s.check(ctx, file)
			if err == nil {
				return Path{p, absolute(file), "PATH"}, true, nil
			}
			say("%s on PATH is passed over: %v", file, err)
		}
	}
	dir, err := s.dir()
	if err != nil {
		return Path{}, false, err
	}
	path, found := s.fromCache(ctx, p, dir)
	return path, found, nil
}

// fromEnv honours the environment: a variable that names a program must name
// one that works, a variable that names a directory may hold only some.
func (s source) fromEnv(ctx context.Context, p Part) (Path, bool, error) {
	value := os.Getenv(s.env)
	if value == "" {
		return Path{}, false, nil
	}
	if !s.envIsDir {
		file, err := exec.LookPath(value)
		if err == nil {
			err = s.check(ctx, file)
		}
		if err != nil {
			return Path{}, false, fmt.Errorf("%s=%s: %w", s.env, value, err)
		}
		return Path{p, absolute(file), s.env}, true, nil
	}
	file := filepath.Join(value, string(p))
	if !isExecutable(file) {
		say("%s has no %s", s.env, p)
		return Path{}, false, nil
	}
	return Path{p, absolute(file), s.env}, true, nil
}

func (s source) fromCache(ctx context.Context, p Part, dir string) (Path, bool) {
	file := filepath.Join(dir, string(p))
	if !isExecutable(file) {
		return Path{}, false
	}
	if err := s.check(ctx, file); err != nil {
		say("%s in the cache is passed over: %v", p, err)
		return Path{}, false
	}
	return Path{p, file, "cache"}, true
}

// absolute keeps a path usable after a change of directory.
func absolute(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}

func isExecutable(file string) bool { return executable(file) == nil }

// executable says why file can't be run, as far as its mode tells.
func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not executable", file)
	}
	return nil
}
