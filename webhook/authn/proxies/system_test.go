package proxies

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/process"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// start is when every system's clock starts. It stands still unless a test moves it.
var start = time.Date(2026, 11, 22, 9, 41, 7, 0, time.UTC)

// system is a proxy, the auth server that it asks, and the upstream behind it.
type system struct {
	door   door
	proxy  string // address
	client string // the address that our requests come from, as the proxy says
	server *authServer
	logDir string

	ring *keyring.Ring
	raws []string // raw keys in it

	mu       sync.Mutex
	core     auth.Authenticator
	clock    time.Time
	blocked  chan struct{} // a decision waits for it, unless nil
	reasons  []auth.Reason // of decisions since the last request
	asked    auth.Request  // for the last decision
	verdict  auth.Verdict  // the last decision
	upstream *upstream
}

// Authenticate decides, at the time of the system's clock.
func (s *system) Authenticate(r *auth.Request) auth.Verdict {
	s.mu.Lock()
	core, blocked := s.core, s.blocked
	r.Time = s.clock
	s.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	v := core.Authenticate(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reasons = append(s.reasons, v.Reason)
	s.asked, s.verdict = *r, v
	return v
}

// change changes how is decided until the test ends.
func (s *system) change(t *testing.T, f func(core *auth.Authenticator)) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.core
	f(&s.core)
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.core = before
	})
}

// block makes decisions wait until the returned function is called.
func (s *system) block() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	blocked := make(chan struct{})
	s.blocked = blocked
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.blocked = nil
		close(blocked)
	}
}

// advance moves the clock.
func (s *system) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// decided returns the reasons of the decisions since the last call.
func (s *system) decided() []auth.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	reasons := s.reasons
	s.reasons = nil
	return reasons
}

// run starts a system for a door, for one test.
func run(t *testing.T, d door) *system {
	t.Helper()
	s := &system{door: d, ring: keyring.New(hosts()), clock: start, logDir: t.TempDir()}
	s.core = auth.Authenticator{
		Ring: s.ring, Synced: func() bool { return true }, Current: func() bool { return true },
		TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	s.ring.SetAPI(billoget())
	s.upstream = startUpstream(t)
	s.server = newAuthServer(t, s)
	s.server.start(t)
	s.proxy = d.start(t, s)
	t.Cleanup(func() { s.checkLogs(t) })
	s.client = s.probe(t)
	return s
}

// probe lets one request pass, and returns the address that the proxy says it is
// from.
func (s *system) probe(t *testing.T) string {
	t.Helper()
	raw := s.key("probe")
	if got := s.send(t, request{fields: bearer(raw)}); got.status != 200 {
		t.Fatalf("nothing passes: %s", got)
	}
	hops := strings.Split(s.upstream.last().Header.Get("X-Forwarded-For"), ",")
	return strings.TrimSpace(hops[len(hops)-1])
}

// checkLogs looks for raw keys in everything that was logged.
func (s *system) checkLogs(t *testing.T) {
	t.Helper()
	logs := map[string]string{"the auth server's log": s.server.log.String()}
	files, err := filepath.Glob(filepath.Join(s.logDir, "*"))
	if err != nil || len(files) == 0 {
		t.Errorf("no logs in %s: %v", s.logDir, err)
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Error(err)
		}
		logs[filepath.Base(f)] = string(content)
	}
	for name, content := range logs {
		for _, raw := range s.raws {
			if strings.Contains(content, raw) {
				t.Errorf("%s holds a raw key: %s", name, content)
			}
		}
	}
	if t.Failed() {
		for name, content := range logs {
			t.Logf("%s:\n%s", name, content)
		}
	}
}

// seen is a request that reached the upstream.
type seen struct {
	Method, Host, Target string
	Header               http.Header
	Body                 string
}

// upstream is what is protected. It says 200, or what X-Want-Status says.
type upstream struct {
	port     int
	requests atomic.Int64
	seen     atomic.Pointer[seen]
	wire     wire
}

func (u *upstream) last() seen { return *u.seen.Load() }

func startUpstream(t *testing.T) *upstream {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	u := &upstream{port: l.Addr().(*net.TCPAddr).Port}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte(err.Error())
		}
		u.seen.Store(&seen{r.Method, r.Host, r.RequestURI, r.Header, string(body)})
		u.requests.Add(1)
		w.Header().Set("Content-Type", "text/plain")
		if want := r.Header.Get("X-Want-Status"); want != "" {
			w.Header().Set("X-Upstream", "said so")
			w.WriteHeader(int(want[0]-'0')*100 + int(want[1]-'0')*10 + int(want[2]-'0'))
		}
		_, _ = io.WriteString(w, "hello\n") // the proxy hung up
	})}
	go func() { _ = server.Serve(tapped{l, &u.wire}) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return u
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	// The port is ours. But a program that is just being started has a copy of what
	// listened there before, until it is itself.
	var l net.Listener
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", address); errors.Is(err, syscall.EADDRINUSE) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return l
}

// freePort returns a port on which nobody listens and that no other test gets.
func freePort(t *testing.T) int {
	t.Helper()
	ports, err := process.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}
