package proxies

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// While the auth server is away nothing passes, and clients get 503. When it is
// back, requests pass again.
func TestAuthServerIsAway(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		r := request{fields: bearer(s.key("good"))}
		for range 2 {
			s.allowed(t, "before", r)
			s.server.stop()
			for range 3 {
				s.denied(t, "a good key", r, s.door.away)
				s.denied(t, "a bad key", request{fields: bearer("bk_live_x")}, s.door.away)
				s.denied(t, "no key", request{}, s.door.away)
			}
			if got := s.decided(); len(got) != 0 {
				t.Errorf("decided %q", got)
			}
			s.server.start(t)
			// Proxies may wait for a moment before they connect again.
			for deadline := time.Now().Add(20 * time.Second); s.send(t, r).status != 200; {
				if time.Now().After(deadline) {
					t.Fatal("nothing passes")
				}
			}
		}
	})
}

// An auth server that doesn't answer is as good as none.
func TestAuthServerHangs(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		if s.door.waits {
			t.Skip("nothing passes, but for half a minute nothing is answered either")
		}
		r := request{fields: bearer(s.key("good"))}
		s.allowed(t, "before", r)
		release := s.block()
		s.denied(t, "meanwhile", r, s.door.away)
		release()
		if got := s.send(t, r); got.status != 200 {
			t.Errorf("after: got %s", got)
		}
	})
}

// Whatever the HTTP door's address answers, only 200 lets a request pass.
func TestAnswersThatArentOurs(t *testing.T) {
	for _, d := range []door{envoyHTTP, nginx, caddy, traefik, haproxy} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			s := run(t, d)
			r := request{fields: bearer(s.key("good"))}
			for _, status := range []int{301, 302, 307, 400, 401, 403, 404, 407, 418, 429, 500, 501, 502, 503, 504} {
				s.server.wrap(t, func(http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Location", "http://shop.example/")
						w.Header().Set("X-Apikey-Name", "admin")
						w.WriteHeader(status)
					})
				})
				before := s.upstream.requests.Load()
				got := s.send(t, r)
				if got.status/100 == 2 || s.upstream.requests.Load() != before {
					t.Errorf("%d: the client gets %s", status, got)
				}
			}
			s.server.wrap(t, func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					connection, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					_ = connection.Close() // without an answer
				})
			})
			s.denied(t, "no answer", r, s.door.away)
		})
	}
}

// nginx asks twice for a denial. If the second question isn't answered, nothing
// passes either.
func TestNginxWithoutDenials(t *testing.T) {
	parts.Need(t, parts.Nginx)
	t.Parallel()
	s := run(t, nginx)
	done := make(chan struct{})
	defer close(done)
	for what, answer := range map[string]func(w http.ResponseWriter){
		"none": func(http.ResponseWriter) { <-done },
		"closed": func(w http.ResponseWriter) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = connection.Close() // without an answer
		},
		"bad gateway": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
	} {
		s.server.wrap(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/denial") {
					answer(w)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		if got := s.stopped(t, what, request{}); what != "bad gateway" && (got.status != 503 || got.body != unavailableBody) {
			t.Errorf("%s: got %s, want %s", what, got, s.door.away)
		}
		s.allowed(t, what, request{fields: bearer(s.key("good"))})
	}
}

// nginx's own locations are not a client's to ask.
func TestNginxInternalLocations(t *testing.T) {
	parts.Need(t, parts.Nginx)
	t.Parallel()
	s := run(t, nginx)
	good := s.key("good")
	for _, target := range []string{"/apikey-operator/authorize", "/apikey-operator/denial", "/apikey-operator/denial?x", "/apikey-operator/%64enial", "//apikey-operator/authorize"} {
		for _, host := range []string{"api.billoget.com", "shop.example"} {
			got := s.stopped(t, target, request{target: target, host: host, fields: append(bearer(good), "X-Apikey-Denial: reason=rate_limited&requests=1&retry=1&window=1")})
			if got.status != 404 && got.status != 400 {
				t.Errorf("%s of %s: got %s", target, host, got)
			}
			if reasons := s.decided(); len(reasons) != 0 && got.status != 400 {
				t.Errorf("%s of %s: decided %q", target, host, reasons)
			}
		}
	}
}
