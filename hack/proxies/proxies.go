package proxies

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/process"
)

// startTimeout is how long a proxy may take until it listens.
const startTimeout = 30 * time.Second

// Ports are the ports of a recipe and those to use instead. It must hold every
// port of the recipe.
type Ports map[int]int

// Proxy is a running proxy.
type Proxy struct {
	process *process.Process
	dir     string
	// listeners are the addresses that it listens on.
	listeners []string
}

// StartEnvoy runs Envoy with a recipe until Stop. It is listening when StartEnvoy
// returns. Its output goes to a file of the recipe's name in logDir.
func StartEnvoy(ctx context.Context, recipe string, ports Ports, logDir string) (*Proxy, error) {
	return start(ctx, parts.Envoy, recipe, ports, logDir, func(_, config string) []string {
		return []string{"--config-path", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"}
	})
}

// StartNginx runs nginx with a recipe until Stop, as StartEnvoy does.
func StartNginx(ctx context.Context, recipe string, ports Ports, logDir string) (*Proxy, error) {
	return start(ctx, parts.Nginx, recipe, ports, logDir, func(dir, config string) []string {
		// One process: no workers could be left behind, and none changes its user.
		return []string{"-p", dir, "-e", "stderr", "-c", config, "-g", "daemon off; master_process off;"}
	})
}

// StartCaddy runs Caddy with a recipe until Stop, as StartEnvoy does.
func StartCaddy(ctx context.Context, recipe string, ports Ports, logDir string) (*Proxy, error) {
	return start(ctx, parts.Caddy, recipe, ports, logDir, func(_, config string) []string {
		return []string{"run", "--adapter", "caddyfile", "--config", config}
	})
}

// StartTraefik runs Traefik with a recipe, and traefik-dynamic.yaml beside it, until
// Stop, as StartEnvoy does.
func StartTraefik(ctx context.Context, recipe string, ports Ports, logDir string) (*Proxy, error) {
	proxy, err := start(ctx, parts.Traefik, recipe, ports, logDir, func(_, config string) []string {
		return []string{"--configFile=" + config}
	}, "traefik-dynamic.yaml")
	if err != nil {
		return nil, err
	}
	if err := proxy.waitForRoutes(ctx); err != nil {
		return nil, errors.Join(err, proxy.Stop())
	}
	return proxy, nil
}

// StartHAProxy runs HAProxy with a recipe, and haproxy-authorize.lua beside it,
// until Stop, as StartEnvoy does.
func StartHAProxy(ctx context.Context, recipe string, ports Ports, logDir string) (*Proxy, error) {
	return start(ctx, parts.HAProxy, recipe, ports, logDir, func(_, config string) []string {
		return []string{"-db", "-f", config}
	}, "haproxy-authorize.lua")
}

// start runs a proxy in a new directory with the recipe and those beside it.
func start(ctx context.Context, p parts.Part, file string, ports Ports, logDir string, args func(dir, config string) []string, beside ...string) (*Proxy, error) {
	program, err := parts.Locate(ctx, p)
	if err != nil {
		return nil, err
	}
	files := []string{file}
	for _, name := range beside {
		files = append(files, filepath.Join(filepath.Dir(file), name))
	}
	r, err := readRecipe(files, ports)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "apikey-operator-"+string(p)+"-")
	if err != nil {
		return nil, err
	}
	proxy := &Proxy{dir: dir, listeners: r.listeners}
	for i, f := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), []byte(r.texts[i]), 0o600); err != nil {
			return nil, errors.Join(err, proxy.Stop())
		}
	}
	proxy.process, err = process.Start(process.Options{
		Path: program.File,
		Args: args(dir, filepath.Join(dir, filepath.Base(file))),
		Dir:  dir,
		// What Caddy keeps, it keeps here.
		Env: []string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir},
		Log: filepath.Join(logDir, filepath.Base(file)+".log"),
	})
	if err != nil {
		return nil, errors.Join(err, proxy.Stop())
	}
	for _, address := range proxy.listeners {
		if err := proxy.waitFor(ctx, address); err != nil {
			return nil, errors.Join(err, proxy.Stop())
		}
	}
	return proxy, nil
}

// Stop ends the proxy and removes what it wrote, but not its log.
func (p *Proxy) Stop() error {
	var err error
	if p.process != nil {
		err = p.process.Stop()
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// waitFor waits until the proxy listens on an address.
func (p *Proxy) waitFor(ctx context.Context, address string) error {
	var dialer net.Dialer
	return p.poll(ctx, address, func(ctx context.Context) (bool, error) {
		connection, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return false, nil //nolint:nilerr // it doesn't listen yet
		}
		return true, connection.Close()
	})
}

// waitForRoutes waits until a proxy that listens before it knows its routes, and
// answers 404 until then, has them.
func (p *Proxy) waitForRoutes(ctx context.Context) error {
	return p.poll(ctx, p.listeners[0], func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.listeners[0]+"/", nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		return response.StatusCode != http.StatusNotFound, response.Body.Close()
	})
}

// poll waits until what is asked holds of the proxy at an address.
func (p *Proxy) poll(ctx context.Context, address string, holds wait.ConditionWithContextFunc) error {
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.process.Exited():
			return false, p.process.Err()
		default:
			return holds(ctx)
		}
	})
	if err != nil {
		return fmt.Errorf("waiting for a proxy on %s: %w", address, err)
	}
	return nil
}
