package authn_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/internal/safetemplate"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

func body(t *testing.T, text string) *safetemplate.Template {
	t.Helper()
	b, err := safetemplate.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fieldsOf are a response's headers by name.
func fieldsOf(r authn.Response) map[string]string {
	out := map[string]string{}
	for _, f := range r.Headers {
		out[f.Name] += f.Value
	}
	return out
}

func TestDenialsOfAnAPI(t *testing.T) {
	staxai := `{
    "success": false,
    "authError": true,
    "error": "Invalid authorization request"
}`
	api := &keyring.API{
		Name: keyring.Name{Namespace: "apis", Name: "stax"}, Credentials: keyring.DefaultCredentials(),
		Denials: map[string]keyring.Denial{
			"default": {Status: 200, Body: body(t, staxai)},
			"insufficient_scope": {
				Status: 404, Headers: [][2]string{{"content-type", "text/plain"}, {"X-Why", "scope"}},
				Body: body(t, "{{ .Error }}|{{ .Message }}|{{ .Status }}|{{ .Scope }}|{{ .RetryAfter }}"),
			},
			"rate_limit_exceeded": {Body: body(t, `{"retry":{{ .RetryAfter }},"why":{{ json .Message }}}`)},
			"key_suspended":       {Status: 402},
		},
	}
	key := &keyring.Key{Terms: &keyring.Terms{Limit: ratelimit.Limit{Requests: 10, Period: time.Hour}}, Holder: &keyring.Holder{}}
	for _, tc := range []struct {
		name    string
		verdict auth.Verdict
		status  int
		body    string
		headers map[string]string
	}{
		{
			"the default one", auth.Verdict{Reason: auth.UnknownKey}, 200, staxai,
			map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "WWW-Authenticate": `Bearer realm="apis/stax", error="invalid_token"`},
		},
		{
			"the default one, of too many wrong keys", auth.Verdict{Reason: auth.WrongKeyThrottled, RetryAfter: 1}, 200, staxai,
			map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Retry-After": "1"},
		},
		{
			"one of its own", auth.Verdict{Reason: auth.InsufficientScope, MissingScope: "WRITE"}, 404,
			"insufficient_scope|API key does not have required scope: WRITE|404|WRITE|0",
			map[string]string{
				"content-type": "text/plain", "X-Why": "scope", "Cache-Control": "no-store",
				"WWW-Authenticate": `Bearer realm="apis/stax", error="insufficient_scope", scope="WRITE"`,
			},
		},
		{
			"a body only", auth.Verdict{Reason: auth.RateLimited, Key: key, Limited: true, Rate: ratelimit.Result{RetryAfter: 90*time.Second + 1}}, 429,
			`{"retry":91,"why":"Rate limit exceeded. Try again in 91 seconds"}`,
			map[string]string{
				"Content-Type": "application/json", "Cache-Control": "no-store", "Retry-After": "91",
				"RateLimit-Policy": `"default";q=10;w=3600`, "RateLimit": `"default";r=0;t=91`,
			},
		},
		{
			"a status only", auth.Verdict{Reason: auth.SuspendedKey}, 402, `{"error":"key_suspended","message":"API key is suspended"}`,
			map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.verdict.API = api
			denial := authn.NewDenial(&tc.verdict)
			got := denial.Response()
			if got.Status != tc.status || string(got.Body) != tc.body || !reflect.DeepEqual(fieldsOf(got), tc.headers) {
				t.Errorf("got %d %v\n%s\nwant %d %v\n%s", got.Status, fieldsOf(got), got.Body, tc.status, tc.headers, tc.body)
			}
			if s := denial.DefaultStatus(); s < 400 {
				t.Errorf("a proxy would be told %d", s)
			}
			// A proxy that asks again gets the same response.
			again, err := authn.ParseDenial(denial.Encode())
			again.API = api
			if err != nil || !reflect.DeepEqual(again.Response(), got) {
				t.Errorf("as text it became %+v (%v), want %+v", again.Response(), err, got)
			}
		})
	}
}

// Whatever status an API wants for its clients, a proxy is told that of the reason.
func TestStatusOfAnAPI(t *testing.T) {
	for _, reason := range authntest.Reasons(t) {
		plain := authntest.Verdict(reason)
		for _, status := range authntest.Statuses {
			v := authntest.Own(t, reason, status)
			denial := authn.NewDenial(&v)
			got := denial.Response()
			want := fmt.Sprintf(`{"success": false,"why": %q}`, codeOf(t, reason))
			if status == 204 {
				want = ""
			}
			if got.Status != status || string(got.Body) != want || fieldsOf(got)["X-Why"] != "its own" {
				t.Errorf("%s: got %d %v %s, want %d %s", reason, got.Status, got.Headers, got.Body, status, want)
			}
			if told := denial.DefaultStatus(); told != authn.NewDenial(&plain).Response().Status || told < 400 {
				t.Errorf("%s: a proxy is told %d", reason, told)
			}
		}
	}
}

// codeOf is a reason's error code as clients see it by default.
func codeOf(t *testing.T, reason auth.Reason) string {
	t.Helper()
	v := authntest.Verdict(reason)
	var body struct{ Error string }
	if err := json.Unmarshal(authn.NewDenial(&v).Response().Body, &body); err != nil {
		t.Fatal(err)
	}
	return body.Error
}

// What is decided before the API is known can't be the API's.
func TestDenialsBeforeTheAPIIsKnown(t *testing.T) {
	for _, reason := range []auth.Reason{auth.InvalidPath, auth.InvalidHost, auth.UnknownAPI, auth.CallerNotTrusted, auth.NotSynced} {
		v := auth.Verdict{Reason: reason}
		if r := authn.NewDenial(&v).Response(); r.Status < 400 || len(r.Body) == 0 {
			t.Errorf("%s: got %d %q", reason, r.Status, r.Body)
		}
	}
}

func TestUpstreamHeaders(t *testing.T) {
	key := &keyring.Key{Name: keyring.Name{Namespace: "shop", Name: "k"}, Terms: &keyring.Terms{}, Holder: &keyring.Holder{Project: "p"}}
	v := auth.Verdict{
		Reason: auth.Allowed, Key: key, Credential: keyring.Credential{Place: keyring.Bearer},
		API: &keyring.API{HideHeaders: map[string]bool{"x-apikey-namespace": true, "x-apikey-project": true}},
	}
	for _, f := range identity(&v) {
		want := map[string]string{"x-apikey-name": "k"}[f.Name]
		if f.Value != want {
			t.Errorf("%s is %q, want %q", f.Name, f.Value, want)
		}
	}
	if got := authn.CredentialHeader(&v); got != "authorization" {
		t.Errorf("removes %q, want authorization", got)
	}
	v.API.KeepCredential = true
	if got := authn.CredentialHeader(&v); got != "" {
		t.Errorf("removes %q of a credential that is to be kept", got)
	}
}
