package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"

	"github.com/apikey-operator/apikey-operator/hack/authority"
	"github.com/apikey-operator/apikey-operator/hack/process"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// bounded serves both doors as the auth server does, over TLS and in plain text.
type bounded struct {
	http, grpc, httpTLS, grpcTLS string
	trust                        *x509.CertPool
	asked                        atomic.Int64 // requests that came to the HTTP handler
	checks                       checks
}

// checks answers Envoy, when it is let.
type checks struct {
	authv3.UnimplementedAuthorizationServer
	blocked      chan struct{} // nil: at once
	asked, under atomic.Int64  // in all, and now
}

func (c *checks) Check(ctx context.Context, _ *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	c.asked.Add(1)
	c.under.Add(1)
	defer c.under.Add(-1)
	if c.blocked != nil {
		select {
		case <-c.blocked:
		case <-ctx.Done():
		}
	}
	return &authv3.CheckResponse{}, nil
}

func serveBounded(t *testing.T, h http.Handler, blocked chan struct{}) *bounded {
	t.Helper()
	ports, err := process.FreePorts(4)
	if err != nil {
		t.Fatal(err)
	}
	b := &bounded{trust: x509.NewCertPool(), checks: checks{blocked: blocked}}
	for i, address := range []*string{&b.http, &b.grpc, &b.httpTLS, &b.grpcTLS} {
		*address = "127.0.0.1:" + strconv.Itoa(ports[i])
	}
	dir, ca := t.TempDir(), authority.New(t)
	ca.IssueTo(t, dir, "authserver")
	b.trust.AppendCertsFromPEM(ca.PEM)
	files := withCertificate(dir)
	served := &certificate{cert: files.cert, key: files.key}
	transport := serverTLS(files, served)
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		h.ServeHTTP(w, r)
	})
	server := func(t *tls.Config) *grpc.Server {
		s := grpc.NewServer(grpcOptions(t)...)
		authv3.RegisterAuthorizationServer(s, &b.checks)
		return s
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	ended := make(chan error, 5)
	go func() { ended <- served.run(ctx) }()
	go func() { ended <- serveHTTP(ctx, log, "http", b.http, nil, counted) }()
	go func() { ended <- serveHTTP(ctx, log, "http", b.httpTLS, transport, counted) }()
	go func() { ended <- serveGRPC(ctx, log, "grpc", b.grpc, server(nil)) }()
	go func() { ended <- serveGRPC(ctx, log, "grpc with TLS", b.grpcTLS, server(transport)) }()
	t.Cleanup(func() {
		cancel()
		for range 5 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	for _, address := range []string{b.http, b.grpc, b.httpTLS, b.grpcTLS} {
		within(t, "the listener at "+address, func() bool {
			c, err := net.Dial("tcp", address)
			if err == nil {
				_ = c.Close()
			}
			return err == nil && served.ready()
		})
	}
	return b
}

var okHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "ok") })

// dial connects for a minute at most, and until the test ends.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// overTLS shakes hands for HTTP/2.
func (b *bounded) overTLS(t *testing.T, conn net.Conn) net.Conn {
	t.Helper()
	secure := tls.Client(conn, &tls.Config{RootCAs: b.trust, ServerName: "authserver", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	return secure
}

// lines are n headers with values of a length.
func lines(n, length int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, "X-%d: %s\r\n", i, strings.Repeat("x", length))
	}
	return s.String()
}

func TestHeadersAreBounded(t *testing.T) {
	b := serveBounded(t, okHandler, nil)
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"what a proxy lets through", "GET / HTTP/1.1\r\nHost: x\r\n" + lines(1, 60<<10), 200},
		{"just below", "GET / HTTP/1.1\r\nHost: x\r\n" + lines(1, maxHeaderBytes-1000), 200},
		{"one that is too long", "GET / HTTP/1.1\r\nHost: x\r\n" + lines(1, 2*maxHeaderBytes), 431},
		{"too many of them", "GET / HTTP/1.1\r\nHost: x\r\n" + lines(20_000, 1), 431},
		{"a path that is too long", "GET /" + strings.Repeat("x", 2*maxHeaderBytes) + " HTTP/1.1\r\nHost: x\r\n", 431},
	} {
		conn := dial(t, b.http)
		go func() { _, _ = conn.Write([]byte(tc.request + "Connection: close\r\n\r\n")) }() // it may be cut off
		answer, _ := io.ReadAll(conn)
		before := b.asked.Swap(0)
		if !strings.HasPrefix(string(answer), fmt.Sprintf("HTTP/1.1 %d ", tc.status)) || before > 0 != (tc.status == 200) {
			t.Errorf("%s: got %.40q, and the handler was asked %d times, want %d", tc.name, answer, before, tc.status)
		}
	}
}

// http2Client speaks HTTP/2 as no library would.
type http2Client struct {
	*http2.Framer
	conn   net.Conn
	fields bytes.Buffer
	hpack  *hpack.Encoder
}

func newHTTP2Client(t *testing.T, conn net.Conn) *http2Client {
	t.Helper()
	c := &http2Client{Framer: http2.NewFramer(conn, conn), conn: conn}
	c.hpack = hpack.NewEncoder(&c.fields)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// open sends the headers of a request on a stream, with more of so many bytes.
func (c *http2Client) open(stream uint32, path string, more int) error {
	c.fields.Reset()
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}, {"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := c.hpack.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	for i := 0; more > 0; i++ { // not to be found in the table again, so that they take what they are long
		value := strings.Repeat(strconv.Itoa(i%10), min(more, 8000))
		more -= len(value)
		if err := c.hpack.WriteField(hpack.HeaderField{Name: "x-" + strconv.Itoa(i), Value: value, Sensitive: true}); err != nil {
			return err
		}
	}
	block, first := c.fields.Bytes(), true
	for first || len(block) > 0 {
		part := block[:min(len(block), 16<<10)]
		block = block[len(part):]
		var err error
		if first {
			err = c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: part, EndHeaders: len(block) == 0})
		} else {
			err = c.WriteContinuation(stream, len(block) == 0, part)
		}
		if err != nil {
			return err
		}
		first = false
	}
	return nil
}

// answer reads until something is said of a stream, or the connection ends.
func (c *http2Client) answer(stream uint32) string {
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			if isTimeout(err) {
				return "nothing within a minute"
			}
			return "closed"
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream {
				return f.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			return "closed"
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestHTTP2HeadersAreBounded(t *testing.T) {
	b := serveBounded(t, okHandler, nil)
	const check = "/envoy.service.auth.v3.Authorization/Check"
	for _, tc := range []struct {
		name string
		conn func() net.Conn
		more int
		want []string
	}{
		{"HTTP", func() net.Conn { return b.overTLS(t, dial(t, b.httpTLS)) }, 60 << 10, []string{"200"}},
		{"HTTP, too much", func() net.Conn { return b.overTLS(t, dial(t, b.httpTLS)) }, maxHeaderBytes + 1000, []string{"431"}},
		{"HTTP, twice as much", func() net.Conn { return b.overTLS(t, dial(t, b.httpTLS)) }, 2 * maxHeaderBytes, []string{"431", "closed"}},
		{"HTTP, far too much", func() net.Conn { return b.overTLS(t, dial(t, b.httpTLS)) }, 64 << 20, []string{"431", "closed"}},
		{"gRPC", func() net.Conn { return dial(t, b.grpc) }, 60 << 10, []string{"200"}},
		{"gRPC, too much", func() net.Conn { return dial(t, b.grpc) }, 2 * maxHeaderBytes, []string{"FRAME_SIZE_ERROR", "ENHANCE_YOUR_CALM", "closed"}},
		{"gRPC, far too much", func() net.Conn { return dial(t, b.grpc) }, 64 << 20, []string{"FRAME_SIZE_ERROR", "ENHANCE_YOUR_CALM", "closed"}},
	} {
		c := newHTTP2Client(t, tc.conn())
		sent := make(chan error, 1)
		go func() {
			err := c.open(1, check, tc.more)
			if err == nil { // an empty message
				err = c.WriteData(1, true, make([]byte, 5))
			}
			sent <- err
		}()
		got := c.answer(1)
		_ = c.conn.Close()
		err := <-sent
		asked := b.asked.Swap(0) + b.checks.asked.Swap(0)
		if !slices.Contains(tc.want, got) || asked > 0 != (tc.want[0] == "200") {
			t.Errorf("%s: got %s (sent: %v), and the handler was asked %d times, want one of %q", tc.name, got, err, asked, tc.want)
		}
	}
}

// endless is a body of n bytes, of which none is ever held.
type endless struct {
	n    int64
	sent atomic.Int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.sent.Add(int64(len(p))) > e.n {
		return 0, io.EOF
	}
	return len(p), nil
}

// No test runs beside it: it looks at the memory of all.
func TestBodiesAreNotRead(t *testing.T) {
	core := &auth.Authenticator{
		Ring: keyring.New(keyring.HostPolicy{}), Synced: func() bool { return true }, Current: func() bool { return true },
		TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	b := serveBounded(t, forwardauth.New(func(string) authn.Authenticator { return core }, core.Ring.API, time.Now), nil)
	for name, length := range map[string]int64{"chunked": -1, "with its length": 100 << 20} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		body := &endless{n: 100 << 20}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.http+"/authorize/nginx/apis/shop", io.NopCloser(body))
		if err != nil {
			t.Fatal(err)
		}
		request.ContentLength = length // what comes may be a little less
		request.Header.Set("X-Original-Url", "http://api.shop.dev/")
		request.Header.Set("X-Original-Method", http.MethodPost)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
		answer := "closed"
		response, err := client.Do(request)
		if err == nil {
			answer = strconv.Itoa(response.StatusCode)
			_ = response.Body.Close()
		}
		client.CloseIdleConnections()
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 8<<20 {
			t.Errorf("%s: %d bytes were allocated for it", name, taken)
		}
		if answer != "403" && answer != "closed" || body.sent.Load() > 32<<20 {
			t.Errorf("%s: got %s (%v) after %d bytes, want 403, or the connection closed, well before its end", name, answer, err, body.sent.Load())
		}
	}
	if n := b.asked.Load(); n != 2 {
		t.Errorf("the handler was asked %d times, want twice", n)
	}
}

// trickle writes a byte at a time until the connection is closed.
func trickle(conn net.Conn, all string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range all {
		<-tick.C
		if _, err := conn.Write([]byte{all[i]}); err != nil {
			return
		}
	}
}

// Whoever keeps us waiting is cut off by us, by these times at the latest.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	b := serveBounded(t, okHandler, nil)
	// hello is how a handshake starts, of 512 bytes, of which most don't come.
	const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	head := "GET / HTTP/1.1\r\nHost: x\r\n"
	says := func(s string) func(*testing.T, net.Conn) net.Conn {
		return func(t *testing.T, conn net.Conn) net.Conn {
			t.Helper()
			if _, err := io.WriteString(conn, s); err != nil {
				t.Fatal(err)
			}
			return conn
		}
	}
	var all sync.WaitGroup
	for _, tc := range []struct {
		name, address string
		does          func(t *testing.T, conn net.Conn) net.Conn
		atMost        time.Duration
	}{
		{"HTTP: nothing comes", b.http, says(""), 5 * time.Second},
		{"HTTP: half of the headers", b.http, says(head), 5 * time.Second},
		{"HTTP: headers byte by byte", b.http, func(_ *testing.T, conn net.Conn) net.Conn {
			go trickle(conn, head+lines(1, 10_000))
			return conn
		}, 5 * time.Second},
		{"HTTP: the body never comes", b.http, says("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"), 10 * time.Second},
		{"HTTP: the body comes byte by byte", b.http, func(_ *testing.T, conn net.Conn) net.Conn {
			go trickle(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100_000))
			return conn
		}, 15 * time.Second},
		{"HTTP with TLS: nothing comes", b.httpTLS, says(""), 5 * time.Second},
		{"HTTP with TLS: half a handshake", b.httpTLS, says(hello), 5 * time.Second},
		{"HTTP with TLS: nothing after the handshake", b.httpTLS, b.overTLS, 10 * time.Second},
		{"HTTP with TLS: half a preface", b.httpTLS, func(t *testing.T, conn net.Conn) net.Conn {
			return says(http2.ClientPreface[:10])(t, b.overTLS(t, conn))
		}, 10 * time.Second},
		{"gRPC: nothing comes", b.grpc, says(""), 10 * time.Second},
		{"gRPC: half a preface", b.grpc, says(http2.ClientPreface[:10]), 10 * time.Second},
		{"gRPC: no settings", b.grpc, says(http2.ClientPreface), 10 * time.Second},
		{"gRPC with TLS: nothing comes", b.grpcTLS, says(""), 10 * time.Second},
		{"gRPC with TLS: half a handshake", b.grpcTLS, says(hello), 10 * time.Second},
		{"gRPC with TLS: nothing after the handshake", b.grpcTLS, b.overTLS, 10 * time.Second},
	} {
		start := time.Now()
		conn := tc.does(t, dial(t, tc.address))
		all.Go(func() {
			if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
				t.Errorf("%s: not cut off within a minute", tc.name)
			}
			const slack = 10 * time.Second // of a machine that does much else
			if took := time.Since(start); took > tc.atMost+slack {
				t.Errorf("%s: cut off after %v, want %v", tc.name, took, tc.atMost)
			}
		})
	}
	all.Wait()
}
