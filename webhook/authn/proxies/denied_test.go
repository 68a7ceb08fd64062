package proxies

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/throttle"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

const (
	common          = "Cache-Control: no-store\nContent-Type: application/json\n"
	unavailableBody = `{"error":"unavailable","message":"Authentication is unavailable. Try again later"}`

	missing      = "401\n" + common + "Www-Authenticate: Bearer realm=\"apis/billoget\"\n\n" + `{"error":"unauthorized","message":"Invalid or missing API key"}`
	unauthorized = "401\n" + common + "Www-Authenticate: Bearer realm=\"apis/billoget\", error=\"invalid_token\"\n\n" + `{"error":"unauthorized","message":"Invalid or missing API key"}`
	ambiguous    = "401\n" + common + "Www-Authenticate: Bearer realm=\"apis/billoget\", error=\"invalid_request\"\n\n" + `{"error":"ambiguous_credential","message":"More than one API key was sent"}`
	suspended    = "403\n" + common + "\n" + `{"error":"key_suspended","message":"API key is suspended"}`
	ipNotAllowed = "403\n" + common + "\n" + `{"error":"ip_not_allowed","message":"API key may not be used from this IP address"}`
	readMissing  = "403\n" + common + "Www-Authenticate: Bearer realm=\"apis/billoget\", error=\"insufficient_scope\", scope=\"READ_BUDGETS\"\n\n" + `{"error":"insufficient_scope","message":"API key does not have required scope: READ_BUDGETS"}`
	writeMissing = "403\n" + common + "Www-Authenticate: Bearer realm=\"apis/billoget\", error=\"insufficient_scope\", scope=\"WRITE_BUDGETS\"\n\n" + `{"error":"insufficient_scope","message":"API key does not have required scope: WRITE_BUDGETS"}`
	invalidPath  = "400\n" + common + "\n" + `{"error":"invalid_path","message":"The request path is not normal"}`
	tooManyWrong = "429\n" + common + "Retry-After: 60\n\n" + `{"error":"too_many_wrong_keys","message":"Too many requests with invalid API keys. Try again in 60 seconds"}`
	notTrusted   = "403\n" + common + "\n" + `{"error":"caller_not_trusted","message":"The gateway is not a trusted caller"}`
)

// unavailable is 503 as a door's clients see it.
func (d door) unavailable() string {
	return "503\n" + common + d.told + "\n" + unavailableBody
}

// row is one kind of denied request.
type row struct {
	what    string
	reason  auth.Reason
	request request
	want    string
	scoped  bool // needs a recipe in which routes demand scopes
	// arrange brings it about, until the test ends.
	arrange func(t *testing.T, s *system)
}

// denials are the kinds of denied requests, in the order of DESIGN 4.1.
func denials(s *system) []row {
	good := s.key("good")
	changed := func(f func(api *keyring.API)) func(*testing.T, *system) {
		return func(t *testing.T, s *system) {
			t.Helper()
			api := billoget()
			f(api)
			s.ring.SetAPI(api)
			t.Cleanup(func() { s.ring.SetAPI(billoget()) })
		}
	}
	email := changed(func(api *keyring.API) {
		api.Bindings = []keyring.Binding{{Header: "email", Field: keyring.OwnerEmail, FoldCase: true}}
	})
	owned := s.key("owned", func(k *keyring.Key) { k.OwnerEmail = "ops@shop.example" })
	office := s.key("office", func(k *keyring.Key) { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} })
	with := func(name string, change func(k *keyring.Key)) request {
		return request{fields: bearer(s.key(name, change))}
	}
	budgets := func(r request) request { r.host = budgetsHost; return r }
	ok := request{fields: bearer(good)}
	path := func(target string) request { return request{target: target, fields: bearer(good)} }
	rows := []row{
		{"the gateway isn't trusted", auth.CallerNotTrusted, ok, notTrusted, false, func(t *testing.T, s *system) {
			s.change(t, func(core *auth.Authenticator) { core.TrustedCallers = nil })
		}},
		{"an empty segment", auth.InvalidPath, path("/api/public/budgets//7"), invalidPath, false, nil},
		{"a dot segment", auth.InvalidPath, path("/api/public/budgets/../budgets"), invalidPath, false, nil},
		{"an encoded dot segment", auth.InvalidPath, path("/api/public/budgets/%2e%2E/budgets"), invalidPath, false, nil},
		{"an encoded slash", auth.InvalidPath, path("/api/public/budgets/a%2fb"), invalidPath, false, nil},
		{"an encoded backslash", auth.InvalidPath, path("/api/public/budgets/a%5cb"), invalidPath, false, nil},
		{"a semicolon", auth.InvalidPath, path("/api/public/budgets/a;b"), invalidPath, false, nil},
		{"invalid UTF-8", auth.InvalidPath, path("/api/public/budgets/%ff"), invalidPath, false, nil},
		{"not synced", auth.NotSynced, ok, s.door.unavailable(), false, func(t *testing.T, s *system) {
			s.change(t, func(core *auth.Authenticator) { core.Synced = func() bool { return false } })
		}},
		{"an unknown API", auth.UnknownAPI, ok, s.door.unavailable(), false, func(t *testing.T, s *system) {
			s.ring.DeleteAPI(billogetName)
			t.Cleanup(func() { s.ring.SetAPI(billoget()) })
		}},
		{"a broken API", auth.BrokenAPI, ok, s.door.unavailable(), false, changed(func(api *keyring.API) { api.Err = errors.New("broken") })},
		{"no key", auth.MissingCredential, request{}, missing, false, nil},
		{"another scheme", auth.MissingCredential, request{fields: []string{"Authorization: Basic " + good}}, missing, false, nil},
		{"two keys", auth.AmbiguousCredential, request{fields: append(bearer(good), "X-API-Key: "+s.key("second"))}, ambiguous, false, nil},
		{"one key in two places", auth.AmbiguousCredential, request{fields: append(bearer(good), "X-API-Key: "+good)}, ambiguous, false, nil},
		{"one key twice", auth.AmbiguousCredential, request{fields: []string{"X-API-Key: " + good, "X-API-Key: " + good}}, ambiguous, false, nil},
		{"an empty key", auth.MalformedCredential, request{fields: []string{"Authorization: Bearer "}}, unauthorized, false, nil},
		{"an empty header", auth.MalformedCredential, request{fields: []string{"X-API-Key:"}}, unauthorized, false, nil},
		{"a key that isn't ASCII", auth.MalformedCredential, request{fields: []string{"X-API-Key: bk_live_\xff\xc3\xbc"}}, unauthorized, false, nil},
		{"a huge key", auth.MalformedCredential, request{fields: bearer(strings.Repeat("x", 4000))}, unauthorized, false, nil},
		{"a key of another shape", auth.MalformedCredential, request{fields: bearer("ak_x")}, unauthorized, false, nil},
		{"a key that may be new", auth.NotCurrent, request{fields: bearer("bk_live_ffffffffffffffffffffffffffffffff")}, s.door.unavailable(), false, func(t *testing.T, s *system) {
			s.change(t, func(core *auth.Authenticator) { core.Current = func() bool { return false } })
		}},
		{"a key that nobody has", auth.UnknownKey, request{fields: bearer("bk_live_ffffffffffffffffffffffffffffffff")}, unauthorized, false, nil},
		{"a key of another API", auth.UnknownKey, with("elsewhere", func(k *keyring.Key) { k.API = keyring.DefaultAPI }), unauthorized, false, nil},
		{"too many wrong keys", auth.WrongKeyThrottled, request{fields: bearer("bk_live_ffffffffffffffffffffffffffffffff")}, tooManyWrong, false, func(t *testing.T, s *system) {
			wrong := throttle.New(1)
			wrong.Take(netip.MustParseAddr(s.client), start) // the only one in a minute
			s.change(t, func(core *auth.Authenticator) { core.WrongKey = wrong.Take })
		}},
		{"a key of another namespace", auth.NamespaceNotAllowed, with("stranger", func(k *keyring.Key) { k.Name.Namespace = "other" }), unauthorized, false, nil},
		{"a deleted key", auth.DeletedKey, with("deleted", func(k *keyring.Key) { k.State = keyring.Deleted }), unauthorized, false, nil},
		{"a revoked key", auth.RevokedKey, with("revoked", func(k *keyring.Key) { k.State = keyring.Revoked }), unauthorized, false, nil},
		{"a broken key", auth.BrokenKey, with("broken", func(k *keyring.Key) { k.Err = errors.New("broken") }), s.door.unavailable(), false, nil},
		{"a suspended key", auth.SuspendedKey, with("suspended", func(k *keyring.Key) { k.State = keyring.Suspended }), suspended, false, nil},
		{"a key that expires now", auth.ExpiredKey, with("expired", func(k *keyring.Key) { k.ExpiresAt = keyring.At(start) }), unauthorized, false, nil},
		{"a version that expires now", auth.ExpiredKey, with("retired", func(k *keyring.Key) { k.Versions[0].NotAfter = keyring.At(start) }), unauthorized, false, nil},
		{"from another address", auth.IPNotAllowed, request{fields: bearer(office)}, ipNotAllowed, false, nil},
		{"from another address, denied by the client", auth.IPNotAllowed, request{fields: append(bearer(office), "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9")}, ipNotAllowed, false, nil},
		{"without the owner's email", auth.HeaderMismatch, request{fields: bearer(owned)}, unauthorized, false, email},
		{"with another's email", auth.HeaderMismatch, request{fields: append(bearer(owned), "Email: eve@shop.example")}, unauthorized, false, email},
		{"without the scope to write", auth.InsufficientScope, request{method: http.MethodPost, host: budgetsHost, fields: bearer(good), body: "{}"}, writeMissing, true, nil},
		{"without the scope to read", auth.InsufficientScope, budgets(with("writer", func(k *keyring.Key) { k.Scopes = keyring.Scopes{"WRITE_BUDGETS"} })), readMissing, true, nil},
		{"without any scope", auth.InsufficientScope, budgets(with("nothing", func(k *keyring.Key) { k.Scopes = nil })), readMissing, true, nil},
	}
	return append(rows, routeDenials(s)...)
}

func TestDenied(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		for _, row := range denials(s) {
			t.Run(row.what, func(t *testing.T) {
				if row.scoped && !s.door.scoped {
					t.Skip("in this recipe routes demand no scopes")
				}
				if s.door.cleans && strings.HasSuffix(row.what, "segment") {
					t.Skip("this proxy makes the path normal: see TestBypass")
				}
				if row.arrange != nil {
					row.arrange(t, s)
				}
				s.denied(t, "", row.request, row.want)
				if got := s.decided(); !slices.Equal(got, []auth.Reason{row.reason}) {
					t.Errorf("decided %q, want %q", got, row.reason)
				}
				// The same with HEAD, which has no body.
				if row.request.method == "" {
					row.request.method = http.MethodHead
					head, _, _ := strings.Cut(row.want, "\n\n")
					if s.door.untyped {
						head = strings.Replace(head, "\nContent-Type: application/json", "", 1)
					}
					s.denied(t, "HEAD", row.request, head+"\n\n")
				}
			})
		}
		// None of it has spoilt anything.
		s.allowed(t, "at the end", request{fields: bearer(rawOf("good"))})
	})
}

// The kinds of denials that a client can bring about are all there.
func TestDeniedIsComplete(t *testing.T) {
	s := &system{ring: keyring.New(keyring.HostPolicy{})}
	tested := map[auth.Reason]bool{
		auth.RateLimited:      true, // TestRateLimit
		auth.InvalidHost:      true, // TestHosts
		auth.BadConfiguration: true, // the recipes have none of it
		auth.InternalError:    true, // nor can it be brought about
	}
	for _, row := range denials(s) {
		tested[row.reason] = true
	}
	for _, reason := range authntest.Reasons(t) {
		if !tested[reason] {
			t.Errorf("no request is denied as %s", reason)
		}
	}
}

// The first window starts with the first request; a denied one uses nothing.
func TestRateLimit(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		raw := s.key("limited", func(k *keyring.Key) { k.Limit.Requests, k.Limit.Period = 3, time.Hour })
		r := request{fields: bearer(raw)}
		for _, state := range []string{`"default";r=2;t=3600`, `"default";r=1;t=3600`, `"default";r=0;t=3600`} {
			got, _ := s.allowed(t, state, r)
			if want := "200\nContent-Type: text/plain\n" + s.door.tells("Ratelimit-Policy: \"default\";q=3;w=3600\nRatelimit: "+state+"\n") + "\nhello\n"; got.String() != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		for _, row := range []struct {
			advance time.Duration
			seconds string
		}{{0, "3600"}, {500 * time.Millisecond, "3600"}, {500 * time.Millisecond, "3599"}, {3598*time.Second + 999*time.Millisecond, "1"}} {
			s.advance(row.advance)
			s.denied(t, "in "+row.seconds+" s", r, "429\n"+common+
				"Ratelimit-Policy: \"default\";q=3;w=3600\nRatelimit: \"default\";r=0;t="+row.seconds+"\nRetry-After: "+row.seconds+"\n\n"+
				`{"error":"rate_limit_exceeded","message":"Rate limit exceeded. Try again in `+row.seconds+` seconds"}`)
		}
		s.advance(time.Millisecond)
		s.allowed(t, "in the next window", r)
	})
}
