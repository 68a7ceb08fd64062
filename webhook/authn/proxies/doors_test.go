package proxies

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
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
	beside []string // the recipe's other files
	listen int      // the recipe's port
	asks   int      // the recipe's port of the auth server: 9001 is gRPC, 9002 HTTP
	// scoped is a recipe in which routes demand scopes.
	scoped bool
	// edit changes the recipe's text. It must change something.
	edit func(recipe string) string
	// told is a header for the proxy that a client gets too, with a 503.
	told string
	// untyped is a proxy that drops Content-Type from a response to HEAD.
	untyped bool
	// adds are the headers that a proxy adds to what the upstream gets, without
	// X-Forwarded-Host, which is the request's, and for a client that claims to be
	// somebody else. Nil: as Envoy does.
	adds func(client string) http.Header
	// cleans is a proxy that makes a path normal before it asks.
	cleans bool
	// fills is a proxy that passes on empty headers for what a key has no value for.
	fills bool
	// mum is a proxy that doesn't tell clients what is left of their rate limit.
	mum bool
	// not2xx is a proxy that can't make a denial of ours 2xx.
	not2xx bool
	// trust is an edit of the recipe with which the proxy believes those of
	// X-Forwarded-For that come from its own machine. Nil: it leaves that to us.
	trust func(recipe string) string
	// waits is a proxy that can't be told how long to wait for the auth server.
	waits bool
	// tls is how clients connect, unless they do without.
	tls *tls.Config
	// asksTLS is what the auth server is served with, unless it is plain text.
	asksTLS *serverTLS
	// relays is a port of the recipe on which the proxy asks itself, unless 0.
	relays int
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
		told: "X-Apikey-Status: 503\n", untyped: true, not2xx: true,
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
	run := map[parts.Part]func(context.Context, string, proxies.Ports, string) (*proxies.Proxy, error){
		parts.Envoy: proxies.StartEnvoy, parts.Nginx: proxies.StartNginx, parts.Caddy: proxies.StartCaddy,
		parts.Traefik: proxies.StartTraefik, parts.HAProxy: proxies.StartHAProxy,
	}[d.part]
	listens := freePort(t)
	ports := proxies.Ports{d.listen: listens, 8000: s.upstream.port, d.asks: s.server.port(d.asks)}
	if d.relays != 0 {
		ports[d.relays] = freePort(t)
	}
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

// file is the recipe, or its edited copy. The edit goes over the files beside the
// recipe too.
func (d door) file(t *testing.T) string {
	t.Helper()
	const samples = "../../../config/samples/proxies/"
	if d.edit == nil {
		return samples + d.recipe
	}
	dir, changed := t.TempDir(), false
	for _, name := range append([]string{d.recipe}, d.beside...) {
		text, err := os.ReadFile(samples + name)
		if err != nil {
			t.Fatal(err)
		}
		edited := d.edit(string(text))
		changed = changed || edited != string(text)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(edited), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !changed {
		t.Fatalf("%s has nothing to edit", d.recipe)
	}
	return filepath.Join(dir, d.recipe)
}

// tells is what a client is told of its rate limit.
func (d door) tells(state string) string {
	if d.mum {
		return ""
	}
	return state
}

// each runs a test through every proxy.
func each(t *testing.T, test func(t *testing.T, s *system)) {
	t.Helper()
	eachAs(t, func(d door) door { return d }, test)
}

// eachAs runs a test through every proxy, changed.
func eachAs(t *testing.T, as func(d door) door, test func(t *testing.T, s *system)) {
	t.Helper()
	for _, d := range []door{envoyGRPC, envoyHTTP, nginx, caddy, traefik, haproxy} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			test(t, run(t, as(d)))
		})
	}
}
