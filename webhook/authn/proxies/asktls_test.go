package proxies

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/apikey-operator/apikey-operator/hack/authority"
	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/proxies"
)

// authServerName is the name in the auth server's certificate, as the recipes have it.
const authServerName = "apikey-operator-authserver.apikey-operator-system.svc"

// serverTLS is how an auth server is served with TLS, as cmd does it, and what it sees
// of its clients.
type serverTLS struct {
	// briefly has a connection of gRPC closed, without harm, soon after it was opened.
	briefly bool

	begun, done atomic.Int64 // handshakes

	mu          sync.Mutex
	certificate tls.Certificate
	shown       *atomic.Int64  // handshakes with it
	clients     *x509.CertPool // the CAs of clients' certificates; nil: none is demanded
}

// serve changes the certificate, for connections that are opened from now on.
func (s *serverTLS) serve(t *testing.T, from *authority.Authority, name string) {
	t.Helper()
	certificate, err := tls.X509KeyPair(from.Issue(t, name))
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certificate, s.shown = certificate, &atomic.Int64{}
}

// isShown reports whether anybody has connected since the certificate changed.
func (s *serverTLS) isShown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Load() > 0
}

// demand changes which clients may connect from now on: those with a certificate from
// an authority, or all if there is none.
func (s *serverTLS) demand(from *authority.Authority) {
	var pool *x509.CertPool
	if from != nil {
		pool = x509.NewCertPool()
		pool.AppendCertsFromPEM(from.PEM)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = pool
}

func (s *serverTLS) config() *tls.Config {
	protocols := []string{"h2", "http/1.1"}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		s.begun.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		own := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, Certificates: []tls.Certificate{s.certificate}}
		shown := s.shown
		own.VerifyConnection = func(tls.ConnectionState) error {
			s.done.Add(1)
			shown.Add(1)
			return nil
		}
		if s.clients != nil {
			own.ClientCAs, own.ClientAuth = s.clients, tls.RequireAndVerifyClientCert
			own.SessionTicketsDisabled = true
		}
		return own, nil
	}}
}

// options are those of the gRPC server. Without TLS there are none.
func (s *serverTLS) options() []grpc.ServerOption {
	if s == nil {
		return nil
	}
	options := []grpc.ServerOption{grpc.Creds(credentials.NewTLS(s.config()))}
	if s.briefly {
		options = append(options, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 100 * time.Millisecond, MaxConnectionAgeGrace: 10 * time.Second}))
	}
	return options
}

// listener is that of the HTTP door. Without TLS it stays as it is.
func (s *serverTLS) listener(l net.Listener) net.Listener {
	if s == nil {
		return l
	}
	return tls.NewListener(l, s.config())
}

// asker is a door that asks the auth server over TLS.
type asker struct {
	door

	authority *authority.Authority // of both
	name      string               // that the proxy expects of the auth server
}

// asksOverTLS changes a door's recipe as its users would to ask over TLS, and both show
// certificates. Further edits are made after that.
func (d door) asksOverTLS(t *testing.T, edits ...func(recipe string) string) asker {
	t.Helper()
	const recipes = "../../../config/samples/proxies"
	a := asker{door: d, authority: authority.New(t), name: authServerName}
	dir := t.TempDir()
	authority.Write(t, filepath.Join(dir, "ca.crt"), a.authority.PEM)
	a.authority.IssueTo(t, dir, "gateway.example")

	address := authServerName + ":9002"
	switch d.part {
	case parts.Traefik:
		a.name = "127.0.0.1" // the address's host can't have another
	case parts.HAProxy:
		a.asks, a.relays = 9443, 9002
	default:
	}
	a.edit = func(recipe string) string {
		text, err := proxies.WithTLS(recipes, recipe)
		if err != nil {
			t.Fatal(err)
		}
		for _, edit := range edits {
			text = edit(text)
		}
		text = strings.ReplaceAll(text, "server authserver "+address, "server authserver 127.0.0.1:9443")
		return strings.ReplaceAll(text, "/run/apikey-operator/tls/", dir+"/")
	}
	a.asksTLS = &serverTLS{}
	a.asksTLS.serve(t, a.authority, a.name)
	a.asksTLS.demand(a.authority)
	return a
}

// eachOverTLS runs a test through every proxy that asks over TLS.
func eachOverTLS(t *testing.T, test func(t *testing.T, a asker)) {
	t.Helper()
	for _, d := range []door{envoyGRPC, envoyHTTP, nginx, caddy, traefik, haproxy} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			test(t, d.asksOverTLS(t))
		})
	}
}

// withoutCertificate takes the proxy's own certificate out of a recipe.
func withoutCertificate(recipe string) string {
	return regexp.MustCompile(`(?m)^(\s+tls_certificates:|.*/tls\.(crt|key)\b.*)\n`).ReplaceAllString(recipe, "")
}

// restart changes how the auth server is served. No connection outlives that.
func (s *system) restart(t *testing.T, change func()) {
	t.Helper()
	s.server.stop()
	change()
	s.server.start(t)
}

// unasked sends a request about which the auth server isn't asked, and which so doesn't
// pass.
func (s *system) unasked(t *testing.T, what string, r request) {
	t.Helper()
	s.denied(t, what, r, s.door.away)
	if got := s.decided(); len(got) != 0 {
		t.Errorf("%s: decided %q", what, got)
	}
}

// recovers waits until a request passes: proxies may wait for a moment before they
// connect again.
func (s *system) recovers(t *testing.T, what string, r request) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); s.send(t, r).status != 200; {
		if time.Now().After(deadline) {
			t.Fatalf("%s: nothing passes", what)
		}
	}
}

// ask sends a request with a key, and may be called by any goroutine.
func (s *system) ask(t *testing.T, raw string) error {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.proxy+"/api/public/budgets/7", nil)
	if err != nil {
		return err
	}
	request.Host = "api.billoget.com"
	request.Header.Set("Authorization", "Bearer "+raw)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("got %d: %s", response.StatusCode, body)
	}
	return err
}
