package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	// reachable is how long setup-envtest may take to list what there is; on a
	// machine without its download this is all that is lost.
	reachable = 20 * time.Second
	// downloading is how long it may take to fetch some 100 MB.
	downloading = 10 * time.Minute
)

// builds says which module under hack/assets builds which program.
var builds = map[Part]struct{ module, pkg string }{
	APIServer:         {"kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"},
	ControllerManager: {"kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"},
	Kubectl:           {"kubernetes", "k8s.io/kubernetes/cmd/kubectl"},
	Etcd:              {"etcd", "go.etcd.io/etcd/server/v3"},
	Helm:              {"helm", "helm.sh/helm/v4/cmd/helm"},
}

// assetsFolder names both versions: a bump of either fetches anew.
func assetsFolder() (string, error) {
	kubernetes, err := pinned("kubernetes", "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	etcd, err := pinned("etcd", "go.etcd.io/etcd/server/v3")
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s-etcd-%s-%s", kubernetes[1:], etcd[1:], platform())
	return filepath.Join("assets", name), nil
}

// pinned reads a version from the go.mod of a module under hack/assets, the one
// place it is written in.
func pinned(module, path string) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	file := filepath.Join(root, "hack", "assets", module, "go.mod")
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`(?m)^(?:require|\t)\s*` + regexp.QuoteMeta(path) + ` (v\d+\.\d+\.\d+)$`).FindSubmatch(content)
	if m == nil {
		return "", fmt.Errorf("%s requires no release of %s", file, path)
	}
	return string(m[1]), nil
}

// repository is the root of the work tree that the current directory is in.
func repository() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "assets", "kubernetes", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside the apikey-operator repository", start)
		}
	}
}

// stageGoModule compiles a program of the control plane from the sources that
// hack/assets pins.
func stageGoModule(ctx context.Context, p Part, dir string) error {
	version, err := pinned("kubernetes", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	const stamp = " -X k8s.io/component-base/version."
	number := strings.Split(version[1:], ".")
	return compile(ctx, p, dir, stamp+"gitVersion="+version+stamp+"gitMajor="+number[0]+stamp+"gitMinor="+number[1])
}

// compile builds p from its module under hack/assets; stamps are flags of the linker.
func compile(ctx context.Context, p Part, dir, stamps string) error {
	root, err := repository()
	if err != nil {
		return err
	}
	b := builds[p]
	say("%s is built once a machine, which takes minutes", p)
	return step(fmt.Sprintf("building %s from its Go module", p), func() error {
		_, err := run(ctx, filepath.Join(root, "hack", "assets", b.module),
			[]string{"CGO_ENABLED=0", "GOFLAGS=-trimpath", "GOWORK=off"},
			"go", "build", "-ldflags", "-s -w"+stamps, "-o", filepath.Join(dir, string(p)), b.pkg)
		return err
	})
}

// envtest remembers that setup-envtest can't download, so that it is asked once
// and not for each program.
var envtest struct {
	sync.Mutex
	unreachable error
}

// stageSetupEnvtest downloads the API server, etcd and kubectl in one archive.
func stageSetupEnvtest(ctx context.Context, _ Part, dir string) error {
	envtest.Lock()
	defer envtest.Unlock()
	if envtest.unreachable != nil {
		return envtest.unreachable
	}
	root, err := repository()
	if err != nil {
		return err
	}
	version, err := pinned("kubernetes", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, ".envtest-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()

	// Its releases don't have every patch version.
	series := version[1:strings.LastIndex(version, ".")] + ".x"
	program := filepath.Join(tmp, "setup-envtest")
	err = step("asking setup-envtest for "+series, func() error {
		_, err := run(ctx, filepath.Join(root, "hack", "tools"), []string{"CGO_ENABLED=0", "GOFLAGS=-trimpath", "GOWORK=off"},
			"go", "build", "-o", program, "sigs.k8s.io/controller-runtime/tools/setup-envtest")
		if err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, reachable)
		defer cancel()
		_, err = run(short, tmp, nil, program, "--bin-dir", tmp, "list", series)
		return err
	})
	if err != nil {
		envtest.unreachable = err
		return err
	}
	return step("downloading the control plane with setup-envtest", func() error {
		return useEnvtest(ctx, program, tmp, dir, series)
	})
}

func useEnvtest(ctx context.Context, program, tmp, dir, series string) error {
	ctx, cancel := context.WithTimeout(ctx, downloading)
	defer cancel()
	if _, err := run(ctx, tmp, nil, program, "--bin-dir", tmp, "use", series); err != nil {
		return err
	}
	for _, p := range []Part{APIServer, Etcd, Kubectl} {
		found, err := filepath.Glob(filepath.Join(tmp, "k8s", "*", string(p)))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return errors.New("setup-envtest brought no " + string(p))
		}
		if err := os.Rename(found[0], filepath.Join(dir, string(p))); err != nil {
			return err
		}
	}
	return nil
}
