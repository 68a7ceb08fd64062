package forwardauth_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// conventions are all that there are.
var conventions = []string{"caddy", "envoy", "haproxy", "nginx", "traefik"}

const rawKey = "bk_live_1234567890abcdef1234567890abcdef"

// handler asks one Authenticator from all doors, at authntest.Now.
func handler(a authn.Authenticator) *forwardauth.Handler {
	return handlerWith(a, noAPIs)
}

func handlerWith(a authn.Authenticator, apis func(keyring.Name) (*keyring.API, bool)) *forwardauth.Handler {
	return forwardauth.New(func(string) authn.Authenticator { return a }, apis, func() time.Time { return authntest.Now })
}

// question is what a proxy asks: a request to the auth server.
type question struct {
	method, target, host string
	header               http.Header
	caller               string
}

// asks is the question of a convention's proxy on this machine, about
// GET http://api.billoget.com/api/public/budgets?page=2 from 203.0.113.7.
func asks(convention, api string) question {
	q := question{
		method: http.MethodGet, target: "/authorize/" + convention + api, host: "127.0.0.1:9002",
		header: http.Header{"Authorization": {"Bearer " + rawKey}}, caller: "127.0.0.1:41244",
	}
	set := func(fields ...string) {
		for i := 0; i < len(fields); i += 2 {
			q.header.Set(fields[i], fields[i+1])
		}
	}
	switch convention {
	case "nginx":
		set("X-Original-URL", "http://api.billoget.com/api/public/budgets?page=2", "X-Original-Method", "GET", "X-Real-IP", "203.0.113.7", "X-Forwarded-For", "203.0.113.7")
	case "envoy":
		if api == "" {
			q.target += "/-/-"
		}
		q.target += "/api/public/budgets?page=2"
		q.host = "api.billoget.com"
		set("X-Forwarded-For", "203.0.113.7")
	default:
		set("X-Forwarded-Uri", "/api/public/budgets?page=2", "X-Forwarded-Method", "GET", "X-Forwarded-Host", "api.billoget.com", "X-Forwarded-For", "203.0.113.7")
	}
	return q
}

// with returns the question with one header set, after those that are there.
func (q question) with(name, value string) question {
	q.header = q.header.Clone()
	q.header.Add(name, value)
	return q
}

// without returns the question without a header.
func (q question) without(name string) question {
	q.header = q.header.Clone()
	q.header.Del(name)
	return q
}

// answer is what a proxy gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a question.
func ask(t testing.TB, h http.Handler, q question) answer {
	t.Helper()
	in := &http.Request{
		Method: q.method, RequestURI: q.target, Host: q.host, Header: q.header, RemoteAddr: q.caller,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, in.WithContext(t.Context()))
	result := recorder.Result()
	defer func() { _ = result.Body.Close() }()
	body, err := io.ReadAll(result.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{result.StatusCode, result.Header, string(body)}
}

// allows reports whether a proxy would let the request through.
func (a answer) allows() bool { return a.status >= 200 && a.status <= 299 }

// shown is what a client sees in the end: what the proxy relays, with the status in
// our header if there is one, or what it gets when it asks for the denial.
func shown(t testing.TB, h http.Handler, convention string, a answer) answer {
	t.Helper()
	if convention != "nginx" {
		if a.header.Get(forwardauth.StatusHeader) != "" {
			if _, err := fmt.Sscan(a.header.Get(forwardauth.StatusHeader), &a.status); err != nil {
				t.Fatal(err)
			}
			a.header = a.header.Clone()
			a.header.Del(forwardauth.StatusHeader)
		}
		return a
	}
	return ask(t, h, question{method: http.MethodGet, target: forwardauth.DenialPath, header: http.Header{forwardauth.DenialHeader: a.header[forwardauth.DenialHeader]}})
}

// same compares an answer with a response.
func same(t testing.TB, what string, got answer, want authn.Response) {
	t.Helper()
	var has, wants []string
	for name, values := range got.header {
		has = append(has, fmt.Sprintf("%s: %q", name, values))
	}
	for _, f := range want.Headers {
		wants = append(wants, fmt.Sprintf("%s: %q", http.CanonicalHeaderKey(f.Name), []string{f.Value}))
	}
	slices.Sort(has)
	slices.Sort(wants)
	if got.status != want.Status || got.body != string(want.Body) || !slices.Equal(has, wants) {
		t.Errorf("%s: got %d, %s, %s\nwant %d, %s, %s", what, got.status, strings.Join(has, ", "), got.body, want.Status, strings.Join(wants, ", "), want.Body)
	}
}

// core is a real Authenticator that knows one key, which may be used from
// 203.0.113.0/24, of an API that is found by its host.
func core() *auth.Authenticator {
	ring := keyring.New(keyring.HostPolicy{Grants: []keyring.Grant{{Namespace: "apis", Pattern: "*.billoget.com"}}})
	name := keyring.Name{Namespace: "apis", Name: "billoget"}
	ring.SetAPI(&keyring.API{
		Name: name, Hosts: []string{"api.billoget.com"}, AllNamespaces: true, DenyEmptyScopes: true,
		Credentials: []keyring.Credential{{Place: keyring.Bearer}},
		Formats:     []key.Format{{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32}},
	})
	ring.SetKey(&keyring.Key{
		Name: keyring.Name{Namespace: "shop", Name: "shopify"}, UID: "1",
		Versions: []keyring.Version{{Digest: key.NewRaw(rawKey).Digest(), Hint: "bk_live_1234"}},
		Terms: &keyring.Terms{
			API: name, Scopes: keyring.Scopes{"READ_BUDGETS"}, AllowedIPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
		},
	})
	return &auth.Authenticator{
		Ring: ring, Synced: func() bool { return true }, Current: func() bool { return true },
		TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
}

// noAPIs is for denials that are no API's own.
func noAPIs(keyring.Name) (*keyring.API, bool) { return nil, false }
