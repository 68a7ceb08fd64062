package proxies

import (
	"net/http"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// The proxies that say in X-Forwarded-Uri what they were asked.
var (
	caddy = door{
		part: parts.Caddy, recipe: "Caddyfile", listen: 10081, asks: 9002,
		adds: func(client string) http.Header {
			return http.Header{"Accept-Encoding": {"gzip"}, "Via": {"1.1 Caddy"}, "X-Forwarded-For": {client}, "X-Forwarded-Proto": {"http"}}
		},
		trust: func(recipe string) string {
			return strings.Replace(recipe, "\tadmin off\n", "\tadmin off\n\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}\n", 1)
		},
		away: "503\nCache-Control: no-store\nContent-Type: application/json\n\n" + unavailableBody,
	}
	traefik = door{
		part: parts.Traefik, recipe: "traefik.yaml", beside: []string{"traefik-dynamic.yaml"}, listen: 10082, asks: 9002,
		adds: func(client string) http.Header {
			return http.Header{
				"Accept-Encoding": {"gzip"}, "X-Forwarded-For": {client}, "X-Forwarded-Proto": {"http"},
				"X-Forwarded-Port": {"80"}, "X-Forwarded-Server": {"any"}, "X-Real-Ip": {client},
			}
		},
		trust: strings.NewReplacer(
			"    address: 127.0.0.1:10082\n", "    address: 127.0.0.1:10082\n    forwardedHeaders: {trustedIPs: [127.0.0.0/8]}\n",
			"trustForwardHeader: false", "trustForwardHeader: true",
		).Replace,
		cleans: true, fills: true, mum: true, waits: true, not2xx: true,
		away: "500\n\n\n",
	}
	haproxy = door{
		part: parts.HAProxy, recipe: "haproxy.cfg", beside: []string{"haproxy-authorize.lua"}, listen: 10083, asks: 9002,
		adds: func(client string) http.Header {
			return http.Header{"X-Forwarded-For": {"198.51.100.9", client}, "X-Forwarded-Proto": {"http"}}
		},
		away: "503\nCache-Control: no-store\nContent-Type: application/json\n\n" + unavailableBody,
	}
)

// HAProxy goes on after a script that fails. The recipe doesn't.
func TestHAProxyWithAScriptThatFails(t *testing.T) {
	parts.Need(t, parts.HAProxy)
	t.Parallel()
	d := haproxy
	d.edit = func(text string) string {
		return strings.Replace(text, "\tif response.status == 200 then\n", "\tif headers[\"x-fail\"] then error() end\n\tif response.status == 200 then\n", 1)
	}
	s := run(t, d)
	good := s.key("good")
	s.allowed(t, "that works", request{fields: bearer(good)})
	s.denied(t, "that fails", request{fields: append(bearer(good), "X-Fail: 1")}, s.door.away)
}
