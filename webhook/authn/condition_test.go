package authn_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

func TestConditionDenials(t *testing.T) {
	api := &keyring.API{Name: keyring.Name{Namespace: "apis", Name: "shop"}, Credentials: keyring.DefaultCredentials()}
	own := *api
	own.Denials = map[string]keyring.Denial{"condition_not_met": {Status: 200, Body: body(t, `{{ .Error }}|{{ json .Message }}`)}}
	for _, c := range []struct {
		name    string
		api     *keyring.API
		message string
		status  int
		body    string
	}{
		{"no message", api, "", 403, `{"error":"condition_not_met","message":"API key does not meet a condition of this API"}`},
		{"its message", api, "Only on weekdays", 403, `{"error":"condition_not_met","message":"Only on weekdays"}`},
		{"quotes, ampersands and other scripts", api, `"a"&b=c; é%00`, 403, `{"error":"condition_not_met","message":"\"a\"\u0026b=c; é%00"}`},
		{"control characters", api, "a\r\nb\x00c\x7f", 403, `{"error":"condition_not_met","message":"abc"}`},
		{"as long as the schema allows", api, strings.Repeat("a", 256), 403, `{"error":"condition_not_met","message":"` + strings.Repeat("a", 256) + `"}`},
		{"cut after 512 bytes, between characters", api, strings.Repeat("鍵", 256), 403, `{"error":"condition_not_met","message":"` + strings.Repeat("鍵", 170) + `"}`},
		{"in the API's own response", &own, "Only on weekdays", 200, `condition_not_met|"Only on weekdays"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			denial := authn.NewDenial(&auth.Verdict{Reason: auth.ConditionNotMet, API: c.api, ConditionMessage: c.message})
			got := denial.Response()
			if got.Status != c.status || string(got.Body) != c.body || denial.DefaultStatus() != 403 {
				t.Errorf("got %d %s, want %d %s", got.Status, got.Body, c.status, c.body)
			}
			text := denial.Encode()
			if len(text) > 2048 {
				t.Errorf("%d bytes as text are too many for a proxy's headers", len(text))
			}
			again, err := authn.ParseDenial(text)
			again.API = c.api
			if err != nil || !reflect.DeepEqual(again.Response(), got) {
				t.Errorf("as text it became %+v (%v), want %+v", again.Response(), err, got)
			}
		})
	}
}

// The text form comes from a proxy: what Encode never writes is refused.
func TestParseDenialRefusesMessages(t *testing.T) {
	for name, text := range map[string]string{
		"of another reason":       "message=hello&reason=unknown_key",
		"too long":                "reason=condition_not_met&message=" + strings.Repeat("a", 513),
		"with control characters": "reason=condition_not_met&message=a%0d%0ab",
		"not UTF-8":               "reason=condition_not_met&message=%ff",
	} {
		if d, err := authn.ParseDenial(text); err == nil {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}
