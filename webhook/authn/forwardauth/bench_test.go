package forwardauth_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/internal/route"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// busy knows keys with 10 blocks, 20 scopes and a limit each, of an API of Bearer
// tokens with 100 routes; the last block and the last scope are those that match.
func busy(t testing.TB, keys []string) *auth.Authenticator {
	t.Helper()
	ring := keyring.New(keyring.HostPolicy{})
	ring.SetAPI(busyAPI(t))
	for i, raw := range keys {
		k := &keyring.Key{
			Name: keyring.Name{Namespace: "shop", Name: fmt.Sprint("key-", i)}, UID: fmt.Sprint(i),
			Versions: []keyring.Version{{Digest: key.NewRaw(raw).Digest(), Hint: raw[:12]}},
			Terms:    &keyring.Terms{API: billoget, Limit: ratelimit.Limit{Requests: 1_000_000_000, Period: time.Hour}, Environment: "live"},
			Holder:   &keyring.Holder{Project: "proj_abc123", OwnerName: "Shop team", OwnerEmail: "ops@shop.example"},
		}
		for n := range 9 {
			k.AllowedIPs = append(k.AllowedIPs, netip.MustParsePrefix(fmt.Sprintf("198.51.%d.0/24", n)))
		}
		k.AllowedIPs = append(k.AllowedIPs, netip.MustParsePrefix("203.0.113.0/24"))
		for n := range 19 {
			k.Scopes = append(k.Scopes, fmt.Sprintf("resource-%d:read", n))
		}
		k.Scopes = append(k.Scopes, "READ_BUDGETS")
		ring.SetKey(k)
	}
	return &auth.Authenticator{
		Ring: ring, Synced: func() bool { return true }, Current: func() bool { return true },
		TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	}
}

func busyAPI(t testing.TB) *keyring.API {
	t.Helper()
	api := &keyring.API{
		Name: billoget, AllNamespaces: true, DenyEmptyScopes: true, DenyUnmatched: true,
		Credentials: []keyring.Credential{{Place: keyring.Bearer}}, Formats: []key.Format{checkrequest.Format},
		KnownScopes: map[string]bool{"READ_BUDGETS": true},
	}
	var routes []route.Route
	add := func(text, scope string) {
		pattern, err := route.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, route.Route{Methods: []string{"GET"}, Pattern: pattern, Scope: scope})
		api.KnownScopes[scope] = true
	}
	for n := range 99 {
		add(fmt.Sprintf("/resource-%d/{id}", n), fmt.Sprintf("resource-%d:read", n))
	}
	add("/budgets/{year}", "READ_BUDGETS")
	table, err := route.Compile([]string{"/api/public"}, routes)
	if err != nil {
		t.Fatal(err)
	}
	api.Routes = table
	return api
}

// from is a question that 203.0.113.7 asks with a key, with the headers that clients
// and proxies send beside.
func from(convention, api, raw string) *http.Request {
	q := asks(convention, api).without("Authorization").with("Authorization", "Bearer "+raw)
	for name, value := range map[string]string{
		"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Accept":     "application/json", "Accept-Encoding": "gzip, deflate, br", "Accept-Language": "en-GB,en;q=0.9", "Cache-Control": "no-cache",
		"Email": "ops@shop.example", "Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "X-Forwarded-Proto": "https",
	} {
		q = q.with(name, value)
	}
	if convention == "envoy" {
		q.target = "/authorize/envoy" + api + "/api/public/budgets/2026?page=2"
	} else {
		for _, name := range []string{"X-Original-Url", "X-Forwarded-Uri"} {
			if v := q.header.Get(name); v != "" {
				q.header.Set(name, v[:len(v)-len("?page=2")]+"/2026?page=2")
			}
		}
	}
	return &http.Request{
		Method: q.method, RequestURI: q.target, Host: q.host, Header: q.header, RemoteAddr: q.caller,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
}

// response is as little of an http.ResponseWriter as there can be.
type response struct {
	header http.Header
	status int
	length int
}

func (r *response) Header() http.Header { return r.header }
func (r *response) WriteHeader(s int)   { r.status = s }
func (r *response) Write(b []byte) (int, error) {
	r.length += len(b)
	return len(b), nil
}

// serve answers a request without a connection.
func (r *response) serve(h http.Handler, in *http.Request) int {
	clear(r.header)
	r.status, r.length = 0, 0
	h.ServeHTTP(r, in)
	return r.status
}

func keysOf(t testing.TB, n int) []string {
	t.Helper()
	keys, err := checkrequest.Keys(n)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// What the door and the decision take, without net/http.
func BenchmarkServeHTTP(b *testing.B) {
	keys := keysOf(b, 10_001)
	a := busy(b, keys[:10_000])
	h := forwardauth.New(func(string) authn.Authenticator { return a }, a.Ring.API, time.Now)
	for _, row := range []struct {
		name, convention, api, key string
		want                       int
	}{
		{"nginx", "nginx", "/apis/billoget", keys[9_000], 200},
		{"nginx with scopes", "nginx", "/apis/billoget?scopes=READ_BUDGETS", keys[9_000], 200},
		{"traefik", "traefik", "/apis/billoget", keys[9_000], 200},
		{"envoy", "envoy", "/apis/billoget", keys[9_000], 200},
		{"nginx, unknown", "nginx", "/apis/billoget", keys[10_000], 401},
		{"traefik, unknown", "traefik", "/apis/billoget", keys[10_000], 401},
	} {
		b.Run(row.name, func(b *testing.B) {
			in, out := from(row.convention, row.api, row.key), &response{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				if got := out.serve(h, in); got != row.want {
					b.Fatalf("got %d, want %d", got, row.want)
				}
			}
		})
	}
	b.Run("decision alone", func(b *testing.B) {
		r := &auth.Request{}
		h := forwardauth.New(func(string) authn.Authenticator { return noting{r} }, a.Ring.API, time.Now)
		(&response{header: http.Header{}}).serve(h, from("traefik", "/apis/billoget", keys[9_000]))
		b.ReportAllocs()
		for b.Loop() {
			if v := a.Authenticate(r); !v.OK() {
				b.Fatal(v.Reason)
			}
		}
	})
}

// nothing is a handler that does nothing.
func nothing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// What net/http and the door take together, and net/http alone, without a network.
func BenchmarkServer(b *testing.B) {
	keys := keysOf(b, 10_000)
	a := busy(b, keys)
	h := forwardauth.New(func(string) authn.Authenticator { return a }, a.Ring.API, time.Now)
	for _, row := range []struct {
		name string
		h    http.Handler
	}{{"nothing", http.HandlerFunc(nothing)}, {"door", h}} {
		b.Run(row.name, func(b *testing.B) {
			sent := calls(b, keys[9_000:9_001])[0].Bytes
			b.ReportAllocs()
			c := &endless{request: sent, left: b.N, done: make(chan struct{})}
			_ = (&http.Server{Handler: row.h}).Serve(&once{c: c}) // io.EOF
			<-c.done
			if c.answers != b.N {
				b.Errorf("%d answers of 200 to %d requests", c.answers, b.N)
			}
		})
	}
}

// once is a listener with one connection.
type once struct{ c net.Conn }

func (o *once) Accept() (net.Conn, error) {
	if o.c == nil {
		return nil, io.EOF
	}
	c := o.c
	o.c = nil
	return c, nil
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

// endless is a connection of a client that has already sent all its requests.
type endless struct {
	net.Conn // nil: no other method is called

	request []byte
	at      int
	left    int
	answers int
	done    chan struct{}
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(b, e.request[e.at:])
	if e.at += n; e.at == len(e.request) {
		e.at = 0
		e.left--
	}
	return n, nil
}

func (e *endless) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("HTTP/1.1 200 OK\r\n")) {
		e.answers++
	}
	return len(b), nil
}

func (e *endless) Close() error                     { close(e.done); return nil }
func (e *endless) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9002} }
func (e *endless) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 41244} }
func (e *endless) SetDeadline(time.Time) error      { return nil }
func (e *endless) SetReadDeadline(time.Time) error  { return nil }
func (e *endless) SetWriteDeadline(time.Time) error { return nil }

// calls asks as Traefik does, with each key.
func calls(t testing.TB, keys []string) []checkrequest.Call {
	t.Helper()
	all := make([]checkrequest.Call, len(keys))
	for i, k := range keys {
		sent, err := checkrequest.Request{Key: k, API: billoget.String()}.HTTP()
		if err != nil {
			t.Fatal(err)
		}
		all[i] = checkrequest.Call{Bytes: sent, Want: checkrequest.Answer{Status: http.StatusOK}}
	}
	return all
}

// noting notes what it is asked.
type noting struct{ r *auth.Request }

func (n noting) Authenticate(r *auth.Request) auth.Verdict {
	*n.r = *r
	return auth.Verdict{Reason: auth.Allowed}
}
