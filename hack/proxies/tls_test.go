package proxies

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var asksHTTPS = regexp.MustCompile(`(?m)^\s+(address:|proxy_pass) https://`)

// Every file of tls goes into the recipes that it names, so often, and every address
// of the auth server that needs it is asked over https.
func TestRecipesWithTLS(t *testing.T) {
	tested := map[string]bool{}
	for _, row := range []struct {
		recipe, file, first string
		blocks, https       int
	}{
		{"envoy.yaml", "envoy.yaml", "    transport_socket:", 1, 0},
		{"envoy-http.yaml", "envoy.yaml", "    transport_socket:", 1, 0},
		{"nginx.conf", "nginx.conf", "            proxy_ssl_verify on;", 2, 2},
		{"Caddyfile", "Caddyfile", "\t\t\t\ttls_trust_pool ", 1, 0},
		{"traefik-dynamic.yaml", "traefik.yaml", "        tls:", 1, 2},
		{"haproxy.cfg", "haproxy.cfg", "listen apikey-operator", 1, 0},
		// Without a change.
		{"traefik.yaml", "traefik.yaml", "        tls:", 0, 0},
		{"haproxy-authorize.lua", "haproxy.cfg", "listen apikey-operator", 0, 0},
	} {
		tested[row.file] = true
		plain, err := os.ReadFile(filepath.Join(samples, row.recipe))
		if err != nil {
			t.Fatal(err)
		}
		text, err := WithTLS(samples, string(plain))
		if err != nil {
			t.Errorf("%s: %v", row.recipe, err)
			continue
		}
		if blocks := strings.Count(text, "\n"+row.first); blocks != row.blocks {
			t.Errorf("%s: got %d blocks, want %d", row.recipe, blocks, row.blocks)
		}
		if https := len(asksHTTPS.FindAllString(text, -1)); https != row.https {
			t.Errorf("%s: got %d addresses with https, want %d", row.recipe, https, row.https)
		}
		if row.blocks == 0 && text != string(plain) {
			t.Errorf("%s: changed", row.recipe)
		}
		if strings.Contains(text, "With TLS: ") {
			t.Errorf("%s: a place was left as it is", row.recipe)
		}
	}
	files, err := filepath.Glob(filepath.Join(samples, "tls", "*"))
	if err != nil || len(files) != len(tested) {
		t.Errorf("the files are %q, %v: all of them belong into this test", files, err)
	}
}

func TestPlacesThatArentWhole(t *testing.T) {
	for what, row := range map[string]struct{ text, want string }{
		"no such file":         {"  # With TLS: tls/none here.\n", "none"},
		"nothing to ask https": {"  # With TLS: https in the next line.\n  proxy_pass x;\n", "proxy_pass x;"},
		"nothing below":        {"  # With TLS: https in the next line.\n", "no http"},
	} {
		if _, err := WithTLS(samples, row.text); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want an error with %q", what, err, row.want)
		}
	}
}
