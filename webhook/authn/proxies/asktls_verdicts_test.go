package proxies

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/authority"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// Over TLS the verdicts are those of plain text, and a connection serves many requests.
func TestAskingOverTLS(t *testing.T) {
	eachOverTLS(t, func(t *testing.T, a asker) {
		s := run(t, a.door)
		good := request{fields: bearer(s.key("good"))}
		for _, row := range denials(s) {
			scopes, cleaned := row.scoped && !s.door.scoped, s.door.cleans && strings.HasSuffix(row.what, "segment")
			if row.arrange == nil && !scopes && !cleaned {
				s.denied(t, row.what, row.request, row.want)
			}
		}
		s.allowed(t, "a good key", good)
		before := a.asksTLS.done.Load()
		for range 50 {
			s.allowed(t, "a good key", good)
			s.denied(t, "no key", request{}, missing)
		}
		// HAProxy has a thread for each processor, and connections of each.
		if more := a.asksTLS.done.Load() - before; more > 4 {
			t.Errorf("one after the other: %d handshakes for 100 requests", more)
		}

		const clients = 8
		before = a.asksTLS.done.Load()
		var asking sync.WaitGroup
		for range clients {
			asking.Go(func() {
				for range 25 {
					if err := s.ask(t, rawOf("good")); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		asking.Wait()
		if more := a.asksTLS.done.Load() - before; more > 2*clients {
			t.Errorf("%d at a time: %d handshakes for %d requests", clients, more, clients*25)
		}
	})
}

// While the auth server isn't who the proxy expects, or doesn't take the proxy for who
// it expects, nothing passes.
func TestAskingTheWrongOne(t *testing.T) {
	eachOverTLS(t, func(t *testing.T, a asker) {
		s := run(t, a.door)
		good := request{fields: bearer(s.key("good"))}
		other := authority.New(t)
		for _, row := range []struct {
			what    string
			change  func()
			refused bool // by the auth server, and not by the proxy
		}{
			{"a certificate of another CA", func() { a.asksTLS.serve(t, other, a.name) }, false},
			{"a certificate of another name", func() { a.asksTLS.serve(t, a.authority, "other.apikey-operator-system.svc") }, false},
			{"plain text", func() { s.server.tls = nil }, false},
			{"certificates of another CA are demanded", func() { a.asksTLS.demand(other) }, true},
		} {
			begun, done := a.asksTLS.begun.Load(), a.asksTLS.done.Load()
			s.restart(t, row.change)
			for range 2 {
				s.unasked(t, row.what, good)
				s.unasked(t, row.what+", a bad key", request{fields: bearer("bk_live_x")})
				s.unasked(t, row.what+", no key", request{})
			}
			if row.refused && (a.asksTLS.begun.Load() == begun || a.asksTLS.done.Load() != done) {
				t.Errorf("%s: it isn't the handshake that is refused", row.what)
			}
			s.restart(t, func() {
				s.server.tls = a.asksTLS
				a.asksTLS.serve(t, a.authority, a.name)
				a.asksTLS.demand(a.authority)
			})
			s.recovers(t, "after "+row.what, good)
		}
	})
}

// A proxy without a certificate is refused where one is demanded.
func TestAskingWithoutACertificate(t *testing.T) {
	for _, d := range []door{envoyGRPC, envoyHTTP, nginx, caddy, traefik, haproxy} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			a := d.asksOverTLS(t, withoutCertificate)
			a.asksTLS.demand(nil)
			s := run(t, a.door)
			good := request{fields: bearer(s.key("good"))}
			s.allowed(t, "no certificate is demanded", good)
			begun, done := a.asksTLS.begun.Load(), a.asksTLS.done.Load()
			s.restart(t, func() { a.asksTLS.demand(a.authority) })
			for range 3 {
				s.unasked(t, "a good key", good)
				s.unasked(t, "no key", request{})
			}
			if a.asksTLS.begun.Load() == begun || a.asksTLS.done.Load() != done {
				t.Error("it isn't the handshake that is refused")
			}
		})
	}
}

// The auth server's certificate may change at any time: no request is denied for it,
// on connections of before or on new ones.
func TestAskingWhileTheCertificateChanges(t *testing.T) {
	eachOverTLS(t, func(t *testing.T, a asker) {
		a.asksTLS.briefly = true
		s := run(t, a.door)
		var answers atomic.Int64
		s.server.wrap(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if answers.Add(1)%20 == 0 {
					w.Header().Set("Connection", "close") // GOAWAY on HTTP/2
				}
				next.ServeHTTP(w, r)
			})
		})
		raw := s.key("good")
		var asking sync.WaitGroup
		var asked atomic.Int64
		done := make(chan struct{})
		for range 4 {
			asking.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if err := s.ask(t, raw); err != nil {
						t.Error(err)
					}
					asked.Add(1)
				}
			})
		}
		for range 5 {
			a.asksTLS.serve(t, a.authority, a.name)
			before := asked.Load()
			err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
				return a.asksTLS.isShown() && asked.Load() > before+50, nil
			})
			if err != nil {
				t.Errorf("nobody connects to what has the new certificate: %v", err)
			}
		}
		close(done)
		asking.Wait()
	})
}
