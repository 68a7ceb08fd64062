package proxies

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const samples = "../../config/samples/proxies"

// Of a recipe nothing is changed but its ports, and each of those.
func TestRecipes(t *testing.T) {
	tested := 0
	for _, row := range []struct {
		files  []string
		listen int
		ports  Ports
	}{
		{[]string{"envoy.yaml"}, 10000, Ports{10000: 21000, 8000: 21001, 9001: 21002}},
		{[]string{"envoy-http.yaml"}, 10001, Ports{10001: 21000, 8000: 21001, 9002: 21002}},
		{[]string{"nginx.conf"}, 10080, Ports{10080: 21000, 8000: 21001, 9002: 21002}},
		{[]string{"Caddyfile"}, 10081, Ports{10081: 21000, 8000: 21001, 9002: 21002}},
		{[]string{"traefik.yaml", "traefik-dynamic.yaml"}, 10082, Ports{10082: 21000, 8000: 21001, 9002: 21002}},
		{[]string{"haproxy.cfg", "haproxy-authorize.lua"}, 10083, Ports{10083: 21000, 8000: 21001, 9002: 21002}},
	} {
		var files []string
		for _, name := range row.files {
			files = append(files, filepath.Join(samples, name))
		}
		tested += len(files)
		r, err := readRecipe(files, row.ports)
		if err != nil || !slices.Equal(r.listeners, []string{"127.0.0.1:" + strconv.Itoa(row.ports[row.listen])}) {
			t.Errorf("%s: got listeners %q, %v, want %d", row.files, r.listeners, err, row.ports[row.listen])
			continue
		}
		for i, file := range files {
			onlyPorts(t, file, r.texts[i], row.ports)
		}
	}
	all, err := filepath.Glob(filepath.Join(samples, "*"))
	if err != nil || len(all) != tested+1 { // and the folder tls, of which TestRecipesWithTLS is
		t.Errorf("the recipes are %q, %v: all of them belong into this test", all, err)
	}
}

// onlyPorts looks for other changes of a file than those of its ports.
func onlyPorts(t *testing.T, file, text string, ports Ports) {
	t.Helper()
	original, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for old, port := range ports {
		if strings.Contains(string(original), strconv.Itoa(port)) {
			t.Fatalf("%s holds %d, choose another", file, port)
		}
		if regexp.MustCompile(`\b` + strconv.Itoa(old) + `\b`).MatchString(text) {
			t.Errorf("%s still holds %d", file, old)
		}
		text = strings.ReplaceAll(text, strconv.Itoa(port), strconv.Itoa(old))
	}
	if text != string(original) {
		t.Errorf("%s: more than its ports was changed", file)
	}
}

// Ports may be exchanged: each is replaced once.
func TestPortsAreReplacedOnce(t *testing.T) {
	r, err := newRecipe([]string{"  listen 127.0.0.1:1;\n  server 127.0.0.1:2;\n  server 127.0.0.1:12;\n"}, Ports{1: 2, 2: 1, 12: 21})
	const want = "  listen 127.0.0.1:2;\n  server 127.0.0.1:1;\n  server 127.0.0.1:21;\n"
	if err != nil || !slices.Equal(r.texts, []string{want}) || !slices.Equal(r.listeners, []string{"127.0.0.1:2"}) {
		t.Errorf("got %+v, %v, want %s", r, err, want)
	}
}

func TestRecipesThatArentWhole(t *testing.T) {
	const text = "  listen 127.0.0.1:10080;\n  server 127.0.0.1:8000;\n"
	for what, row := range map[string]struct {
		text  string
		ports Ports
		want  string
	}{
		"a port that isn't replaced": {text, Ports{10080: 1}, "8000"},
		"a port that isn't there":    {text, Ports{10080: 1, 8000: 2, 9002: 3}, "no port 9002"},
		"nothing that listens":       {"  server 127.0.0.1:8000;\n", Ports{8000: 2}, "no listener"},
	} {
		if _, err := newRecipe([]string{row.text}, row.ports); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want an error with %q", what, err, row.want)
		}
	}
}
