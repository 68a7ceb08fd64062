package proxies

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// through runs a test through Envoy, both ways, and nginx.
func through(t *testing.T, test func(t *testing.T, s *system)) {
	t.Helper()
	for _, d := range []door{envoyGRPC, envoyHTTP, nginx} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			test(t, run(t, d))
		})
	}
}

// checkIdentity checks the X-Apikey-* that reached the upstream: only a name, or
// none.
func checkIdentity(t *testing.T, what string, h http.Header, name string) {
	t.Helper()
	for header, values := range h {
		if strings.HasPrefix(header, "X-Apikey-") && (name == "" || slices.Contains(values, "admin")) {
			t.Errorf("%s: the upstream gets %s: %q", what, header, values)
		}
	}
	if got := h.Get("X-Apikey-Name"); got != name {
		t.Errorf("%s: the upstream is told %q, want %q", what, got, name)
	}
}

// A public route needs no key. What a client sends in Authorization is the upstream's
// affair there, such as the token of somebody who is logged in; nobody is named.
func TestPublicRoutes(t *testing.T) {
	through(t, func(t *testing.T, s *system) {
		s.with(t, func(api *keyring.API) { api.Routes, api.DenyUnmatched = routes(t), true })
		for _, target := range []string{"/auth/login", "/v1/auth/login", "/v1/auth/login?next=/"} {
			r := request{method: http.MethodPost, target: target, body: `{"password": "x"}`}
			_, arrived := s.allowed(t, target, r.with(forged...))
			checkIdentity(t, target, arrived.Header, "")

			_, arrived = s.allowed(t, target+" with a token", r.with(forged...).with("Authorization: Bearer a.jwt.token", "X-API-Key: mine"))
			checkIdentity(t, target, arrived.Header, "")
			if a, k := arrived.Header["Authorization"], arrived.Header["X-Api-Key"]; !slices.Equal(a, []string{"Bearer a.jwt.token"}) || !slices.Equal(k, []string{"mine"}) || arrived.Body != r.body || arrived.Target != target {
				t.Errorf("%s: the upstream gets %+v", target, arrived)
			}
		}
		s.denied(t, "a token where a key is needed", request{fields: bearer("a.jwt.token")}, unauthorized)
		s.denied(t, "no key where one is needed", request{}, missing)
	})
}

// Browsers ask with OPTIONS whether they may, and can't send a key then.
func TestPreflight(t *testing.T) {
	through(t, func(t *testing.T, s *system) {
		r := request{method: http.MethodOptions}
		cors := r.with("Origin: https://shop.example", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization")
		s.denied(t, "unless the API allows it", cors, missing)
		s.with(t, func(api *keyring.API) { api.AllowPreflight, api.Routes, api.DenyUnmatched = true, routes(t), true })
		for _, target := range []string{"/api/public/budgets/7", "/api/public/customers"} {
			cors.target = target
			_, arrived := s.allowed(t, target, cors.with(forged...))
			checkIdentity(t, target, arrived.Header, "")
			if arrived.Method != http.MethodOptions || arrived.Header.Get("Origin") != "https://shop.example" || arrived.Header.Get("Access-Control-Request-Method") != "PUT" {
				t.Errorf("%s: the upstream gets %+v", target, arrived)
			}
		}
		s.denied(t, "no method", r.with("Origin: https://shop.example"), missing)
		s.denied(t, "no origin", r.with("Access-Control-Request-Method: PUT"), missing)
		cors.method, cors.target = http.MethodPut, ""
		s.denied(t, "another method", cors, missing)
	})
}

// Only the header that held the key is taken away, and that only unless the API
// keeps it.
func TestOnlyTheCredentialIsRemoved(t *testing.T) {
	through(t, func(t *testing.T, s *system) {
		raw := s.key("good")
		_, arrived := s.allowed(t, "in a header", request{fields: []string{"X-API-Key: " + raw, "Authorization: Basic eDp5"}})
		if a, k := arrived.Header.Get("Authorization"), arrived.Header.Values("X-Api-Key"); a != "Basic eDp5" || len(k) != 0 {
			t.Errorf("in a header: the upstream gets Authorization %q and X-API-Key %q", a, k)
		}
		s.with(t, func(api *keyring.API) { api.Credentials = []keyring.Credential{{Place: keyring.Bearer}} })
		_, arrived = s.allowed(t, "a token", request{fields: append(bearer(raw), "X-API-Key: mine")})
		if a, k := arrived.Header.Values("Authorization"), arrived.Header.Get("X-Api-Key"); len(a) != 0 || k != "mine" {
			t.Errorf("a token: the upstream gets Authorization %q and X-API-Key %q", a, k)
		}

		s.with(t, func(api *keyring.API) { api.KeepCredential = true })
		s.raws = slices.DeleteFunc(s.raws, func(r string) bool { return r == raw }) // it reaches the upstream
		for want, fields := range map[string][]string{
			"Bearer " + raw: bearer(raw),
			raw:             {"X-API-Key: " + raw},
		} {
			_, arrived := s.allowed(t, "kept", request{fields: fields})
			if got := arrived.Header.Get("Authorization") + arrived.Header.Get("X-Api-Key"); got != want {
				t.Errorf("kept: the upstream gets %q", got)
			}
			checkIdentity(t, "kept", arrived.Header, "good")
		}
	})
}
