package auth

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/internal/route"
)

const (
	good  = "bk_live_1234567890abcdef1234567890abcdef"
	other = "bk_live_ffffffffffffffffffffffffffffffff" // of the same shape, but nobody's
)

var (
	now     = time.Date(2026, 11, 3, 9, 41, 7, 0, time.UTC)
	shop    = keyring.Name{Namespace: "apis", Name: "shop"}
	keyName = keyring.Name{Namespace: "team", Name: "integration"}

	bearer = keyring.Credential{Place: keyring.Bearer}
	basic  = keyring.Credential{Place: keyring.Basic}
	header = keyring.Credential{Place: keyring.Header, Name: "x-api-key"}
	query  = keyring.Credential{Place: keyring.Query, Name: "api_key"}
	cookie = keyring.Credential{Place: keyring.Cookie, Name: "key"}
)

// fields are the headers of a request, names in lower case.
type fields map[string][]string

// Value implements Headers.
func (f fields) Value(name string, i int) (string, bool) {
	if i >= len(f[name]) {
		return "", false
	}
	return f[name][i], true
}

// world is everything that a verdict depends on. A new one's request is allowed,
// and meets every check on its way.
type world struct {
	policy  keyring.HostPolicy
	api     *keyring.API
	key     *keyring.Key
	headers fields
	request Request
	synced  bool
	current bool
	spent   bool // all of the key's rate limit was used already
	// wrongKey is what is said of wrong keys, nil for nothing.
	wrongKey func(client netip.Addr, now time.Time) time.Duration

	callers, proxies []netip.Prefix
	ring             *keyring.Ring
}

func newWorld() *world {
	w := &world{
		policy: keyring.HostPolicy{Grants: []keyring.Grant{{Namespace: "apis", Pattern: "*.shop.dev"}}},
		api: &keyring.API{
			Name:        shop,
			CreatedAt:   now,
			Hosts:       []string{"api.shop.dev"},
			Credentials: []keyring.Credential{bearer, header},
			Formats: []key.Format{
				{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32},
				{Prefix: "bk", Environment: "test", Separator: "_", Alphabet: key.Hex, Length: 32},
			},
			Bindings: []keyring.Binding{
				{Header: "email", Field: keyring.OwnerEmail, FoldCase: true},
				{Variable: "what", Patterns: patterns("/v1/{what}"), Field: keyring.Project},
				{Variable: "version", Patterns: patterns("/{version}/**"), Field: keyring.Attribute, Attribute: "version"},
			},
			Conditions:    []keyring.Condition{compiled("request.method == 'GET'", "Read only"), compiled("!('x-blocked' in request.headers)", "Blocked")},
			DenyPlainHTTP: true,
			Namespaces:    map[string]bool{"team": true},
		},
		key:     newKey(),
		headers: fields{"authorization": {"Bearer " + good}, "email": {"OPS@shop.example"}},
		request: Request{
			Caller: netip.MustParseAddr("127.0.0.1"),
			Target: Target{Kind: ByHost, Scopes: []string{"READ_BUDGETS"}},
			TLS:    true,
			Method: "GET", Host: "API.shop.dev:443", Path: "/v1/%62udgets?page=2",
			Source: "203.0.113.7", Time: now,
		},
		synced:  true,
		current: true,
		callers: blocks("127.0.0.0/8"),
		proxies: blocks("10.0.0.0/8"),
	}
	w.request.Headers = w.headers
	return w
}

func newKey() *keyring.Key {
	return &keyring.Key{
		Name: keyName, UID: "uid", CreatedAt: keyring.At(now),
		Versions:  []keyring.Version{version(good)},
		ExpiresAt: keyring.At(now.Add(time.Hour)),
		Terms: &keyring.Terms{
			API:        shop,
			Scopes:     keyring.Scopes{"READ_BUDGETS", "customers:*"},
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
			Limit:      ratelimit.Limit{Requests: 3, Period: time.Hour},
		},
		Holder: &keyring.Holder{OwnerEmail: "ops@shop.example", Project: "budgets", Attributes: keyring.NewAttributes(map[string]string{"version": "v1"})},
	}
}

// simpleWorld has a key that any request with it may use, from the given places.
func simpleWorld(raw string, places ...keyring.Credential) *world {
	w := newWorld()
	w.api.Bindings, w.api.Conditions, w.api.Credentials = nil, nil, places
	w.key.AllowedIPs, w.key.Scopes, w.key.Limit = nil, nil, ratelimit.Limit{}
	w.key.Versions = []keyring.Version{version(raw)}
	w.request.Target.Scopes, w.request.Path = nil, "/"
	w.send(nil)
	return w
}

// send replaces the request's headers.
func (w *world) send(headers fields) {
	w.headers, w.request.Headers = headers, headers
}

func version(raw string) keyring.Version {
	return keyring.Version{Digest: key.NewRaw(raw).Digest(), Hint: raw[:min(len(raw), 12)]}
}

func patterns(texts ...string) []route.Pattern {
	var all []route.Pattern
	for _, text := range texts {
		p, err := route.Parse(text)
		if err != nil {
			panic(err)
		}
		all = append(all, p)
	}
	return all
}

func blocks(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// authenticator fills a ring with the world's objects.
func (w *world) authenticator() *Authenticator {
	w.ring = keyring.New(w.policy)
	w.fill()
	for w.spent && w.key.TakeRequest(now).Allowed {
	}
	return &Authenticator{
		Ring: w.ring, Synced: func() bool { return w.synced }, Current: func() bool { return w.current },
		TrustedCallers: w.callers, TrustedProxies: w.proxies, WrongKey: w.wrongKey,
	}
}

func (w *world) fill() {
	w.ring.SetAPI(w.api)
	w.ring.SetKey(w.key)
}

func (w *world) outcome() outcome {
	return outcomeOf(w.authenticator().Authenticate(&w.request))
}

// outcome is all of a Verdict, comparable and printable.
type outcome struct {
	Reason       Reason
	API, Key     string // "" is none
	Hint         string
	Credential   keyring.Credential
	MissingScope string
	Rate         ratelimit.Result
	RetryAfter   time.Duration
	Path, Route  string

	ConditionMessage string
}

func outcomeOf(v Verdict) outcome {
	o := outcome{
		Reason: v.Reason, Hint: v.Hint(), Credential: v.Credential, MissingScope: v.MissingScope, Path: v.Path, Route: v.Route,
		ConditionMessage: v.ConditionMessage, RetryAfter: v.RetryAfter,
	}
	if v.API != nil {
		o.API = v.API.Name.String()
	}
	if v.Key != nil {
		o.Key = v.Key.Name.String()
	}
	if v.Limited {
		o.Rate = v.Rate
	}
	return o
}

func (o outcome) because(r Reason) outcome {
	o.Reason = r
	return o
}

// How far a new world's request gets.
var (
	received  = outcome{}
	judged    = outcome{Path: "/v1/budgets"}
	addressed = outcome{Path: "/v1/budgets", API: "apis/shop"}
	presented = outcome{Path: "/v1/budgets", API: "apis/shop", Credential: bearer}
	holding   = outcome{Path: "/v1/budgets", API: "apis/shop", Credential: bearer, Key: "team/integration", Hint: "bk_live_1234"}
)

func expect(t *testing.T, got, want outcome) {
	t.Helper()
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// expectReason is for tests whose other fields are another test's.
func expectReason(t *testing.T, got outcome, want Reason) {
	t.Helper()
	if got.Reason != want {
		t.Errorf("got %s, want %s", got.Reason, want)
	}
}

func TestWorldsOwnRequest(t *testing.T) {
	want := holding.because(Allowed)
	want.Rate = ratelimit.Result{Allowed: true, Remaining: 2, Reset: time.Hour}
	w := newWorld()
	v := w.authenticator().Authenticate(&w.request)
	expect(t, outcomeOf(v), want)
	if !v.OK() || v.API != w.api || v.Key != w.key || v.Version != &w.key.Versions[0] {
		t.Errorf("got %+v, want the world's own objects", v)
	}
	w = simpleWorld(good, bearer)
	w.send(fields{"authorization": {"Bearer " + good}})
	expect(t, w.outcome(), outcome{
		Reason: Allowed, API: "apis/shop", Key: "team/integration", Hint: "bk_live_1234", Credential: bearer, Path: "/",
	})
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }
