package authn_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// text writes a response as a client sees it.
func text(r authn.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", r.Status)
	for _, f := range r.Headers {
		if f.Name != "Content-Type" && f.Name != "Cache-Control" { // see TestEveryResponse
			fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		}
	}
	return b.String() + string(r.Body)
}

const (
	invalidToken = `401
WWW-Authenticate: Bearer realm="apis/billoget", error="invalid_token"
{"error":"unauthorized","message":"Invalid or missing API key"}`
	unavailable = `503
{"error":"unavailable","message":"Authentication is unavailable. Try again later"}`
)

// responses are the responses of DESIGN 4.1, of an API with Bearer tokens.
var responses = map[auth.Reason]string{
	auth.CallerNotTrusted: `403
{"error":"caller_not_trusted","message":"The gateway is not a trusted caller"}`,
	auth.BadConfiguration: `503
{"error":"unavailable","message":"The gateway's configuration for authentication is not valid"}`,
	auth.InvalidPath: `400
{"error":"invalid_path","message":"The request path is not normal"}`,
	auth.InvalidHost: `400
{"error":"invalid_host","message":"The request host is not valid"}`,
	auth.NotSynced:  unavailable,
	auth.NotCurrent: unavailable,
	auth.UnknownAPI: unavailable,
	auth.BrokenAPI:  unavailable,
	auth.PlainHTTP: `403
{"error":"https_required","message":"HTTPS is required"}`,
	auth.MissingCredential: `401
WWW-Authenticate: Bearer realm="apis/billoget"
{"error":"unauthorized","message":"Invalid or missing API key"}`,
	auth.AmbiguousCredential: `401
WWW-Authenticate: Bearer realm="apis/billoget", error="invalid_request"
{"error":"ambiguous_credential","message":"More than one API key was sent"}`,
	auth.MalformedCredential: invalidToken,
	auth.UnknownKey:          invalidToken,
	auth.NamespaceNotAllowed: invalidToken,
	auth.DeletedKey:          invalidToken,
	auth.RevokedKey:          invalidToken,
	auth.ExpiredKey:          invalidToken,
	auth.HeaderMismatch:      invalidToken,
	auth.BrokenKey:           unavailable,
	auth.SuspendedKey: `403
{"error":"key_suspended","message":"API key is suspended"}`,
	auth.IPNotAllowed: `403
{"error":"ip_not_allowed","message":"API key may not be used from this IP address"}`,
	auth.ProjectMismatch: `403
{"error":"project_mismatch","message":"API key does not belong to this project"}`,
	auth.BindingMismatch: `403
{"error":"binding_mismatch","message":"API key may not be used for this resource"}`,
	auth.RouteNotAllowed: `403
{"error":"route_not_allowed","message":"API key may not be used for this route"}`,
	auth.ConditionNotMet: `403
{"error":"condition_not_met","message":"Only on weekdays"}`,
	auth.InsufficientScope: `403
WWW-Authenticate: Bearer realm="apis/billoget", error="insufficient_scope", scope="WRITE_BUDGETS"
{"error":"insufficient_scope","message":"API key does not have required scope: WRITE_BUDGETS"}`,
	auth.RateLimited: `429
Retry-After: 3600
RateLimit-Policy: "default";q=1000;w=3600
RateLimit: "default";r=0;t=3600
{"error":"rate_limit_exceeded","message":"Rate limit exceeded. Try again in 3600 seconds"}`,
	auth.WrongKeyThrottled: `429
Retry-After: 42
{"error":"too_many_wrong_keys","message":"Too many requests with invalid API keys. Try again in 42 seconds"}`,
	auth.InternalError: unavailable,
}

func TestResponseOfEveryReason(t *testing.T) {
	for _, reason := range authntest.Reasons(t) {
		t.Run(string(reason), func(t *testing.T) {
			want, ok := responses[reason]
			if !ok {
				t.Fatal("a new reason: decide what a client sees, here and in answers")
			}
			v := authntest.Verdict(reason)
			denial := authn.NewDenial(&v)
			if got := text(denial.Response()); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if got := denial.DefaultStatus(); fmt.Sprint(got) != want[:3] {
				t.Errorf("the default status is %d, want %s", got, want[:3])
			}
			asked, err := authn.ParseDenial(denial.Encode())
			asked.API = denial.API // who asks finds it by the realm
			if err != nil || asked != denial {
				t.Errorf("written as %q and read: %+v, %v, want %+v", denial.Encode(), asked, err, denial)
			}
			checkResponse(t, denial.Response())
		})
	}
}

// A verdict may hold next to nothing.
func TestResponseOfBareVerdicts(t *testing.T) {
	for _, reason := range append(authntest.Reasons(t), "", "a new one", auth.Allowed) {
		v := auth.Verdict{Reason: reason}
		checkResponse(t, authn.NewDenial(&v).Response())
	}
}

// What isn't known to be a denial is answered as unavailable, and never as
// allowed.
func TestResponseOfNoDenial(t *testing.T) {
	for _, reason := range []auth.Reason{auth.Allowed, "", "a new one"} {
		v := authntest.Verdict(reason)
		if got := text(authn.NewDenial(&v).Response()); got != unavailable {
			t.Errorf("reason %q: got %s\nwant %s", reason, got, unavailable)
		}
	}
}

// checkResponse checks what holds for every response to a denied request.
func checkResponse(t *testing.T, r authn.Response) {
	t.Helper()
	if r.Status < 400 || r.Status > 599 {
		t.Errorf("a denial has status %d", r.Status)
	}
	seen := map[string]string{}
	for _, f := range r.Headers {
		if _, again := seen[f.Name]; again {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = f.Value
		if i := strings.IndexFunc(f.Name+f.Value, func(c rune) bool { return c < 0x20 || c > 0x7e }); i >= 0 {
			t.Errorf("%s: %q isn't printable ASCII", f.Name, f.Value)
		}
	}
	if seen["Content-Type"] != "application/json" || seen["Cache-Control"] != "no-store" {
		t.Errorf("headers %v: want Content-Type application/json and Cache-Control no-store", seen)
	}
	if _, challenged := seen["WWW-Authenticate"]; r.Status == 401 && !challenged {
		t.Error("401 without WWW-Authenticate")
	}
	if r.Status != 429 {
		return
	}
	if !regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(seen["Retry-After"]) {
		t.Errorf("Retry-After: %q, want whole seconds, at least 1", seen["Retry-After"])
	}
	if want := "Try again in " + seen["Retry-After"] + " seconds"; !strings.Contains(string(r.Body), want) {
		t.Errorf("body %s, want in it %q as in Retry-After", r.Body, want)
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for _, row := range []struct {
		in   time.Duration
		want string
	}{
		{0, "1"},
		{1, "1"},
		{999 * time.Millisecond, "1"},
		{time.Second, "1"},
		{time.Second + 1, "2"},
		{59*time.Second + time.Millisecond, "60"},
		{time.Hour - 1, "3600"},
		{time.Hour, "3600"},
		{time.Hour + 1, "3601"},
		{1<<63 - 1, "9223372037"},
	} {
		wrong := authntest.Verdict(auth.WrongKeyThrottled)
		wrong.RetryAfter = row.in
		r := authn.NewDenial(&wrong).Response()
		checkResponse(t, r)
		if got := fieldsOf(r)["Retry-After"]; got != row.want {
			t.Errorf("%v, wrong keys: Retry-After is %q, want %q", row.in, got, row.want)
		}
		v := authntest.Verdict(auth.RateLimited)
		v.Rate.RetryAfter = row.in
		r = authn.NewDenial(&v).Response()
		checkResponse(t, r)
		for _, want := range []string{"\nRetry-After: " + row.want + "\n", "r=0;t=" + row.want + "\n"} {
			if !strings.Contains(text(r), want) {
				t.Errorf("%v: got %s, want in it %q", row.in, text(r), want)
			}
		}
	}
}

// draft-ietf-httpapi-ratelimit-headers-10: both are lists of strings with
// parameters that are integers, q and w in the policy, r and t in the state.
func TestRateLimitHeaders(t *testing.T) {
	for _, row := range []struct {
		what   string
		limit  ratelimit.Limit
		result ratelimit.Result
		policy string
		state  string
	}{
		{
			"a window of an hour", ratelimit.Limit{Requests: 1000, Period: time.Hour},
			ratelimit.Result{Allowed: true, Remaining: 999, Reset: time.Hour},
			`"default";q=1000;w=3600`, `"default";r=999;t=3600`,
		},
		{
			"the last one, in the middle of a second", ratelimit.Limit{Requests: 3, Period: time.Minute},
			ratelimit.Result{Allowed: true, Remaining: 0, Reset: 1500 * time.Millisecond},
			`"default";q=3;w=60`, `"default";r=0;t=2`,
		},
		{
			"less than a second", ratelimit.Limit{Requests: 5, Period: 100 * time.Millisecond, Algorithm: ratelimit.TokenBucket, Burst: 7},
			ratelimit.Result{Allowed: true, Remaining: 6, Reset: 20 * time.Millisecond},
			`"default";q=5;w=1`, `"default";r=6;t=1`,
		},
	} {
		want := []authn.Field{{Name: "RateLimit-Policy", Value: row.policy}, {Name: "RateLimit", Value: row.state}}
		if got := rateLimitHeaders(row.limit, row.result); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", row.what, got, want)
		}
	}
}

func TestChallenge(t *testing.T) {
	bearer := keyring.Credential{Place: keyring.Bearer}
	basic := keyring.Credential{Place: keyring.Basic}
	header := keyring.Credential{Place: keyring.Header, Name: "x-api-key"}
	query := keyring.Credential{Place: keyring.Query, Name: "api_key"}
	cookie := keyring.Credential{Place: keyring.Cookie, Name: "key"}
	const none = ""
	for _, row := range []struct {
		what   string
		places []keyring.Credential
		reason auth.Reason
		want   string
	}{
		{"Bearer, nothing sent", []keyring.Credential{bearer}, auth.MissingCredential, `Bearer realm="apis/billoget"`},
		{"Bearer, something sent", []keyring.Credential{bearer}, auth.UnknownKey, `Bearer realm="apis/billoget", error="invalid_token"`},
		{"Bearer, two sent", []keyring.Credential{bearer}, auth.AmbiguousCredential, `Bearer realm="apis/billoget", error="invalid_request"`},
		{"Bearer, scope", []keyring.Credential{bearer}, auth.InsufficientScope, `Bearer realm="apis/billoget", error="insufficient_scope", scope="WRITE_BUDGETS"`},
		{"Bearer among others", []keyring.Credential{header, basic, bearer}, auth.RevokedKey, `Bearer realm="apis/billoget", error="invalid_token"`},
		{"Basic, nothing sent", []keyring.Credential{basic}, auth.MissingCredential, `Basic realm="apis/billoget"`},
		{"Basic, something sent", []keyring.Credential{basic}, auth.ExpiredKey, `Basic realm="apis/billoget"`},
		{"Basic or a header", []keyring.Credential{header, basic}, auth.UnknownKey, `Basic realm="apis/billoget"`},
		{"a header, nothing sent", []keyring.Credential{header}, auth.MissingCredential, `ApiKey realm="apis/billoget"`},
		{"a header, something sent", []keyring.Credential{header}, auth.UnknownKey, `ApiKey realm="apis/billoget"`},
		{"a parameter or a cookie", []keyring.Credential{query, cookie}, auth.HeaderMismatch, `ApiKey realm="apis/billoget"`},
		{"a suspended key: another wouldn't help", []keyring.Credential{bearer}, auth.SuspendedKey, none},
		{"an address", []keyring.Credential{bearer}, auth.IPNotAllowed, none},
		{"a rate limit", []keyring.Credential{bearer}, auth.RateLimited, none},
		{"too many wrong keys", []keyring.Credential{bearer}, auth.WrongKeyThrottled, none},
		{"an outage", []keyring.Credential{bearer}, auth.NotSynced, none},
		{"a path", []keyring.Credential{bearer}, auth.InvalidPath, none},
		{"plain HTTP", []keyring.Credential{bearer}, auth.PlainHTTP, none},
		{"a project", []keyring.Credential{bearer}, auth.ProjectMismatch, none},
		{"a binding", []keyring.Credential{bearer}, auth.BindingMismatch, none},
		{"a route that no scope opens", []keyring.Credential{bearer}, auth.RouteNotAllowed, none},
		{"a condition", []keyring.Credential{bearer}, auth.ConditionNotMet, none},
	} {
		v := authntest.Verdict(row.reason)
		v.API.Credentials = row.places
		got := none
		for _, f := range authn.NewDenial(&v).Response().Headers {
			if f.Name == "WWW-Authenticate" {
				got = f.Value
			}
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", row.what, got, row.want)
		}
	}
}
