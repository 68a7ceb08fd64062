package proxies

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/route"
)

// attempt is a request that somebody might take for another one.
type attempt struct {
	what    string
	request request
	// want is what comes of it, as outcome writes it, and but what else through
	// some proxies, by their recipe.
	want string
	but  map[string]string
}

// routed is billoget with routes, of which a key for budgets opens one.
func routed(t *testing.T) *keyring.API {
	t.Helper()
	pattern := func(text string) route.Pattern {
		p, err := route.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	table, err := route.Compile(nil, []route.Route{
		{Methods: []string{"GET"}, Pattern: pattern("/api/public/budgets/**"), Scope: "READ_BUDGETS"},
		{Pattern: pattern("/api/public/budgets/**"), Scope: "WRITE_BUDGETS"},
		{Pattern: pattern("/admin/**"), Scope: "ADMIN"},
	})
	if err != nil {
		t.Fatal(err)
	}
	api := billoget()
	api.Routes, api.DenyUnmatched = table, true
	return api
}

// TestBypass sends what proxies and upstreams are known to read differently. What
// comes of it differs from proxy to proxy, but one thing never does: a request that
// the upstream gets has been judged as the upstream gets it.
func TestBypass(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		s.ring.SetAPI(routed(t))
		reader := s.key("reader")
		for _, a := range attempts {
			s.upstream.wire.lines()
			a.request.fields = append(bearer(reader), a.request.fields...)
			got := s.outcome(t, a.what, s.send(t, a.request))
			want, differs := a.but[s.door.recipe]
			if !differs {
				want = a.want
			}
			if got != want {
				t.Errorf("%s: got %q, want %q", a.what, got, want)
			}
		}
	})
}

// outcome writes what came of a request: the status that the client sees, the
// reason of the decision if there was one, and what the upstream saw.
func (s *system) outcome(t *testing.T, what string, r reply) string {
	t.Helper()
	out := fmt.Sprint(r.status)
	reasons := s.decided()
	if len(reasons) > 1 {
		t.Errorf("%s: decided %q", what, reasons)
	}
	for _, reason := range reasons {
		out += " " + string(reason)
	}
	lines := s.upstream.wire.lines()
	for _, line := range lines {
		out += ", upstream: " + line
	}
	if len(lines) > 0 {
		s.sameAsJudged(t, what, lines, reasons)
	}
	return out
}

// sameAsJudged compares what reached the upstream with what was judged.
func (s *system) sameAsJudged(t *testing.T, what string, lines []string, reasons []auth.Reason) {
	t.Helper()
	if len(lines) != 1 || len(reasons) != 1 || reasons[0] != auth.Allowed {
		t.Errorf("%s: the upstream saw %q after %q", what, lines, reasons)
		return
	}
	method, target, _ := strings.Cut(lines[0], " ")
	if _, rest, absolute := strings.Cut(target, "://api.billoget.com/"); absolute {
		target = "/" + rest
	}
	path, query, err := auth.NormalizePath(target)
	if err != nil || path != s.verdict.Path {
		t.Errorf("%s: the upstream saw path %q (%v), and %q was judged", what, path, err, s.verdict.Path)
	}
	if _, judged, _ := strings.Cut(s.asked.Path, "?"); query != judged || method != s.asked.Method {
		t.Errorf("%s: the upstream saw %s ?%s, and %s ?%s was judged", what, method, query, s.asked.Method, judged)
	}
	host, err := auth.NormalizeHost(s.upstream.last().Host)
	api := keyring.DefaultAPI
	if host == "api.billoget.com" {
		api = billogetName
	}
	if s.door.recipe == envoyHTTP.recipe {
		api = billogetName // the only one of that recipe
	}
	if judged, wrong := auth.NormalizeHost(s.asked.Host); err != nil || wrong != nil || host != judged || s.verdict.API.Name != api {
		t.Errorf("%s: the upstream saw host %q (%v), and %q of %s was judged", what, host, err, judged, s.verdict.API.Name)
	}
}
