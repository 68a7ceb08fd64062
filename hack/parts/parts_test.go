package parts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program writes a shell script that prints what it is told to.
func program(t *testing.T, dir, name, output string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\necho '"+output+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// alone makes a test independent of the machine's environment and cache.
func alone(t *testing.T) (cache string) {
	t.Helper()
	cache = t.TempDir()
	t.Setenv("APIKEY_OPERATOR_CACHE", cache)
	t.Setenv("APIKEY_OPERATOR_FETCH", "off")
	for _, name := range []string{"KUBEBUILDER_ASSETS", "ENVOY", "NGINX", "CADDY", "TRAEFIK", "HAPROXY", "SPIN", "HELM", "CI", "APIKEY_OPERATOR_MISSING_PARTS"} {
		t.Setenv(name, "")
	}
	t.Setenv("PATH", "/bin")
	return cache
}

func TestOrderOfTheSearch(t *testing.T) {
	const good, bad = "http_auth_request_module", "no modules"
	type place struct{ env, path, cache string }
	for _, tt := range []struct {
		name   string
		output place // "" means there is none
		from   string
		err    string
	}{
		{"the environment is first", place{good, good, good}, "NGINX", ""},
		{"then PATH", place{"", good, good}, "PATH", ""},
		{"then the cache", place{"", "", good}, "cache", ""},
		{"an unfit one on PATH is passed over", place{"", bad, good}, "cache", ""},
		{"an unfit one in the cache is passed over", place{"", "", bad}, "", "not found"},
		{"an unfit one in the environment is an error", place{bad, good, good}, "", "NGINX="},
		{"nothing", place{}, "", "not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cache := alone(t)
			want := map[string]string{}
			if tt.output.env != "" {
				want["NGINX"] = program(t, t.TempDir(), "my-nginx", tt.output.env)
				t.Setenv("NGINX", want["NGINX"])
			}
			path := t.TempDir()
			t.Setenv("PATH", path+":/bin")
			if tt.output.path != "" {
				want["PATH"] = program(t, path, "nginx", tt.output.path)
			}
			if tt.output.cache != "" {
				want["cache"] = program(t, filepath.Join(cache, "nginx", "distribution-"+platform()), "nginx", tt.output.cache)
			}

			got, err := locate(t.Context(), Nginx)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, %v, want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.From != tt.from || got.File != want[tt.from] {
				t.Errorf("got %+v, want %s from %s", got, want[tt.from], tt.from)
			}
		})
	}
}

// setup-envtest's directories hold no controller manager: it is then looked for
// further on.
func TestAssetsDirectoryMayBeIncomplete(t *testing.T) {
	cache := alone(t)
	assets := t.TempDir()
	server := program(t, assets, "kube-apiserver", "")
	t.Setenv("KUBEBUILDER_ASSETS", assets)
	folder, err := assetsFolder()
	if err != nil {
		t.Fatal(err)
	}
	manager := program(t, filepath.Join(cache, folder), "kube-controller-manager", "")

	for part, want := range map[Part]string{APIServer: server, ControllerManager: manager} {
		if got, err := locate(t.Context(), part); err != nil || got.File != want {
			t.Errorf("%s: got %v, %v, want %s", part, got, err, want)
		}
	}
}

func TestVersionsComeFromTheModules(t *testing.T) {
	folder, err := assetsFolder()
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := filepath.Match("assets/[0-9]*.[0-9]*.[0-9]*-etcd-[0-9]*.[0-9]*.[0-9]*-"+platform(), folder); !ok {
		t.Errorf("folder %q", folder)
	}
}

func TestEveryPartHasASource(t *testing.T) {
	for _, p := range All() {
		if s, err := sourceOf(p); err != nil || len(s.ways) == 0 {
			t.Errorf("%s: %d ways, %v", p, len(s.ways), err)
		}
	}
	if _, err := sourceOf("teapot"); err == nil {
		t.Error("an unknown part has a source")
	}
}

func TestFetch(t *testing.T) {
	cache := alone(t)
	var tried []string
	stage := func(name, output string, err error) way {
		return way{name, func(_ context.Context, p Part, dir string) error {
			tried = append(tried, name)
			program(t, dir, string(p), output)
			program(t, filepath.Join(dir, "beside"), "library", name)
			return err
		}}
	}
	s := source{
		folder: fixed("thing", "1"),
		check:  prints("", "fit"),
		ways: []way{
			stage("fails", "fit", errors.New("no network")),
			stage("is wrong", "different", nil),
			stage("works", "fit", nil),
			stage("is not needed", "fit", nil),
		},
	}
	// What an interrupted fetch leaves.
	leftover := filepath.Join(cache, "thing", "1-"+platform(), staging+"old")
	program(t, leftover, "thing", "")

	got, err := s.fetch(t.Context(), "thing")
	if err != nil {
		t.Fatal(err)
	}
	if got.From != "works" || !slices.Equal(tried, []string{"fails", "is wrong", "works"}) {
		t.Errorf("got it from %q after trying %q", got.From, tried)
	}
	if !isExecutable(got.File) || !isExecutable(filepath.Join(filepath.Dir(got.File), "beside", "library")) {
		t.Error("not all of it is in the cache")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(got.File), staging+"*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}

	// The next process finds it without trying anything.
	tried = nil
	if got, err := s.fetch(t.Context(), "thing"); err != nil || got.From != "cache" || len(tried) != 0 {
		t.Errorf("the second time: %+v, %v, tried %q", got, err, tried)
	}
}

func TestFetchNamesEveryFailure(t *testing.T) {
	alone(t)
	fails := func(name string) way {
		return way{name, func(context.Context, Part, string) error { return errors.New("no " + name) }}
	}
	s := source{folder: fixed("thing", "1"), ways: []way{fails("one"), fails("two")}}
	_, err := s.fetch(t.Context(), "thing")
	if err == nil || !strings.Contains(err.Error(), "no one") || !strings.Contains(err.Error(), "no two") {
		t.Errorf("got %v", err)
	}
}

func TestSince(t *testing.T) {
	for output, fit := range map[string]bool{
		"v2.11.7 h1:yj0Y4fYZGPkSvibBJ1sTWE33xC0fxztVyXEW5iIdUT4=": true,
		"2.8.0":                              true,
		"v2.7.12":                            false,
		"Version:      3.7.15":               true,
		"HAProxy version 2.6.12-1+deb12u4":   false,
		"HAProxy version 2.8.25-5cf5d0683":   true,
		"1.99.99 is older, though 3.0.0 not": false,
		"no version":                         false,
	} {
		file := program(t, t.TempDir(), "thing", output)
		if err := since("version", 2, 8, 0)(t.Context(), file); (err == nil) != fit {
			t.Errorf("%s: got %v", output, err)
		}
	}
	noLua := program(t, t.TempDir(), "thing", "2.8.25 -LUA")
	if err := both(prints("-vv", "+LUA"), since("-v", 2, 6, 0))(t.Context(), noLua); err == nil {
		t.Error("a program of which one check fails is fit")
	}
}

func TestLockExcludes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	// flock belongs to the open file, so this process can stand for another one.
	entered := make(chan error, 1)
	go func() {
		release, err := lock(t.Context(), name)
		if err == nil {
			release()
		}
		entered <- err
	}()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lock(cancelled, name); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait ends with %v", err)
	}
	select {
	case err := <-entered:
		t.Fatalf("two hold the lock (%v)", err)
	default:
	}
	unlock()
	if err := <-entered; err != nil {
		t.Errorf("after the lock is free: %v", err)
	}
}

func TestLibraries(t *testing.T) {
	depends := "libc6 (>= 2.34), libcrypt1 (>= 1:4.1.0), libssl3t64 | libssl3 (>= 3.0.0), zlib1g (>= 1:1.1.4), iproute2, nginx-common (<< 2)\n"
	if got, want := libraries(depends), []string{"libcrypt1", "libssl3t64", "zlib1g"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
