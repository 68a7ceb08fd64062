package proxies

import (
	"bytes"
	"log"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/extauthz"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// authServer serves both doors, as cmd does, and can be taken away.
type authServer struct {
	grpcPort, httpPort int
	log                logs
	tls                *serverTLS // nil: plain text

	authenticator authn.Authenticator
	apis          func(keyring.Name) (*keyring.API, bool)
	mu            sync.Mutex
	middleware    func(http.Handler) http.Handler // in front of the HTTP door
	stop          func()
}

// logs is what is logged.
type logs struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// newAuthServer chooses the addresses, on which it starts and starts again.
func newAuthServer(t *testing.T, of *system) *authServer {
	t.Helper()
	s := &authServer{authenticator: of, apis: of.ring.API, tls: of.door.asksTLS, stop: func() {}, grpcPort: freePort(t), httpPort: freePort(t)}
	t.Cleanup(func() { s.stop() })
	return s
}

// port is the one in place of a recipe's.
func (s *authServer) port(recipes int) int {
	if recipes == 9001 {
		return s.grpcPort
	}
	return s.httpPort
}

func (s *authServer) start(t *testing.T) {
	t.Helper()
	now := func() time.Time { return start } // the system's clock counts
	rpc := (&extauthz.Server{Authenticator: s.authenticator, Now: now}).GRPC(s.tls.options()...)
	door := forwardauth.New(func(string) authn.Authenticator { return s.authenticator }, s.apis, now)
	web := &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(&s.log, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		middleware := s.middleware
		s.mu.Unlock()
		if middleware != nil {
			middleware(door).ServeHTTP(w, r)
			return
		}
		door.ServeHTTP(w, r)
	})}
	rpcListener := listen(t, "127.0.0.1:"+strconv.Itoa(s.grpcPort))
	webListener := s.tls.listener(listen(t, "127.0.0.1:"+strconv.Itoa(s.httpPort)))
	var serving sync.WaitGroup
	serving.Go(func() { _ = rpc.Serve(rpcListener) }) // both end with stop
	serving.Go(func() { _ = web.Serve(webListener) })
	s.stop = func() {
		rpc.Stop()
		_ = web.Close()
		serving.Wait()
	}
}

// wrap puts a handler in front of the HTTP door until the test ends.
func (s *authServer) wrap(t *testing.T, middleware func(http.Handler) http.Handler) {
	t.Helper()
	set := func(m func(http.Handler) http.Handler) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.middleware = m
	}
	set(middleware)
	t.Cleanup(func() { set(nil) })
}
