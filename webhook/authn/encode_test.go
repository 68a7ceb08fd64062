package authn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

func TestDenialIsReadAsItWasWritten(t *testing.T) {
	for _, reason := range authntest.Reasons(t) {
		for _, d := range []authn.Denial{
			{Reason: reason},
			{Reason: reason, Realm: "default", Scheme: "ApiKey"},
			{Reason: reason, Realm: "apis/billoget", Scheme: "Bearer", Scope: `customers:read & "more", ü`},
			{Reason: reason, Realm: "a\r\nb", Scope: "\x00\xff%0d%0a;=&#"},
			{Reason: reason, Requests: 3, Window: 60, RetryAfter: 1},
			{Reason: reason, Requests: 1 << 62, Window: 1 << 62, RetryAfter: 1 << 62},
		} {
			text := d.Encode()
			if i := strings.IndexFunc(text, func(c rune) bool { return c <= 0x20 || c > 0x7e }); i >= 0 {
				t.Errorf("%+v is written as %q, which a header can't hold", d, text)
			}
			if got, err := authn.ParseDenial(text); err != nil || got != d {
				t.Errorf("%q is read as %+v, %v, want %+v", text, got, err, d)
			}
		}
	}
}

func TestParseDenialRefuses(t *testing.T) {
	for what, text := range map[string]string{
		"nothing":                     "",
		"no reason":                   "realm=default",
		"an unknown reason":           "reason=because",
		"allowed":                     "reason=allowed",
		"an unknown scheme":           "reason=unknown_key&scheme=Digest",
		"a scheme with more":          "reason=unknown_key&scheme=Bearer%0d%0aX:+1",
		"a negative number":           "reason=rate_limited&requests=3&retry=-1&window=60",
		"a number that isn't whole":   "reason=rate_limited&requests=3&retry=1.5&window=60",
		"a number too large":          "reason=rate_limited&requests=3&retry=9223372036854775808&window=60",
		"a bad escape":                "reason=%zz",
		"a semicolon":                 "reason=unknown_key;scheme=Bearer",
		"a parameter that isn't ours": "reason=unknown_key&status=200",
		"a reason twice":              "reason=unknown_key&reason=unknown_key",
		"another order":               "scheme=Bearer&reason=unknown_key",
		"too long":                    "reason=unknown_key&realm=" + strings.Repeat("x", 4096),
	} {
		if d, err := authn.ParseDenial(text); !errors.Is(err, authn.ErrDenial) || d != (authn.Denial{}) {
			t.Errorf("%s: got %+v, %v, want ErrDenial", what, d, err)
		}
	}
}

func FuzzParseDenial(f *testing.F) {
	for _, reason := range authntest.Reasons(f) {
		v := authntest.Verdict(reason)
		f.Add(authn.NewDenial(&v).Encode())
	}
	f.Add("reason=rate_limited")
	f.Add("reason=rate_limited&requests=5&window=0")
	f.Add("reason=insufficient_scope&realm=%22%0d%0a&scheme=Basic&scope=%0d%0aX-Forged:+1")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := authn.ParseDenial(text)
		if err != nil {
			if d != (authn.Denial{}) {
				t.Errorf("%q: %+v with an error", text, d)
			}
			d = authn.Denial{Reason: auth.InsufficientScope, Realm: text, Scope: text}
		} else if d.Encode() != text {
			t.Errorf("%q isn't what is written for it: %q", text, d.Encode())
		}
		checkResponse(t, d.Response())
		// Whatever a denial holds, it is read as it was written.
		if len(d.Encode()) <= 4096 {
			if again, err := authn.ParseDenial(d.Encode()); err != nil || again != d {
				t.Errorf("%+v is read as %+v, %v", d, again, err)
			}
		}
	})
}
