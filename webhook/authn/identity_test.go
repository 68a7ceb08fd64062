package authn_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

func TestIdentity(t *testing.T) {
	v := authntest.Verdict(auth.Allowed)
	want := []authn.Field{
		{Name: "x-apikey-name", Value: "shopify"},
		{Name: "x-apikey-namespace", Value: "shop"},
		{Name: "x-apikey-project", Value: "proj_abc123"},
		{Name: "x-apikey-scopes", Value: "READ_BUDGETS,customers:*"},
		{Name: "x-apikey-environment", Value: "live"},
		{Name: "x-apikey-hint", Value: "bk_live_1234"},
		{Name: "x-apikey-owner", Value: "Shop team"},
		{Name: "x-apikey-owner-email", Value: "ops@shop.example"},
	}
	if got := identity(&v); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var names []string
	for _, f := range want {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, authn.IdentityHeaders) {
		t.Errorf("IdentityHeaders are %v, want %v", authn.IdentityHeaders, names)
	}
}

// Every header is named also where there is nothing to say: a client's own is
// taken away all the same.
func TestIdentityOfNobody(t *testing.T) {
	for what, v := range map[string]auth.Verdict{
		"no key":       {Reason: auth.Allowed},
		"an empty key": {Reason: auth.Allowed, Key: keyring.NewKey()},
	} {
		var want []authn.Field
		for _, name := range authn.IdentityHeaders {
			want = append(want, authn.Field{Name: name})
		}
		if got := identity(&v); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
}

func TestIdentityIsSafeInHeaders(t *testing.T) {
	for in, want := range map[string]string{
		"Shop team":            "Shop team",
		"Jürg Müller":          "J%C3%BCrg M%C3%BCller",
		"店":                    "%E5%BA%97",
		"100%":                 "100%25",
		"a%20b":                "a%2520b",
		"a\r\nX-Admin: true":   "a%0D%0AX-Admin: true",
		"\x00\t\x7f\xff":       "%00%09%7F%FF",
		`"quoted", <b>; a=b`:   `"quoted", <b>; a=b`,
		"\u2028line separator": "%E2%80%A8line separator",
	} {
		v := authntest.Verdict(auth.Allowed)
		v.Key.OwnerName = in
		for _, f := range identity(&v) {
			if f.Name == "x-apikey-owner" && f.Value != want {
				t.Errorf("%q: got %q, want %q", in, f.Value, want)
			}
		}
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add("Jürg", "a\r\nb", "%")
	f.Fuzz(func(t *testing.T, owner, scope, hint string) {
		v := authntest.Verdict(auth.Allowed)
		v.Key.OwnerName, v.Key.OwnerEmail, v.Key.Project, v.Key.Environment = owner, owner, owner, owner
		v.Key.Name = keyring.Name{Namespace: owner, Name: owner}
		v.Key.Scopes, v.Version.Hint = keyring.Scopes{scope, owner}, hint
		for _, field := range identity(&v) {
			if i := strings.IndexFunc(field.Value, func(c rune) bool { return c < 0x20 || c > 0x7e }); i >= 0 {
				t.Errorf("%s: %q isn't printable ASCII", field.Name, field.Value)
			}
		}
	})
}

func TestCredentialHeader(t *testing.T) {
	for want, places := range map[string][]keyring.Credential{
		"authorization": {{Place: keyring.Bearer}, {Place: keyring.Basic}},
		"x-api-key":     {{Place: keyring.Header, Name: "x-api-key"}},
		"":              {{}, {Place: keyring.Query, Name: "api_key"}, {Place: keyring.Cookie, Name: "key"}},
	} {
		for _, c := range places {
			if got := authn.CredentialHeader(&auth.Verdict{Credential: c}); got != want {
				t.Errorf("%+v: got %q, want %q", c, got, want)
			}
		}
	}
}
