package authn_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

func TestParseTarget(t *testing.T) {
	billoget := keyring.Name{Namespace: "apis", Name: "billoget"}
	for _, row := range []struct {
		what, api, scopes string
		want              auth.Target
	}{
		{"nothing: by host", "", "", auth.Target{Kind: auth.ByHost}},
		{"the default API", "default", "", auth.Target{Kind: auth.ByDefault}},
		{"an API", "apis/billoget", "", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"an API called default", "default/default", "", auth.Target{Kind: auth.ByName, Name: keyring.Name{Namespace: "default", Name: "default"}}},
		{"a scope", "apis/billoget", "READ_BUDGETS", auth.Target{Kind: auth.ByName, Name: billoget, Scopes: []string{"READ_BUDGETS"}}},
		{"a scope, by host", "", "customers:read", auth.Target{Kind: auth.ByHost, Scopes: []string{"customers:read"}}},
		{"scopes with spaces around", "default", " a:b , c ,d", auth.Target{Kind: auth.ByDefault, Scopes: []string{"a:b", "c", "d"}}},
		{"as many scopes as may be", "", strings.Repeat("s,", authn.MaxScopes-1) + "s", auth.Target{Scopes: strings.Split(strings.Repeat("s,", authn.MaxScopes-1)+"s", ",")}},
	} {
		got := authn.ParseTarget(row.api, row.scopes)
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: got %+v, want %+v", row.what, got, row.want)
		}
	}
}

// A gateway that can't be understood might have demanded more.
func TestParseTargetRefuses(t *testing.T) {
	for _, row := range []struct{ what, api, scopes string }{
		{"a name without a namespace", "billoget", ""},
		{"Default", "Default", ""},
		{"no namespace", "/billoget", ""},
		{"no name", "apis/", ""},
		{"neither", "/", ""},
		{"three parts", "apis/billoget/v1", ""},
		{"an empty scope", "apis/billoget", "READ_BUDGETS,,WRITE_BUDGETS"},
		{"a comma at the end", "apis/billoget", "READ_BUDGETS,"},
		{"only a comma", "apis/billoget", ","},
		{"only a space", "apis/billoget", " "},
		{"scopes separated by spaces", "apis/billoget", "READ_BUDGETS WRITE_BUDGETS"},
		{"a wildcard", "apis/billoget", "*"},
		{"a wildcard of a family", "apis/billoget", "customers:*"},
		{"too many scopes", "", strings.Repeat("s,", authn.MaxScopes) + "s"},
	} {
		got := authn.ParseTarget(row.api, row.scopes)
		if got.Err == nil {
			t.Errorf("%s: got %+v, want an error", row.what, got)
			continue
		}
		got.Err = nil
		if !reflect.DeepEqual(got, auth.Target{}) {
			t.Errorf("%s: got %+v beside the error", row.what, got)
		}
	}
}
