package proxies

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// edited returns a recipe in which one text is replaced.
func (d door) edited(old, replacement string) door {
	d.edit = func(recipe string) string { return strings.ReplaceAll(recipe, old, replacement) }
	return d
}

// A gateway that lets failures pass does so while the auth server is away. But no
// verdict of ours is a failure to it.
func TestVerdictsAreNoFailures(t *testing.T) {
	for _, d := range []door{envoyGRPC, envoyHTTP} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			s := run(t, d.edited("failure_mode_allow: false", "failure_mode_allow: true"))
			for _, row := range denials(s) {
				if row.scoped && !s.door.scoped {
					continue
				}
				t.Run(row.what, func(t *testing.T) {
					if row.arrange != nil {
						row.arrange(t, s)
					}
					s.denied(t, "", row.request, row.want)
				})
			}
			s.server.stop()
			before := s.upstream.requests.Load()
			if got := s.send(t, request{}); got.status != 200 || s.upstream.requests.Load() == before {
				t.Errorf("the recipe was edited in vain: got %s", got)
			}
		})
	}
}

// Without encode_raw_headers, as with Istio and Envoy Gateway, repeated headers
// come as one.
func TestJoinedHeaders(t *testing.T) {
	parts.Need(t, parts.Envoy)
	t.Parallel()
	s := run(t, envoyGRPC.edited("encode_raw_headers: true", "encode_raw_headers: false"))
	good := s.key("good")
	s.allowed(t, "a token", request{fields: bearer(good)})
	s.allowed(t, "a header", request{fields: []string{"X-API-Key: " + good}})
	for what, fields := range map[string][]string{
		"a header twice":       {"X-API-Key: " + good, "X-API-Key: " + good},
		"two keys in a header": {"X-API-Key: " + good, "X-API-Key: " + s.key("second")},
		"a token twice":        append(bearer(good), bearer(good)...),
		"two places":           append(bearer(good), "X-API-Key: "+good),
	} {
		s.denied(t, what, request{fields: fields}, ambiguous)
	}
}

// Envoy doesn't tell the client's address unless it is told to. Then it isn't
// known, and never Envoy's own.
func TestEnvoyThatHidesTheClient(t *testing.T) {
	parts.Need(t, parts.Envoy)
	t.Parallel()
	s := run(t, envoyHTTP.edited("                - exact: x-forwarded-for\n", ""))
	s.allowed(t, "a key for everywhere", request{fields: bearer(s.key("everywhere"))})
	anywhere := s.key("anywhere", func(k *keyring.Key) {
		k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	})
	s.denied(t, "a key for every address", request{fields: bearer(anywhere)}, ipNotAllowed)
	s.denied(t, "and one that is claimed", request{fields: append(bearer(anywhere), "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9")}, ipNotAllowed)
}

// An nginx that doesn't ask for denials relays 401 and 403.
func TestNginxThatDoesNotAskAgain(t *testing.T) {
	parts.Need(t, parts.Nginx)
	t.Parallel()
	d := nginx
	d.edit = func(recipe string) string {
		return regexp.MustCompile(`(?m)^\s+error_page .*$`).ReplaceAllString(recipe, "")
	}
	s := run(t, d)
	s.allowed(t, "a good key", request{fields: bearer(s.key("good"))})
	for _, row := range []struct {
		what    string
		request request
		status  int
		header  string
	}{
		{"no key", request{}, 401, `Bearer realm="apis/billoget"`},
		{"a bad key", request{fields: bearer("x")}, 401, `Bearer realm="apis/billoget", error="invalid_token"`},
		{"a suspended key", request{fields: bearer(s.key("suspended", func(k *keyring.Key) { k.State = keyring.Suspended }))}, 403, ""},
		{"a path that isn't normal", request{target: "/api/public/budgets//7"}, 403, ""},
	} {
		if got := s.stopped(t, row.what, row.request); got.status != row.status || got.header.Get("WWW-Authenticate") != row.header {
			t.Errorf("%s: got %s", row.what, got)
		}
	}
	t.Run("not synced", func(t *testing.T) {
		s.change(t, func(core *auth.Authenticator) { core.Synced = func() bool { return false } })
		if got := s.stopped(t, "", request{}); got.status != 403 {
			t.Errorf("got %s", got)
		}
	})
	s.server.stop()
	if got := s.stopped(t, "away", request{}); got.status != 500 {
		t.Errorf("away: got %s", got)
	}
}
