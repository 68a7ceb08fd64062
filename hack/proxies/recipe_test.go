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
	for file, row := range map[string]struct {
		ports    Ports
		listener string
	}{
		"envoy.yaml":      {Ports{10000: 21000, 8000: 21001, 9001: 21002}, "127.0.0.1:21000"},
		"envoy-http.yaml": {Ports{10001: 21000, 8000: 21001, 9002: 21002}, "127.0.0.1:21000"},
		"nginx.conf":      {Ports{10080: 21000, 8000: 21001, 9002: 21002}, "127.0.0.1:21000"},
	} {
		file := filepath.Join(samples, file)
		r, err := readRecipe(file, row.ports)
		if err != nil || !slices.Equal(r.listeners, []string{row.listener}) {
			t.Errorf("%s: got listeners %q, %v, want %s", file, r.listeners, err, row.listener)
		}
		original, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		back := r.text
		for old, port := range row.ports {
			if strings.Contains(string(original), strconv.Itoa(port)) {
				t.Fatalf("%s holds %d, choose another", file, port)
			}
			if regexp.MustCompile(`\b` + strconv.Itoa(old) + `\b`).MatchString(r.text) {
				t.Errorf("%s still holds %d", file, old)
			}
			back = strings.ReplaceAll(back, strconv.Itoa(port), strconv.Itoa(old))
		}
		if back != string(original) {
			t.Errorf("%s: more than its ports was changed", file)
		}
	}
	all, err := filepath.Glob(filepath.Join(samples, "*"))
	if err != nil || len(all) != 3 {
		t.Errorf("the recipes are %q, %v: all of them belong into this test", all, err)
	}
}

// Ports may be exchanged: each is replaced once.
func TestPortsAreReplacedOnce(t *testing.T) {
	r, err := newRecipe("  listen 127.0.0.1:1;\n  server 127.0.0.1:2;\n  server 127.0.0.1:12;\n", Ports{1: 2, 2: 1, 12: 21})
	const want = "  listen 127.0.0.1:2;\n  server 127.0.0.1:1;\n  server 127.0.0.1:21;\n"
	if err != nil || r.text != want || !slices.Equal(r.listeners, []string{"127.0.0.1:2"}) {
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
		if _, err := newRecipe(row.text, row.ports); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want an error with %q", what, err, row.want)
		}
	}
}
