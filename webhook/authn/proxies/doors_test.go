package proxies

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/proxies"
)

// door is a proxy with one of the recipes.
type door struct {
	part   parts.Part
	recipe string
	listen int // the recipe's port
	asks   int // the recipe's port of the auth server: 9001 is gRPC, 9002 HTTP
	// scoped is a recipe in which routes demand scopes.
	scoped bool
	// edit changes the recipe's text. It must change something.
	edit func(recipe string) string
	// told is a header for the proxy that a client gets too, with a 503.
	told string
	// untyped is a proxy that drops Content-Type from a response to HEAD.
	untyped bool
	// away is what a client sees while the auth server is.
	away string
}

var (
	envoyGRPC = door{
		part: parts.Envoy, recipe: "envoy.yaml", listen: 10000, asks: 9001, scoped: true,
		away: "503\n\n\n",
	}
	envoyHTTP = door{
		part: parts.Envoy, recipe: "envoy-http.yaml", listen: 10001, asks: 9002,
		told: "X-Apikey-Status: 503\n", untyped: true,
		away: "503\n\n\n",
	}
	nginx = door{
		part: parts.Nginx, recipe: "nginx.conf", listen: 10080, asks: 9002, scoped: true,
		away: "503\nCache-Control: no-store\nContent-Type: application/json\n\n" + unavailableBody,
	}
)

// start runs the proxy and returns its address.
func (d door) start(t *testing.T, s *system) string {
	t.Helper()
	run := proxies.StartEnvoy
	if d.part == parts.Nginx {
		run = proxies.StartNginx
	}
	listens := freePort(t)
	ports := proxies.Ports{d.listen: listens, 8000: s.upstream.port, d.asks: s.server.port(d.asks)}
	// It is stopped by us, and not by the end of the test's context.
	proxy, err := run(context.WithoutCancel(t.Context()), d.file(t), ports, s.logDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("127.0.0.1:%d", listens)
}

// file is the recipe, or its edited copy.
func (d door) file(t *testing.T) string {
	t.Helper()
	file := "../../../config/samples/proxies/" + d.recipe
	if d.edit == nil {
		return file
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := d.edit(string(text))
	if edited == string(text) {
		t.Fatalf("%s has nothing to edit", d.recipe)
	}
	file = filepath.Join(t.TempDir(), d.recipe)
	if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// each runs a test through every proxy.
func each(t *testing.T, test func(t *testing.T, s *system)) {
	t.Helper()
	for _, d := range []door{envoyGRPC, envoyHTTP, nginx} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			test(t, run(t, d))
		})
	}
}
