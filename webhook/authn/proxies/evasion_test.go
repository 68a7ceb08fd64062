package proxies

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// A host is the same host in other letters, with a port and with a dot. None of
// these leads to the default API in place of the host's own.
func TestHosts(t *testing.T) {
	for _, d := range []door{envoyGRPC, nginx, caddy, traefik, haproxy} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			s := run(t, d)
			good := s.key("good")
			other := s.key("of the default API", func(k *keyring.Key) { k.API = keyring.DefaultAPI; k.Scopes = keyring.Scopes{"*"} })
			for _, host := range []string{"api.billoget.com", "API.Billoget.COM", "api.billoget.com:80", "api.billoget.com:10000", "api.billoget.com.", "api.billoget.com.:443"} {
				s.allowed(t, host, request{host: host, fields: bearer(good)})
				if got := s.stopped(t, host, request{host: host, fields: bearer(other)}); got.status != 401 {
					t.Errorf("%s: got %s", host, got)
				}
			}
			for _, host := range []string{
				"api.billoget.com, shop.example", "shop.example,api.billoget.com", "api.billoget.com@shop.example", "-shop.example",
				"shop..example", "shop.example/api", "[::1", "%61pi.billoget.com", "api.billoget.com\x01", "..", "shop.example?x",
			} {
				s.stopped(t, host, request{host: host, fields: bearer(other)})
			}
			if s.door.part == parts.HAProxy { // it wants both to be the same
				if got := s.stopped(t, "absolute form", request{target: "http://shop.example/x", host: "api.billoget.com", fields: bearer(other)}); got.status != 400 {
					t.Errorf("absolute form: got %s", got)
				}
				return
			}
			// The host of the request line counts, and the upstream gets the same.
			_, arrived := s.allowed(t, "absolute form", request{target: "http://shop.example/x", host: "api.billoget.com", fields: bearer(other)})
			if arrived.Host != "shop.example" || arrived.Target != "/x" {
				t.Errorf("absolute form: the upstream gets %s %s", arrived.Host, arrived.Target)
			}
			if got := s.stopped(t, "absolute form", request{target: "http://api.billoget.com/api/public/budgets", host: "shop.example", fields: bearer(other)}); got.status != 401 {
				t.Errorf("absolute form: got %s", got)
			}
		})
	}
}

// spellings of /api/public/budgets that some upstream might take for it, and
// paths below it that might be others.
var spellings = []string{
	"/api/public/%62udgets", "/api/public/%2562udgets", "/api/public/budgets%2f7", "/api/public/x/../budgets", "/api/public/x/%2e%2e/budgets", "//api/public/budgets",
	"/api//public/budgets", "/./api/public/budgets", "/api/public/budgets;x=1/7", "/api/public/budgets/..;/budgets", `/api/public\budgets`,
	"/api/public/budgets/../budgets", "/api/public/budgets/./7", "/api/public/budgets//", "/api/public/budgets/%00", "/api/public/budgets%00",
	"/api/public/%c0%afbudgets", "/API/public/budgets", "/api/public/Budgets", "/api/public/budgets.", "/api/public/budgets%20", "/api/public/budgets#",
	"/x/http://api.billoget.com/api/public/budgets", "/api/public/budgets/7%", "/api/public/budgets/%zz",
}

// With a key that may only read, none of them writes.
func TestScopesAreNotEvaded(t *testing.T) {
	for _, d := range []door{envoyGRPC, nginx} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			s := run(t, d)
			good := s.key("good")
			for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get", "GETX", "XGET", "TRACE", "M-SEARCH"} {
				s.stopped(t, method, request{method: method, host: budgetsHost, fields: bearer(good)})
			}
			for _, target := range spellings {
				s.stopped(t, target, request{method: http.MethodPost, host: budgetsHost, target: target, fields: bearer(good)})
			}
			// Nor does it reach what the recipe doesn't name.
			for _, target := range []string{"/", "/api", "/api/public", "/api/public/budgetsx", "/api/public/customers", "/admin", "/api/public/customers/api/public/budgets"} {
				if got := s.stopped(t, target, request{target: target, host: budgetsHost, fields: bearer(good)}); got.status != 404 {
					t.Errorf("%s: got %s", target, got)
				}
			}
		})
	}
}

// No path leads out of the API that the recipe names, to another or to a door.
func TestPathsDoNotChooseTheAPI(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		other := s.key("of the default API", func(k *keyring.Key) { k.API = keyring.DefaultAPI })
		for _, target := range []string{
			"/-/default/x", "/-/-/x", "/../../-/default/x", "/authorize/envoy/-/default/x", "/denial", "?scopes=", "/apis/billoget/x?scopes=",
			"/%2e%2e/%2e%2e/-/default/x", "//-/default/x", "http://api.billoget.com/-/default/x", "*", "-/default",
		} {
			s.stopped(t, target, request{target: target, fields: bearer(other)})
		}
	})
}

// A key that is sent in Authorization twice is ambiguous; nginx refuses it itself.
func TestRepeatedAuthorization(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		good := s.key("good")
		for what, r := range map[string]request{
			"twice":     {fields: append(bearer(good), bearer(good)...)},
			"two keys":  {fields: append(bearer(good), bearer(s.key("second"))...)},
			"in pieces": {fields: append(bearer(good), "authorization: Basic x")},
		} {
			if s.door.part == parts.Nginx {
				if got := s.stopped(t, what, r); got.status != 400 || !strings.Contains(got.body, "nginx") {
					t.Errorf("%s: got %s", what, got)
				}
				continue
			}
			s.denied(t, what, r, ambiguous)
		}
	})
}
