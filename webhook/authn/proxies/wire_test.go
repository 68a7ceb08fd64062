package proxies

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
)

// request is what a client sends, byte for byte. Empty parts are those of
// GET /api/public/budgets/7 of api.billoget.com.
type request struct {
	method, target, host string
	fields               []string // as "Name: value"
	body                 string
}

func (r request) String() string {
	orElse := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	fields := append([]string{"Host: " + orElse(r.host, "api.billoget.com"), "User-Agent: test", "Connection: close"}, r.fields...)
	if r.body != "" {
		fields = append(fields, fmt.Sprintf("Content-Length: %d", len(r.body)))
	}
	line := orElse(r.method, http.MethodGet) + " " + orElse(r.target, "/api/public/budgets/7") + " HTTP/1.1"
	return line + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n" + r.body
}

func bearer(raw string) []string { return []string{"Authorization: Bearer " + raw} }

// with returns the request with more header fields.
func (r request) with(fields ...string) request {
	r.fields = append(slices.Clone(r.fields), fields...)
	return r
}

// reply is what a client gets.
type reply struct {
	status int
	header http.Header
	body   string
}

// String writes the reply without what is the proxy's own affair.
func (r reply) String() string {
	var lines []string
	for name, values := range r.header {
		switch name {
		case "Date", "Server", "Connection", "Content-Length", "X-Envoy-Upstream-Service-Time", "Via":
		default:
			for _, v := range values {
				lines = append(lines, name+": "+v)
			}
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d\n%s\n\n%s", r.status, strings.Join(lines, "\n"), r.body)
}

// send sends a request through the proxy. Raw keys never come back, and never
// reach the upstream.
func (s *system) send(t *testing.T, r request) reply {
	t.Helper()
	s.decided()
	before := s.upstream.requests.Load()
	got := exchange(t, s.dial(t), r)
	for _, raw := range s.raws {
		if strings.Contains(got.String(), raw) {
			t.Errorf("a raw key comes back: %s", got)
		}
		if s.upstream.requests.Load() != before && strings.Contains(fmt.Sprint(s.upstream.last()), raw) {
			t.Errorf("a raw key reaches the upstream: %+v", s.upstream.last())
		}
	}
	return got
}

// dial connects to the proxy, for one exchange.
func (s *system) dial(t *testing.T) net.Conn {
	t.Helper()
	dialer := &net.Dialer{}
	if runtime.GOOS == "linux" {
		// For 127.0.0.1 Envoy writes an address of its machine into X-Forwarded-For.
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}
	}
	connection, err := dialer.DialContext(t.Context(), "tcp", s.proxy)
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if s.door.tls != nil {
		return tls.Client(connection, s.door.tls)
	}
	return connection
}

func exchange(t *testing.T, connection net.Conn, r request) reply {
	t.Helper()
	defer func() { _ = connection.Close() }()
	if _, err := io.WriteString(connection, r.String()); err != nil {
		t.Fatal(err)
	}
	asked := &http.Request{Method: strings.Fields(r.String())[0]}
	response, err := http.ReadResponse(bufio.NewReader(connection), asked)
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

// allowed sends a request that must reach the upstream, and returns what did.
func (s *system) allowed(t *testing.T, what string, r request) (reply, seen) {
	t.Helper()
	before := s.upstream.requests.Load()
	got := s.send(t, r)
	if passed := s.upstream.requests.Load() - before; passed != 1 {
		t.Fatalf("%s: the upstream saw %d requests, the client %s", what, passed, got)
	}
	if reasons := s.decided(); !slices.Equal(reasons, []auth.Reason{auth.Allowed}) {
		t.Errorf("%s: decided %q", what, reasons)
	}
	return got, s.upstream.last()
}

// denied sends a request that must not reach the upstream, and compares what the
// client gets.
func (s *system) denied(t *testing.T, what string, r request, want string) {
	t.Helper()
	if got := s.stopped(t, what, r); got.String() != want {
		t.Errorf("%s: got %s\nwant %s", what, got, want)
	}
}

// stopped sends a request that must not reach the upstream.
func (s *system) stopped(t *testing.T, what string, r request) reply {
	t.Helper()
	got := s.unseen(t, what, r)
	if got.status < 400 {
		t.Errorf("%s: the client sees %s", what, got)
	}
	return got
}

// unseen sends a request that must not reach the upstream, whatever the client sees.
func (s *system) unseen(t *testing.T, what string, r request) reply {
	t.Helper()
	before := s.upstream.requests.Load()
	got := s.send(t, r)
	if passed := s.upstream.requests.Load() - before; passed != 0 {
		t.Errorf("%s: the upstream saw it: %+v", what, s.upstream.last())
	}
	return got
}
