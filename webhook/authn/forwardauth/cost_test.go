package forwardauth_test

import (
	"net/http"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// fixed is an Authenticator with one answer that costs nothing.
type fixed struct{ v auth.Verdict }

func (f *fixed) Authenticate(*auth.Request) auth.Verdict { return f.v }

// What the door itself allocates: for an answer that allows an array of values, the text
// of the rate limit and that of the scopes; for a denial values and a name.
func TestAllocations(t *testing.T) {
	for _, row := range []struct {
		what, convention, api string
		verdict               auth.Verdict
		most                  float64
	}{
		{"allowed", "nginx", "/apis/billoget", authntest.Verdict(auth.Allowed), 3},
		{"allowed", "traefik", "/apis/billoget", authntest.Verdict(auth.Allowed), 3},
		{"allowed", "envoy", "/apis/billoget", authntest.Verdict(auth.Allowed), 3},
		{"allowed, with scopes that the gateway demands", "nginx", "/-/default?scopes=a,b", authntest.Verdict(auth.Allowed), 4},
		{"unknown", "nginx", "/apis/billoget", auth.Verdict{Reason: auth.UnknownKey, API: authntest.Bearer()}, 3},
		{"unknown", "traefik", "/apis/billoget", auth.Verdict{Reason: auth.UnknownKey, API: authntest.Bearer()}, 2},
	} {
		h := handlerWith(&fixed{row.verdict}, noAPIs)
		in, out := from(row.convention, row.api, rawKey), &response{header: http.Header{}}
		if got := testing.AllocsPerRun(200, func() { out.serve(h, in) }); got > row.most || out.status == 0 {
			t.Errorf("%s, %s: %v allocations, want at most %v; status %d", row.what, row.convention, got, row.most, out.status)
		}
	}
}

// A request that was answered leaves nothing in the one that is used again.
func TestRequestsAreCleared(t *testing.T) {
	var asked []*auth.Request
	a := &authntest.Scripted{Answer: func(r *auth.Request) auth.Verdict {
		asked = append(asked, r)
		return authntest.Verdict(auth.Allowed)
	}}
	ask(t, handlerWith(a, noAPIs), asks("nginx", ""))
	if r := asked[0]; r.Headers != nil || r.Path != "" || r.Host != "" || r.Source != "" || r.ForwardedFor != nil {
		t.Errorf("left: %+v", r)
	}
}
