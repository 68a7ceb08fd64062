package audit

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/internal/route"
)

const (
	rawKey    = "bk_live_1234567890abcdef1234567890abcdef"
	otherKey  = "bk_test_ffffffffffffffffffffffffffffffff" // of the API's form, but nobody's
	importKey = "an/old+key=of:no@form"                    // known, of no form
)

var (
	at   = time.Date(2026, 11, 3, 10, 41, 7, 120_000_000, time.FixedZone("CET", 3600))
	shop = keyring.Name{Namespace: "apis", Name: "shop"}
)

// fields are the headers of a request, names in lower case.
type fields map[string][]string

// Value implements auth.Headers.
func (f fields) Value(name string, i int) (string, bool) {
	if i >= len(f[name]) {
		return "", false
	}
	return f[name][i], true
}

// lines takes what a Log writes.
type lines struct{ bytes.Buffer }

// world is an auth core with one API and two keys, behind a door that is logged.
type world struct {
	ring *keyring.Ring
	out  lines
	door *audited
	api  *keyring.API
	key  *keyring.Key
}

func newWorld(t testing.TB) *world {
	t.Helper()
	pattern, err := route.Parse("/budgets/{id}")
	if err != nil {
		t.Fatal(err)
	}
	routes, err := route.Compile([]string{"/v1"}, []route.Route{
		{Pattern: pattern, Methods: []string{"GET"}, Scope: "READ_BUDGETS"},
		{Pattern: pattern, Methods: []string{"POST"}, Scope: "WRITE_BUDGETS"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{ring: keyring.New(keyring.HostPolicy{Grants: []keyring.Grant{{Namespace: "apis", Pattern: "*.shop.dev"}}})}
	w.api = &keyring.API{
		Name: shop, Hosts: []string{"api.shop.dev"}, Routes: routes, AllNamespaces: true,
		Credentials: []keyring.Credential{
			{Place: keyring.Bearer}, {Place: keyring.Basic}, {Place: keyring.Header, Name: "x-shop-key"},
			{Place: keyring.Query, Name: "api_key"}, {Place: keyring.Cookie, Name: "key"},
		},
		Formats: []key.Format{
			{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32},
			{Prefix: "bk", Environment: "test", Separator: "_", Alphabet: key.Hex, Length: 32},
		},
	}
	w.key = &keyring.Key{
		Name: keyring.Name{Namespace: "team", Name: "integration"}, UID: "4f2c",
		Versions: []keyring.Version{{Digest: key.NewRaw(rawKey).Digest(), Hint: "bk_live_1234"}, {Digest: key.NewRaw(importKey).Digest()}},
		Terms:    &keyring.Terms{API: shop, Scopes: keyring.Scopes{"READ_BUDGETS"}, Environment: "live"},
		Holder:   &keyring.Holder{Project: "proj_abc123", OwnerName: "Shop team", OwnerEmail: "ops@shop.example"},
	}
	w.fill()
	core := &auth.Authenticator{
		Ring: w.ring, Synced: func() bool { return true }, Current: func() bool { return true },
		TrustedCallers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}
	var clock time.Duration
	log := New(&w.out, w.ring.Find)
	log.clock = func() time.Duration { clock += 21 * time.Microsecond; return clock }
	w.door = log.Door("ext_authz", core).(*audited)
	return w
}

func (w *world) fill() {
	w.ring.SetAPI(w.api)
	w.ring.SetKey(w.key)
}

// request is one that is let through, but for its headers.
func request(headers fields) *auth.Request {
	return &auth.Request{
		Caller: netip.MustParseAddr("10.0.0.9"), Method: "GET", TLS: true, Host: "api.shop.dev",
		Path: "/v1/budgets/7?page=2", Source: "203.0.113.7", Headers: headers, Time: at,
	}
}

// ask returns the lines that a request leaves.
func (w *world) ask(r *auth.Request) string {
	w.out.Reset()
	w.door.Authenticate(r)
	return w.out.String()
}

// record reads the line of a request with these headers.
func (w *world) record(t *testing.T, headers fields) Record {
	t.Helper()
	return parse(t, w.ask(request(headers)))
}

func parse(t *testing.T, line string) Record {
	t.Helper()
	var r Record
	decoder := json.NewDecoder(bytes.NewReader([]byte(line)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return r
}

// limited gives the key a rate limit that is used up.
func (w *world) limited() {
	w.key = w.key.Clone()
	w.key.Limit = ratelimit.Limit{Requests: 1, Period: time.Hour}
	w.fill()
	w.key.TakeRequest(at)
}

// throttled lets no address send another wrong key.
func (w *world) throttled() {
	w.door.next.(*auth.Authenticator).WrongKey = func(netip.Addr, time.Time) time.Duration { return time.Minute }
}
