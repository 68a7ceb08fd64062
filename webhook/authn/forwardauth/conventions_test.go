package forwardauth_test

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// what the core is asked for a question, without the headers.
func understood(t *testing.T, q question) auth.Request {
	t.Helper()
	a := &authntest.Scripted{}
	ask(t, handler(a), q)
	asked := a.Asked()
	if len(asked) != 1 {
		t.Fatalf("the core was asked %d times", len(asked))
	}
	asked[0].Headers = nil
	return asked[0]
}

func TestWhatEachProxyWrites(t *testing.T) {
	for _, convention := range conventions {
		want := auth.Request{
			Caller: netip.MustParseAddr("127.0.0.1"),
			Method: "GET", Host: "api.billoget.com", Path: "/api/public/budgets?page=2", Source: "203.0.113.7",
			Time: authntest.Now,
		}
		if convention == "nginx" {
			want.ForwardedFor = []string{"203.0.113.7"} // as its recipe appends it
		}
		if got := understood(t, asks(convention, "")); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", convention, got, want)
		}
	}
}

// The client's own X-Forwarded-For stands before what the proxy appended, or in a
// header of its own before it.
func TestForwardedFor(t *testing.T) {
	for _, convention := range conventions {
		for _, row := range []struct {
			what      string
			values    []string
			source    string
			forwarded []string
		}{
			{"appended", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7", []string{"198.51.100.1"}},
			{"appended without a space", []string{"198.51.100.1,203.0.113.7"}, "203.0.113.7", []string{"198.51.100.1"}},
			{"in a header of its own", []string{"198.51.100.1, 192.0.2.1", "203.0.113.7"}, "203.0.113.7", []string{"198.51.100.1, 192.0.2.1"}},
			{"an empty hop", []string{"203.0.113.7,"}, "", []string{"203.0.113.7"}},
			{"nothing", []string{""}, "", nil},
			{"no header", nil, "", nil},
		} {
			q := asks(convention, "").without("X-Forwarded-For")
			for _, v := range row.values {
				q = q.with("X-Forwarded-For", v)
			}
			if convention == "nginx" { // which names its peer in X-Real-IP
				row.source, row.forwarded = "203.0.113.7", row.values
			}
			if got := understood(t, q); got.Source != row.source || !reflect.DeepEqual(got.ForwardedFor, row.forwarded) {
				t.Errorf("%s, %s: got %q and %q, want %q and %q", convention, row.what, got.Source, got.ForwardedFor, row.source, row.forwarded)
			}
		}
	}
}

// others are all headers that one proxy or another writes.
var others = map[string][]string{
	"X-Original-URL":           {"http://evil.example/admin", "/admin", "http://api.billoget.com/a//b"},
	"X-Original-Method":        {"DELETE"},
	"X-Original-URI":           {"/admin"},
	"X-Original-Host":          {"evil.example"},
	"X-Original-Forwarded-For": {"198.51.100.1"},
	"X-Rewrite-URL":            {"/admin"},
	"X-Forwarded-Uri":          {"/admin", "/a//b"},
	"X-Forwarded-Path":         {"/admin"},
	"X-Forwarded-Prefix":       {"/admin"},
	"X-Forwarded-Method":       {"DELETE"},
	"X-Forwarded-Host":         {"evil.example"},
	"X-Forwarded-Server":       {"evil.example"},
	"X-Forwarded-Port":         {"1"},
	"X-Forwarded-Proto":        {"https"},
	"X-Real-IP":                {"198.51.100.1"},
	"X-Client-IP":              {"198.51.100.1"},
	"True-Client-IP":           {"198.51.100.1"},
	"CF-Connecting-IP":         {"198.51.100.1"},
	"Forwarded":                {"for=198.51.100.1;host=evil.example;proto=https"},
	"X-Envoy-External-Address": {"198.51.100.1"},
	"X-Envoy-Original-Path":    {"/admin"},
	"X-Envoy-Original-Method":  {"DELETE"},
	"X-Envoy-Internal":         {"true"},
	"X-Http-Method-Override":   {"DELETE"},
	"X-Auth-Request-Redirect":  {"/admin"},
	"X-Apikey-Api":             {"apis/other"},
	"X-Apikey-Scopes":          {"*"},
	"X-Apikey-Name":            {"admin"},
	"X-Apikey-Status":          {"200"},
	forwardauth.DenialHeader:   {"reason=unknown_key"},
}

// own are the headers that each convention's proxy overwrites.
var own = map[string][]string{
	"nginx":   {"X-Original-URL", "X-Original-Method", "X-Real-IP"},
	"traefik": {"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host"},
	"caddy":   {"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host"},
	"haproxy": {"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host"},
	"envoy":   nil,
}

// A client may send whatever other proxies write: nothing changes, neither what
// is judged nor the verdict.
func TestHeadersOfOtherProxiesAreIgnored(t *testing.T) {
	h := handler(core())
	for _, convention := range conventions {
		q := asks(convention, "")
		before := understood(t, q)
		everything := q
		for name, values := range others {
			if isOwn(convention, name) {
				continue
			}
			for _, value := range values {
				one := q.with(name, value)
				everything = everything.with(name, value)
				if got := understood(t, one); !reflect.DeepEqual(got, before) {
					t.Errorf("%s: %s: %s changes what is asked to %+v", convention, name, value, got)
				}
				if a := ask(t, h, one); a.status != 200 {
					t.Errorf("%s: %s: %s changes the verdict to %d %s", convention, name, value, a.status, a.body)
				}
			}
		}
		if got := understood(t, everything); !reflect.DeepEqual(got, before) {
			t.Errorf("%s: all of them change what is asked to %+v", convention, got)
		}
		// Nor do they open what is closed: the same from an address that the key may
		// not be used from.
		elsewhere := everything.without("X-Forwarded-For").with("X-Forwarded-For", "203.0.113.7, 192.0.2.66")
		if convention == "nginx" {
			elsewhere = elsewhere.without("X-Real-IP").with("X-Real-IP", "192.0.2.66")
		}
		for _, name := range []string{"X-Real-IP", "X-Client-IP", "X-Envoy-External-Address", "True-Client-IP"} {
			if !isOwn(convention, name) {
				elsewhere = elsewhere.without(name).with(name, "203.0.113.7")
			}
		}
		if a := shown(t, h, convention, ask(t, h, elsewhere)); a.status != 403 || a.body != `{"error":"ip_not_allowed","message":"API key may not be used from this IP address"}` {
			t.Errorf("%s: from another address: got %d %s", convention, a.status, a.body)
		}
	}
}

func isOwn(convention, name string) bool {
	if name == "X-Forwarded-Proto" {
		return convention != "nginx" // without it, a request is taken for one over plain HTTP
	}
	return slices.Contains(own[convention], name)
}

// A header that the proxy must write is there once, or the proxy isn't set up.
func TestRequiredHeaders(t *testing.T) {
	for _, convention := range conventions {
		for _, name := range own[convention] {
			q := asks(convention, "")
			for what, q := range map[string]question{
				"missing":               q.without(name),
				"repeated":              q.with(name, q.header.Get(name)),
				"the client's is first": q.without(name).with(name, "/admin").with(name, q.header.Get(name)),
			} {
				checkUnavailable(t, convention, name+" "+what, q)
			}
		}
	}
	for _, url := range []string{"", "/api/public/budgets", "api.billoget.com/x", "http://api.billoget.com", "http://", "http:/x", "http:"} {
		checkUnavailable(t, "nginx", "X-Original-URL: "+url, asks("nginx", "").without("X-Original-URL").with("X-Original-URL", url))
	}
}

// checkUnavailable checks that a client sees 503, the proxy no 2xx, and that the
// core knew that the question was wrong.
func checkUnavailable(t *testing.T, convention, what string, q question) {
	t.Helper()
	if got := understood(t, q); got.Target.Err == nil {
		t.Errorf("%s, %s: the core was told nothing of it: %+v", convention, what, got)
	}
	h := handler(core())
	a := ask(t, h, q)
	if a.allows() {
		t.Errorf("%s, %s: allowed", convention, what)
	}
	if !relays(convention) && a.status != 403 {
		t.Errorf("%s, %s: the proxy gets %d, want 403", convention, what, a.status)
	}
	const body = `{"error":"unavailable","message":"The gateway's configuration for authentication is not valid"}`
	if s := shown(t, h, convention, a); s.status != 503 || s.body != body {
		t.Errorf("%s, %s: the client sees %d %s, want 503 %s", convention, what, s.status, s.body, body)
	}
}

// relays says whether a proxy passes every status on as it is.
func relays(convention string) bool {
	return convention != "nginx" && convention != "envoy"
}

// What the proxy says of the host and the path is judged, nothing else.
func TestHostAndPathAreJudged(t *testing.T) {
	for _, row := range []struct {
		what, url string
		status    int
	}{
		{"as the key's API has it", "http://api.billoget.com/x", 200},
		{"https", "https://api.billoget.com/x", 200},
		{"with a port", "http://API.Billoget.com:8443/x", 200},
		{"another host", "http://other.example/x", 503},
		{"a host below", "http://v1.api.billoget.com/x", 503},
		{"credentials in the host", "http://api.billoget.com@other.example/x", 400},
		{"a query in the host", "http://other.example?x=/api.billoget.com/x", 400},
		{"a fragment in the host", "http://other.example#/api.billoget.com/x", 400},
		{"a backslash in the host", `http://other.example\/x`, 400},
		{"no host", "http:///x", 400},
		{"an empty segment", "http://api.billoget.com//x", 400},
		{"a dot segment", "http://api.billoget.com/a/../x", 400},
		{"an encoded slash", "http://api.billoget.com/a%2fx", 400},
		{"a fragment", "http://api.billoget.com/x#y", 400},
		{"another scheme within", "http://api.billoget.com/http://other.example/x", 400},
	} {
		h := handler(core())
		q := asks("nginx", "").without("X-Original-URL").with("X-Original-URL", row.url)
		a := ask(t, h, q)
		if !a.allows() {
			a = shown(t, h, "nginx", a)
		}
		if a.status != row.status {
			t.Errorf("%s: got %d %s, want %d", row.what, a.status, a.body, row.status)
		}
	}
}

// Credentials and bound headers are read under any spelling, in their order.
func TestHeadersOfTheRequest(t *testing.T) {
	var h auth.Headers
	a := &authntest.Scripted{Answer: func(r *auth.Request) auth.Verdict {
		h = r.Headers
		return authntest.Verdict(auth.Allowed)
	}}
	for _, convention := range conventions {
		ask(t, handler(a), asks(convention, "").with("x-api-key", "one").with("X-API-Key", "two").with("Email", ""))
		for i, want := range []string{"one", "two"} {
			if got, ok := h.Value("x-api-key", i); got != want || !ok {
				t.Errorf("%s: x-api-key %d: got %q, %v, want %q", convention, i, got, ok, want)
			}
		}
		_, third := h.Value("x-api-key", 2)
		_, empty := h.Value("email", 0)
		_, none := h.Value("cookie", 0)
		if third || !empty || none {
			t.Errorf("%s: got %v, %v, %v, want no third key, an empty email, no cookie", convention, third, empty, none)
		}
	}
}

// Trust is in the address that connected, and in nothing that is written.
func TestCallers(t *testing.T) {
	h := handler(core())
	for _, convention := range conventions {
		for caller, want := range map[string]int{
			"127.0.0.1:41244":          200,
			"127.8.9.10:1":             200,
			"[::ffff:127.0.0.1]:41244": 200,
			"192.0.2.9:41244":          403,
			"[2001:db8::1]:1":          403,
			"[::1]:1":                  403, // not in this core's list
			"@":                        403,
			"":                         403,
		} {
			q := asks(convention, "").with("X-Forwarded-For", "203.0.113.7").with("X-Apikey-Caller", "127.0.0.1")
			q.caller = caller
			a := ask(t, h, q)
			if !a.allows() {
				a = shown(t, h, convention, a)
			}
			if a.status != want || want != 200 && a.body != `{"error":"caller_not_trusted","message":"The gateway is not a trusted caller"}` {
				t.Errorf("%s from %q: got %d %s, want %d", convention, caller, a.status, a.body, want)
			}
		}
	}
}

// named notes its door in place of the method.
type named struct {
	door string
	next *authntest.Scripted
}

func (n named) Authenticate(r *auth.Request) auth.Verdict {
	r.Method = n.door
	return n.next.Authenticate(r)
}

// Decisions are counted by convention: each asks an Authenticator of its own.
func TestEachDoorHasItsAuthenticator(t *testing.T) {
	core := &authntest.Scripted{}
	h := forwardauth.New(
		func(door string) authn.Authenticator { return named{door, core} },
		noAPIs,
		func() time.Time { return authntest.Now },
	)
	for _, convention := range conventions {
		ask(t, h, asks(convention, ""))
		if asked := core.Asked(); len(asked) != 1 || asked[0].Method != convention {
			t.Errorf("%s: asked %+v", convention, asked)
		}
	}
}
