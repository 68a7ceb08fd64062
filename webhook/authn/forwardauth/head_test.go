package forwardauth_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// verdicts are of all shapes that an answer has.
func verdicts(t testing.TB) map[string]auth.Verdict {
	t.Helper()
	all := map[string]auth.Verdict{
		"allowed":                 authntest.Verdict(auth.Allowed),
		"on a public route":       authntest.Public(),
		"with an API's denial":    authntest.Own(t, auth.UnknownKey, 200),
		"without its key":         {Reason: auth.Allowed, Limited: true},
		"of a key without values": {Reason: auth.Allowed, Key: &keyring.Key{Name: keyring.Name{Namespace: "shop", Name: "first"}, Terms: &keyring.Terms{}, Holder: &keyring.Holder{}}},
	}
	change := func(what string, change func(v *auth.Verdict)) {
		v := authntest.Verdict(auth.Allowed)
		change(&v)
		all[what] = v
	}
	change("without a limit", func(v *auth.Verdict) { v.Limited = false })
	change("with headers hidden", func(v *auth.Verdict) { v.API.HideHeaders = map[string]bool{"x-apikey-scopes": true} })
	change("by a header", func(v *auth.Verdict) {
		v.Credential = keyring.Credential{Place: keyring.Header, Name: "x-api-key"}
	})
	change("by a header that no API can have", func(v *auth.Verdict) {
		v.Credential = keyring.Credential{Place: keyring.Header, Name: "x\r\nX-Apikey-Name: admin\r\n\r\nHTTP/1.1 200 OK"}
	})
	change("with special characters", func(v *auth.Verdict) { v.Key.OwnerName, v.Key.Project = " Jürg\r\nX: y \t", "%\x00" })
	change("with spaces around", func(v *auth.Verdict) { v.Key.OwnerName, v.Key.Project = "  Jurg  ", " " })
	change("with many scopes", func(v *auth.Verdict) {
		for n := range 500 {
			v.Key.Scopes = append(v.Key.Scopes, fmt.Sprintf("resource-%d:read", n))
		}
	})
	for _, reason := range authntest.Reasons(t) {
		all[string(reason)] = authntest.Verdict(reason)
	}
	return all
}

// wire is the request of a question.
func (q question) wire(version string, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\nHost: %s\r\n", q.method, q.target, version, q.host)
	for name, values := range q.header {
		for _, v := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	return b.String() + strings.Join(more, "")
}

// serveOn runs a server, with answers prepared or not.
func serveOn(t testing.TB, h http.Handler, prepared bool) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	if prepared {
		l = forwardauth.Prepare(server, l)
	}
	go func() { _ = server.Serve(l) }() // one that ends early fails the requests
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// exchange sends requests on one connection, each once the one before is answered, and
// returns all that the server writes until it closes.
func exchange(t *testing.T, address string, requests ...string) string {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	in := bufio.NewReader(io.TeeReader(connection, &all))
	for i, r := range requests {
		if _, err := io.WriteString(connection, r); err != nil {
			t.Fatal(err)
		}
		if i == len(requests)-1 {
			break
		}
		method, _, _ := strings.Cut(r, " ")
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return all.String()
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil || response.Close {
			return all.String()
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// sorted are the lines of answers, in order within each header, without the time.
func sorted(answers string) []string {
	var all []string
	for _, part := range strings.Split(answers, "\r\n\r\n") {
		first, rest, _ := strings.Cut(part, "\r\n")
		lines := strings.Split(rest, "\r\n")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Date: ") })
		slices.Sort(lines)
		all = append(append(all, first), lines...)
	}
	return all
}

// Prepared answers are what net/http writes, whatever they say and whichever way they
// are asked for.
func TestPreparedAnswersAreTheSame(t *testing.T) {
	for what, v := range verdicts(t) {
		// The second request of a connection is allowed, so that nothing of one answer
		// may come with another unseen.
		other := authntest.Verdict(auth.Allowed)
		other.Key.Name.Name = "other"
		a := &authntest.Scripted{Answer: func(r *auth.Request) auth.Verdict {
			if r.Path == "/other" {
				return other
			}
			return v
		}}
		plain, prepared := serveOn(t, handler(a), false), serveOn(t, handler(a), true)
		for _, convention := range conventions {
			q := asks(convention, "/apis/billoget")
			second := q
			for name, values := range map[string][]string{"X-Original-Url": {"http://api.billoget.com/other"}, "X-Forwarded-Uri": {"/other"}} {
				if q.header[name] != nil {
					second = second.without(name).with(name, values[0])
				}
			}
			if convention == "envoy" {
				second.target = "/authorize/envoy/apis/billoget/other"
			}
			head, post := q, q
			head.method, post.method = "HEAD", "POST"
			last := second.wire("HTTP/1.1", "Connection: close\r\n\r\n")
			for _, requests := range [][]string{
				{q.wire("HTTP/1.1", "\r\n"), last},
				{second.wire("HTTP/1.1", "\r\n"), q.wire("HTTP/1.1", "\r\n"), last},
				{head.wire("HTTP/1.1", "\r\n"), last},
				{post.wire("HTTP/1.1", "Content-Length: 4\r\n\r\nbody"), last},
				{post.wire("HTTP/1.1", "Content-Length: 4\r\nExpect: 100-continue\r\n\r\nbody")},
				{q.wire("HTTP/1.0", "\r\n")},
				{q.wire("HTTP/1.0", "Connection: keep-alive\r\n\r\n"), last},
				{q.wire("HTTP/1.1", "\r\n"), "GET /denial HTTP/1.1\r\nHost: x\r\n\r\n", q.wire("HTTP/1.1", "\r\n"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", last},
				{q.wire("HTTP/1.1", "\r\n"), "garbage\r\n\r\n"},
			} {
				want, got := sorted(exchange(t, plain, requests...)), sorted(exchange(t, prepared, requests...))
				if !slices.Equal(got, want) {
					t.Fatalf("%s, %s, %d requests, the first %.60q:\ngot  %q\nwant %q", what, convention, len(requests), requests[0], got, want)
				}
			}
		}
	}
}

// status writes another status than the handler does.
type status struct {
	http.ResponseWriter
	instead int
}

func (s status) WriteHeader(int) { s.ResponseWriter.WriteHeader(s.instead) }

// What isn't the answer that was prepared isn't written: neither an identity with
// another answer, nor one that allows without its fields.
func TestPreparedAnswersOfOthersArentWritten(t *testing.T) {
	h := handler(authntest.Always(authntest.Verdict(auth.Allowed)))
	for what, wrapped := range map[string]http.Handler{
		"another status": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(status{w, 202}, r) }),
		"a denial":       http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(status{w, 403}, r) }),
		"another answer": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(httptest.NewRecorder(), r)
			http.NotFound(w, r)
		}),
	} {
		q := asks("traefik", "").wire("HTTP/1.1", "\r\n")
		if got := exchange(t, serveOn(t, wrapped, true), q, q); got != "" {
			t.Errorf("%s: got %q, want a closed connection", what, got)
		}
	}
}

// Over TLS, where a connection's bytes aren't an answer, net/http writes all of it.
func TestPrepareLeavesTLSAlone(t *testing.T) {
	h := handler(authntest.Always(authntest.Verdict(auth.Allowed)))
	for what, prepareFirst := range map[string]bool{"under TLS": true, "over TLS": false} {
		server := httptest.NewUnstartedServer(h)
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		server.StartTLS()
		config := server.TLS.Clone()
		client := server.Client()
		server.Close()

		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		if prepareFirst {
			l = tls.NewListener(forwardauth.Prepare(s, l), config)
		} else {
			l = forwardauth.Prepare(s, tls.NewListener(l, config))
		}
		go func() { _ = s.Serve(l) }() // one that ends early fails the requests
		t.Cleanup(func() { _ = s.Close() })
		in, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/authorize/traefik", nil)
		if err != nil {
			t.Fatal(err)
		}
		in.Header = asks("traefik", "").header
		for range 2 {
			out, err := client.Do(in)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			_ = out.Body.Close()
			if out.StatusCode != http.StatusOK || out.Header.Get("X-Apikey-Name") != "shopify" {
				t.Errorf("%s: got %d %v", what, out.StatusCode, out.Header)
			}
		}
	}
}

// fixed is an Authenticator with one answer that costs nothing.
type fixed struct{ v auth.Verdict }

func (f *fixed) Authenticate(*auth.Request) auth.Verdict { return f.v }

// What the door itself allocates: for an answer that allows an array of values, the text
// of the rate limit and that of the scopes; for a denial values and a name.
func TestAllocations(t *testing.T) {
	for _, row := range []struct {
		what, convention, api string
		verdict               auth.Verdict
		most                  float64
	}{
		{"allowed", "nginx", "/apis/billoget", authntest.Verdict(auth.Allowed), 3},
		{"allowed", "traefik", "/apis/billoget", authntest.Verdict(auth.Allowed), 3},
		{"allowed", "envoy", "/apis/billoget", authntest.Verdict(auth.Allowed), 3},
		{"allowed, with scopes that the gateway demands", "nginx", "/-/default?scopes=a,b", authntest.Verdict(auth.Allowed), 4},
		{"unknown", "nginx", "/apis/billoget", auth.Verdict{Reason: auth.UnknownKey, API: authntest.Bearer()}, 3},
		{"unknown", "traefik", "/apis/billoget", auth.Verdict{Reason: auth.UnknownKey, API: authntest.Bearer()}, 2},
	} {
		h := handlerWith(&fixed{row.verdict}, noAPIs)
		in, out := from(row.convention, row.api, rawKey), &response{header: http.Header{}}
		if got := testing.AllocsPerRun(200, func() { out.serve(h, in) }); got > row.most || out.status == 0 {
			t.Errorf("%s, %s: %v allocations, want at most %v; status %d", row.what, row.convention, got, row.most, out.status)
		}
	}
}

// A request that was answered leaves nothing in the one that is used again.
func TestRequestsAreCleared(t *testing.T) {
	var asked []*auth.Request
	a := &authntest.Scripted{Answer: func(r *auth.Request) auth.Verdict {
		asked = append(asked, r)
		return authntest.Verdict(auth.Allowed)
	}}
	ask(t, handlerWith(a, noAPIs), asks("nginx", ""))
	if r := asked[0]; r.Headers != nil || r.Path != "" || r.Host != "" || r.Source != "" || r.ForwardedFor != nil {
		t.Errorf("left: %+v", r)
	}
}
