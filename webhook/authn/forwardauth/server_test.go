package forwardauth_test

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// logs is what a server writes.
type logs struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// serve runs a real HTTP server and returns its address and its log.
func serve(t *testing.T, h http.Handler) (string, *logs) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &logs{}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(out, "", 0),
		// Else net/http says 200 to "OPTIONS *" without asking anybody.
		DisableGeneralOptionsHandler: true,
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), out
}

// send writes bytes to a server and returns what it answers.
func send(t *testing.T, address, request string) (int, string) {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// Bytes on a connection, as no HTTP client would send them: the one that is
// right is allowed, the others are not, although the key is.
func TestBytesOnAConnection(t *testing.T) {
	address, out := serve(t, handler(core()))
	const nginx = "X-Original-URL: http://api.billoget.com/x\r\nX-Original-Method: GET\r\nX-Real-IP: 203.0.113.7\r\nAuthorization: Bearer " + rawKey + "\r\n"
	const host = "Host: api.billoget.com\r\n"
	const end = "Connection: close\r\n\r\n"
	for _, row := range []struct {
		what, request string
		status        int
	}{
		{"what nginx sends", "GET /authorize/nginx/apis/billoget?scopes=READ_BUDGETS HTTP/1.1\r\n" + host + nginx + end, 200},
		{"over HTTP/1.0", "GET /authorize/nginx HTTP/1.0\r\n" + nginx + "\r\n", 200},
		{"what Envoy sends", "GET /authorize/envoy/apis/billoget/x HTTP/1.1\r\n" + host + "Authorization: Bearer " + rawKey + "\r\nX-Forwarded-For: 203.0.113.7\r\n" + end, 200},
		{"a missing scope", "GET /authorize/nginx/apis/billoget?scopes=WRITE_BUDGETS HTTP/1.1\r\n" + host + nginx + end, 403},
		{"two slashes", "GET /authorize/nginx//x HTTP/1.1\r\n" + host + nginx + end, 403},
		{"two slashes at the start", "GET //authorize/nginx HTTP/1.1\r\n" + host + nginx + end, 404},
		{"dot segments", "GET /authorize/../authorize/nginx HTTP/1.1\r\n" + host + nginx + end, 404},
		{"a dot segment at the end", "GET /authorize/nginx/. HTTP/1.1\r\n" + host + nginx + end, 403},
		{"encoded", "GET /authorize/%6eginx HTTP/1.1\r\n" + host + nginx + end, 404},
		{"an encoded slash", "GET /authorize%2Fnginx HTTP/1.1\r\n" + host + nginx + end, 404},
		{"absolute form", "GET http://api.billoget.com/authorize/nginx HTTP/1.1\r\n" + host + nginx + end, 404},
		{"absolute form of another host", "GET http://other.example/authorize/nginx HTTP/1.1\r\n" + host + nginx + end, 404},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\n" + host + nginx + end, 404},
		{"authority form", "CONNECT api.billoget.com:443 HTTP/1.1\r\n" + host + nginx + end, 404},
		{"CONNECT with a path", "CONNECT /authorize/nginx//x HTTP/1.1\r\n" + host + nginx + end, 403},
		{"a fragment", "GET /authorize/nginx#x HTTP/1.1\r\n" + host + nginx + end, 404},
		{"a header that must be there once, twice", "GET /authorize/nginx HTTP/1.1\r\n" + host + "X-Real-IP: 203.0.113.9\r\n" + nginx + end, 403},
		{"the same in other letters", "GET /authorize/nginx HTTP/1.1\r\n" + host + "x-real-ip: 203.0.113.9\r\n" + nginx + end, 403},
		{"a folded header", "GET /authorize/nginx HTTP/1.1\r\n" + host + nginx + "X-Folded: a\r\n b\r\n" + end, 200},
		{"a space before the colon", "GET /authorize/nginx HTTP/1.1\r\n" + host + "X-Real-IP : 203.0.113.9\r\n" + nginx + end, 400},
		{"two hosts", "GET /authorize/envoy/-/-/x HTTP/1.1\r\n" + host + "Host: other.example\r\nAuthorization: Bearer " + rawKey + "\r\n" + end, 400},
		{"no host", "GET /authorize/envoy/-/-/x HTTP/1.1\r\nAuthorization: Bearer " + rawKey + "\r\n" + end, 400},
		{"a client's path with two slashes", "GET /authorize/envoy/apis/billoget//x HTTP/1.1\r\n" + host + "Authorization: Bearer " + rawKey + "\r\nX-Forwarded-For: 203.0.113.7\r\n" + end, 400},
		{"a client's path that goes up", "GET /authorize/envoy/apis/billoget/../../nginx HTTP/1.1\r\n" + host + nginx + "X-Forwarded-For: 203.0.113.7\r\n" + end, 400},
		{"a client's path with a bad escape", "GET /authorize/envoy/apis/billoget/%zz HTTP/1.1\r\n" + host + "Authorization: Bearer " + rawKey + "\r\nX-Forwarded-For: 203.0.113.7\r\n" + end, 400},
		{"a client's path with a space", "GET /authorize/envoy/apis/billoget/a b HTTP/1.1\r\n" + host + nginx + end, 400},
		{"a denial", "GET /denial HTTP/1.1\r\n" + host + "X-Apikey-Denial: reason=rate_limited&requests=3&retry=9&window=60\r\n" + end, 429},
		{"a denial that isn't one", "GET /denial HTTP/1.1\r\n" + host + "X-Apikey-Denial: reason=allowed\r\n" + end, 503},
		{"no denial", "GET /denial HTTP/1.1\r\n" + host + end, 503},
		{"a denial, twice", "GET /denial HTTP/1.1\r\n" + host + strings.Repeat("X-Apikey-Denial: reason=unknown_key\r\n", 2) + end, 503},
	} {
		status, body := send(t, address, row.request)
		if status != row.status {
			t.Errorf("%s: got %d %s, want %d", row.what, status, body, row.status)
		}
		if strings.Contains(body, rawKey) {
			t.Errorf("%s: the answer holds the key: %s", row.what, body)
		}
	}
	if strings.Contains(out.String(), rawKey) {
		t.Errorf("the server's log holds the key: %s", out)
	}
}

// A connection is reused: no answer has anything of the one before.
func TestAnswersAreIndependent(t *testing.T) {
	address, _ := serve(t, handler(core()))
	client := &http.Client{Timeout: 10 * time.Second}
	for i := range 6 {
		key, want := rawKey, 200
		if i%2 == 1 {
			key, want = "bk_live_ffffffffffffffffffffffffffffffff", 401
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/authorize/nginx/apis/billoget", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = asks("nginx", "").header
		request.Header.Set("Authorization", "Bearer "+key)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		if named, denied := response.Header.Get("X-Apikey-Name") != "", response.Header.Get(forwardauth.DenialHeader) != ""; response.StatusCode != want || named != (want == 200) || denied != (want == 401) {
			t.Errorf("request %d: got %d %v, want %d", i, response.StatusCode, response.Header, want)
		}
	}
}

// A handler that panics ends the request and tells nobody what it held.
func TestPanicsAreNotLogged(t *testing.T) {
	address, out := serve(t, handler(panicking{}))
	status, body := send(t, address, "GET /authorize/traefik HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Uri: /\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Host: a.example\r\nConnection: close\r\n\r\n")
	if status != 503 || strings.Contains(body, rawKey) || out.Len() != 0 {
		t.Errorf("got %d %s, log %s", status, body, out)
	}
}
