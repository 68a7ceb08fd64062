package auth

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/route"
	"github.com/apikey-operator/apikey-operator/internal/throttle"
)

// A decision allocates nothing, so that neither more keys nor more strangers give the
// garbage collector more to do. Conditions and what has to be decoded may.
func TestAuthenticateDoesNotAllocate(t *testing.T) {
	w := newWorld()
	w.api.Conditions = nil
	w.api.TrustedProxies = blocks("10.0.0.0/8")
	w.api.KnownScopes = map[string]bool{"READ_BUDGETS": true, "customers:read": true}
	var routes []route.Route
	for i := range 100 {
		routes = append(routes, route.Route{Methods: []string{"GET"}, Pattern: patterns(fmt.Sprintf("/v1/%d/{id}/**", i))[0], Scope: "customers:write"})
	}
	routes = append(routes, route.Route{Methods: []string{"GET"}, Pattern: patterns("/v1/budgets")[0], Scope: "customers:read"})
	var err error
	if w.api.Routes, err = route.Compile(nil, routes); err != nil {
		t.Fatal(err)
	}
	w.key.Limit.Requests = 1_000_000
	w.key.ExpiresAt = 0
	w.request.Target = Target{Kind: ByName, Name: shop, Scopes: []string{"READ_BUDGETS"}}
	w.request.Host, w.request.Path = "api.shop.dev:8443", "/v1/budgets?page=2"
	w.request.Source, w.request.ForwardedFor = "10.0.0.1", []string{"198.51.100.1", "203.0.113.7, 10.0.0.2"}
	w.wrongKey = throttle.New(1_000_000).Take
	open := w.authenticator()
	limited := *w
	limited.key = newKey()
	limited.key.Limit.Requests, limited.spent = 1, true
	spent := limited.authenticator()
	throttled := *open
	throttled.WrongKey = func(_ netip.Addr, _ time.Time) time.Duration { return time.Second }
	for _, row := range []struct {
		name    string
		auth    *Authenticator
		headers fields
		want    Reason
	}{
		{"allowed", open, w.headers, Allowed},
		{"rate limited", spent, w.headers, RateLimited},
		{"unknown", open, fields{"authorization": {"Bearer " + other}}, UnknownKey},
		{"malformed", open, fields{"x-api-key": {"x"}}, MalformedCredential},
		{"too many wrong keys", &throttled, fields{"x-api-key": {"x"}}, WrongKeyThrottled},
		{"missing", open, fields{}, MissingCredential},
		{"ambiguous", open, fields{"authorization": {"Bearer " + good}, "x-api-key": {good}}, AmbiguousCredential},
		{"another owner", open, fields{"authorization": {"Bearer " + good}, "email": {"x"}}, HeaderMismatch},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := w.request
			r.Headers = row.headers
			allocs := testing.AllocsPerRun(100, func() {
				if v := row.auth.Authenticate(&r); v.Reason != row.want {
					t.Errorf("got %s, want %s", v.Reason, row.want)
				}
			})
			if allocs != 0 {
				t.Errorf("%v allocations", allocs)
			}
		})
	}
}
