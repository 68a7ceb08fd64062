package forwardauth_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// No proxy ever gets a 2xx for a denial, and a client always sees the response
// itself: from the proxy that relays it, or from /denial.
func TestNoReasonIsAllowed(t *testing.T) {
	for _, reason := range append(authntest.Reasons(t), "", "a new one") {
		for _, v := range []auth.Verdict{authntest.Verdict(reason), {Reason: reason}} {
			want := authn.NewDenial(&v).Response()
			h := handler(authntest.Always(v))
			for _, convention := range conventions {
				a := ask(t, h, asks(convention, ""))
				if a.allows() {
					t.Errorf("%s, %s: the proxy gets %d", convention, reason, a.status)
				}
				if !relays(convention) && a.status >= 500 {
					// nginx shows 500 for it, and Envoy may be told to let failures pass.
					t.Errorf("%s, %s: the proxy gets %d, which is a failure to it", convention, reason, a.status)
				}
				if convention == "nginx" && a.status != 401 && a.status != 403 {
					t.Errorf("%s, %s: the proxy gets %d, want 401 or 403", convention, reason, a.status)
				}
				if _, known := map[auth.Reason]bool{"": true, "a new one": true}[reason]; known && convention == "nginx" {
					want := authn.Denial{Reason: auth.InternalError}.Response()
					same(t, convention+", unknown", shown(t, h, convention, a), want)
					continue
				}
				same(t, convention+", "+string(reason), shown(t, h, convention, a), want)
			}
		}
	}
}

func TestWhatTheProxyGets(t *testing.T) {
	for _, row := range []struct {
		convention string
		reason     auth.Reason
		status     int
		own        map[string]string // headers that are for the proxy
	}{
		{"nginx", auth.UnknownKey, 401, map[string]string{"X-Apikey-Denial": "realm=apis%2Fbilloget&reason=unknown_key&requests=1000&retry=3600&scheme=Bearer&scope=WRITE_BUDGETS&window=3600"}},
		{"nginx", auth.IPNotAllowed, 403, map[string]string{"X-Apikey-Denial": "realm=apis%2Fbilloget&reason=ip_not_allowed&requests=1000&retry=3600&scheme=Bearer&scope=WRITE_BUDGETS&window=3600"}},
		{"nginx", auth.RateLimited, 403, map[string]string{"X-Apikey-Denial": "realm=apis%2Fbilloget&reason=rate_limited&requests=1000&retry=3600&scheme=Bearer&scope=WRITE_BUDGETS&window=3600"}},
		{"nginx", auth.InvalidPath, 403, map[string]string{"X-Apikey-Denial": "realm=apis%2Fbilloget&reason=invalid_path&requests=1000&retry=3600&scheme=Bearer&scope=WRITE_BUDGETS&window=3600"}},
		{"nginx", auth.NotSynced, 403, map[string]string{"X-Apikey-Denial": "realm=apis%2Fbilloget&reason=not_synced&requests=1000&retry=3600&scheme=Bearer&scope=WRITE_BUDGETS&window=3600"}},
		{"envoy", auth.UnknownKey, 401, nil},
		{"envoy", auth.RateLimited, 429, nil},
		{"envoy", auth.InvalidPath, 400, nil},
		{"envoy", auth.NotSynced, 403, map[string]string{"X-Apikey-Status": "503"}},
		{"traefik", auth.NotSynced, 503, nil},
		{"caddy", auth.RateLimited, 429, map[string]string{"X-Apikey-Status": "429"}},
		{"haproxy", auth.UnknownAPI, 503, map[string]string{"X-Apikey-Status": "503"}},
	} {
		v := authntest.Verdict(row.reason)
		want := authn.NewDenial(&v).Response()
		want.Status = row.status
		if row.convention == "nginx" { // which asks again for it
			want.Body = nil
		}
		for name, value := range row.own {
			want.Headers = append(want.Headers, authn.Field{Name: name, Value: value})
		}
		same(t, row.convention+", "+string(row.reason), ask(t, handler(authntest.Always(v)), asks(row.convention, "")), want)
	}
}

// removes are the conventions whose proxies take the header out of the request that
// they are told. Envoy has a header of its own for that, and Traefik's recipe can't.
var removes = map[string]bool{"nginx": true, "caddy": true, "haproxy": true}

func TestAllowed(t *testing.T) {
	v := authntest.Verdict(auth.Allowed)
	v.Key.OwnerName, v.Key.Project = "Jürg", ""
	want := http.Header{
		"X-Apikey-Name":                  {"shopify"},
		"X-Apikey-Namespace":             {"shop"},
		"X-Apikey-Project":               {""},
		"X-Apikey-Scopes":                {"READ_BUDGETS,customers:*"},
		"X-Apikey-Environment":           {"live"},
		"X-Apikey-Hint":                  {"bk_live_1234"},
		"X-Apikey-Owner":                 {"J%C3%BCrg"},
		"X-Apikey-Owner-Email":           {"ops@shop.example"},
		"X-Envoy-Auth-Headers-To-Remove": {"x-apikey-project,authorization"},
		"Ratelimit":                      {`"default";r=999;t=3600`},
		"Ratelimit-Policy":               {`"default";q=1000;w=3600`},
	}
	for _, convention := range conventions {
		want.Del("X-Apikey-Remove")
		if removes[convention] {
			want.Set("X-Apikey-Remove", "authorization")
		}
		a := ask(t, handler(authntest.Always(v)), asks(convention, ""))
		if a.status != 200 || a.body != "" || !reflect.DeepEqual(a.header, want) {
			t.Errorf("%s: got %d %v %q, want 200 %v", convention, a.status, a.header, a.body, want)
		}
	}
}

// A key without a limit, in a place that can't be removed.
func TestAllowedWithLess(t *testing.T) {
	v := auth.Verdict{Reason: auth.Allowed, Key: &keyring.Key{Name: keyring.Name{Namespace: "shop", Name: "first"}, Terms: &keyring.Terms{}, Holder: &keyring.Holder{}}, Credential: keyring.Credential{Place: keyring.Query, Name: "api_key"}}
	want := http.Header{
		"X-Apikey-Name": {"first"}, "X-Apikey-Namespace": {"shop"},
		"X-Envoy-Auth-Headers-To-Remove": {"x-apikey-project,x-apikey-scopes,x-apikey-environment,x-apikey-hint,x-apikey-owner,x-apikey-owner-email"},
	}
	for _, name := range []string{"Project", "Scopes", "Environment", "Hint", "Owner", "Owner-Email"} {
		want["X-Apikey-"+name] = []string{""}
	}
	for _, convention := range conventions {
		if a := ask(t, handler(authntest.Always(v)), asks(convention, "")); a.status != 200 || !reflect.DeepEqual(a.header, want) {
			t.Errorf("%s: got %d %v, want 200 %v", convention, a.status, a.header, want)
		}
	}
}

// A public route needs no key: nobody is named, whatever a client claims, and what
// it sent in Authorization is the upstream's affair.
func TestAllowedWithoutAKey(t *testing.T) {
	want := http.Header{
		"X-Envoy-Auth-Headers-To-Remove": {strings.Join(authn.IdentityHeaders, ",")},
	}
	for _, name := range authn.IdentityHeaders {
		want.Set(name, "")
	}
	for _, convention := range conventions {
		if a := ask(t, handler(authntest.Always(authntest.Public())), asks(convention, "")); a.status != 200 || a.body != "" || !reflect.DeepEqual(a.header, want) {
			t.Errorf("%s: got %d %v %q, want 200 %v", convention, a.status, a.header, a.body, want)
		}
	}
}

// What is to be removed is the header that held the credential, unless the API keeps
// it.
func TestWhatIsRemoved(t *testing.T) {
	for _, row := range []struct {
		credential keyring.Credential
		keep       bool
		want       string
	}{
		{keyring.Credential{Place: keyring.Bearer}, false, "authorization"},
		{keyring.Credential{Place: keyring.Basic}, false, "authorization"},
		{keyring.Credential{Place: keyring.Header, Name: "x-api-key"}, false, "x-api-key"},
		{keyring.Credential{Place: keyring.Query, Name: "api_key"}, false, ""},
		{keyring.Credential{Place: keyring.Cookie, Name: "key"}, false, ""},
		{keyring.Credential{Place: keyring.Bearer}, true, ""},
		{keyring.Credential{Place: keyring.Header, Name: "x-api-key"}, true, ""},
	} {
		v := authntest.Verdict(auth.Allowed)
		v.Credential, v.API.KeepCredential = row.credential, row.keep
		for _, convention := range conventions {
			h := ask(t, handler(authntest.Always(v)), asks(convention, "")).header
			want := row.want
			if got := h.Get("X-Envoy-Auth-Headers-To-Remove"); got != want {
				t.Errorf("%s, %+v: Envoy is told to remove %q, want %q", convention, row, got, want)
			}
			if !removes[convention] {
				want = ""
			}
			if got := h.Get(forwardauth.RemoveHeader); got != want {
				t.Errorf("%s, %+v: is told to remove %q, want %q", convention, row, got, want)
			}
		}
	}
}

type panicking struct{}

func (panicking) Authenticate(*auth.Request) auth.Verdict { panic(rawKey) }

func TestPanics(t *testing.T) {
	want := authn.Denial{Reason: auth.InternalError}.Response()
	for what, a := range map[string]authn.Authenticator{
		"an Authenticator that panics": panicking{},
		"no Authenticator":             nil,
		"a verdict without its key":    authntest.Always(auth.Verdict{Reason: auth.Allowed, Limited: true, Rate: authntest.Verdict(auth.Allowed).Rate}),
	} {
		h := handler(a)
		for _, convention := range conventions {
			got := ask(t, h, asks(convention, ""))
			if got.allows() || !relays(convention) && got.status != 403 {
				t.Errorf("%s, %s: the proxy gets %d", convention, what, got.status)
			}
			same(t, convention+", "+what, shown(t, h, convention, got), want)
		}
	}
}

// /denial renders what it is given, for anybody: there is nothing to decide.
func TestDenialOfEveryReason(t *testing.T) {
	h := handler(panicking{})
	for _, reason := range authntest.Reasons(t) {
		v := authntest.Verdict(reason)
		d := authn.NewDenial(&v)
		for _, method := range []string{"GET", "POST", "DELETE"} {
			for _, target := range []string{"/denial", "/denial?x=y"} {
				q := question{method: method, target: target, header: http.Header{"X-Apikey-Denial": {d.Encode()}}}
				same(t, string(reason), ask(t, h, q), d.Response())
			}
		}
	}
}

func TestDenialOfGarbage(t *testing.T) {
	want := authn.Denial{Reason: auth.InternalError}.Response()
	for what, values := range map[string][]string{
		"no header":        nil,
		"an empty header":  {""},
		"garbage":          {"\x00\xff"},
		"an allowed one":   {"reason=allowed"},
		"an unknown one":   {"reason=because"},
		"a status":         {"reason=unknown_key&status=200"},
		"two":              {"reason=unknown_key", "reason=unknown_key"},
		"two, joined":      {"reason=unknown_key, reason=unknown_key"},
		"a very long one":  {"reason=unknown_key&realm=" + strings.Repeat("x", 1<<16)},
		"another's header": {"reason=unknown_key\r\nX-Admin: true"},
	} {
		q := question{method: http.MethodGet, target: forwardauth.DenialPath, header: http.Header{forwardauth.DenialHeader: values}}
		same(t, what, ask(t, handler(panicking{}), q), want)
	}
}
