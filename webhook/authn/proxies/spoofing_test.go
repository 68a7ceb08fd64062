package proxies

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// spoofs are what a client might say that only a proxy may.
var spoofs = map[string][]string{
	"X-Forwarded-Uri":         {"X-Forwarded-Uri: /public"},
	"X-Forwarded-Method":      {"X-Forwarded-Method: OPTIONS"},
	"X-Forwarded-Host":        {"X-Forwarded-Host: shop.example"},
	"X-Forwarded-Proto":       {"X-Forwarded-Proto: https"},
	"X-Forwarded-Ssl":         {"X-Forwarded-Ssl: on", "Front-End-Https: on", "X-Url-Scheme: https"},
	"X-Forwarded-For":         {"X-Forwarded-For: 203.0.113.9"},
	"X-Forwarded-Port":        {"X-Forwarded-Port: 443", "X-Forwarded-Server: shop.example", "X-Forwarded-Prefix: /public"},
	"other cases":             {"x-forwarded-uri: /public", "X-FORWARDED-METHOD: OPTIONS", "x-FORWARDED-host: shop.example", "X-forwarded-proto: https"},
	"other spellings":         {"X_Forwarded_Uri: /public", "X.Forwarded.Method: OPTIONS", "X_Forwarded_Host: shop.example", "X_Forwarded_Proto: https", "X_Forwarded_For: 203.0.113.9"},
	"twice":                   {"X-Forwarded-Uri: /public", "X-Forwarded-Uri: /other", "X-Forwarded-Host: shop.example", "X-Forwarded-Host: other.example"},
	"empty":                   {"X-Forwarded-Uri:", "X-Forwarded-Method:", "X-Forwarded-Host:", "X-Forwarded-Proto:", "X-Forwarded-For:"},
	"Forwarded":               {"Forwarded: for=203.0.113.9;host=shop.example;proto=https"},
	"nginx's headers":         {"X-Original-URL: https://shop.example/public", "X-Original-URI: /public", "X-Original-Method: OPTIONS", "X-Rewrite-URL: /public", "X-Real-IP: 203.0.113.9"},
	"Envoy's headers":         {"X-Envoy-Original-Path: /public", "X-Envoy-Internal: true", "X-Envoy-External-Address: 203.0.113.9", "X-Envoy-Original-Method: OPTIONS"},
	"addresses of others":     {"True-Client-IP: 203.0.113.9", "CF-Connecting-IP: 203.0.113.9", "X-Client-IP: 203.0.113.9", "X-Cluster-Client-IP: 203.0.113.9"},
	"an upgrade":              {"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="},
	"ours":                    {"X-Apikey-Denial: reason=rate_limited", "X-Apikey-Status: 200", "X-Apikey-Remove: x-api-key"},
	"what isn't to be sent":   {"Connection: x-forwarded-uri, x-forwarded-method, x-forwarded-host, x-forwarded-for, x-forwarded-proto"},
	"all of nginx's and ours": {"Connection: x-original-url, x-original-method, x-real-ip, x-apikey-name, x-apikey-scopes, X-Apikey-Namespace"},
}

var refusedByEnvoy = map[string]bool{"an upgrade": true, "what isn't to be sent": true}

// What is judged, and what the upstream is told, doesn't change with what a client
// says that only a proxy may.
func TestSpoofing(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		good := s.key("good")
		judge := func(what string, fields []string) (auth.Request, http.Header) {
			_, arrived := s.allowed(t, what, request{target: "/api/public/budgets/7?x=y", fields: append(bearer(good), fields...)})
			asked := s.asked
			asked.Headers, asked.ForwardedFor = nil, nil // what only trusted proxies are believed
			identity := http.Header{}
			for _, name := range authn.IdentityHeaders {
				identity[name] = arrived.Header.Values(name)
			}
			return asked, identity
		}
		wantAsked, wantIdentity := judge("as it should be", nil)
		for what, fields := range spoofs {
			if s.door.part == parts.Envoy && refusedByEnvoy[what] {
				s.stopped(t, what, request{fields: append(bearer(good), fields...)})
				continue
			}
			if asked, identity := judge(what, fields); !reflect.DeepEqual(asked, wantAsked) || !reflect.DeepEqual(identity, wantIdentity) {
				t.Errorf("%s: asked %+v, the upstream sees %v\nwant %+v and %v", what, asked, identity, wantAsked, wantIdentity)
			}
			s.denied(t, what, request{fields: fields}, missing)
		}
	})
}

// alias matches a header that some upstream may take for one of the key's identity.
var alias = regexp.MustCompile(`(?i)^x[^a-z0-9]apikey[^a-z0-9]`)

// Some upstreams, as those that speak CGI, see X-Apikey-Name also in a header in
// which other characters are in place of the dashes. Envoy knows of the underscore
// only.
func TestAliasesOfTheIdentity(t *testing.T) {
	const others = "!#$%&'*+.^_`|~"
	each(t, func(t *testing.T, s *system) {
		good := s.key("good")
		for _, c := range others {
			for _, name := range []string{"X-Apikey-Project", "x-apikey-PROJECT"} {
				for _, spelt := range []string{strings.ReplaceAll(name, "-", string(c)), strings.Replace(name, "-", string(c), 1), name[:8] + string(c) + name[9:]} {
					if s.door.part == parts.Envoy && c != '_' {
						continue
					}
					_, arrived := s.allowed(t, spelt, request{fields: append(bearer(good), spelt+": admin")})
					for name, values := range arrived.Header {
						if alias.MatchString(name) && fmt.Sprint(values) == "[admin]" {
							t.Errorf("%s arrives as %s: %s", spelt, name, values)
						}
					}
				}
			}
		}
		for _, name := range authn.IdentityHeaders {
			_, arrived := s.allowed(t, name, request{fields: append(bearer(good), name+": admin")})
			if got := arrived.Header.Get(name); got == "admin" {
				t.Errorf("%s arrives", name)
			}
		}
	})
}
