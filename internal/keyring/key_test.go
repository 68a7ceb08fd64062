package keyring_test

import (
	"maps"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestScopesGrant(t *testing.T) {
	tests := map[string]struct {
		scopes keyring.Scopes
		grants []string
		denies []string
	}{
		"none":                {nil, nil, []string{"a", "a:b", "*", "READ_BUDGETS"}},
		"one":                 {keyring.Scopes{"READ_BUDGETS"}, []string{"READ_BUDGETS"}, []string{"WRITE_BUDGETS", "read_budgets", "READ_BUDGET", "READ_BUDGETS_", ""}},
		"some":                {keyring.Scopes{"customers:read", "invoices:read"}, []string{"customers:read", "invoices:read"}, []string{"customers:write", "customers", "read"}},
		"a family":            {keyring.Scopes{"a:*"}, []string{"a:b", "a:b:c"}, []string{"a", "ab:c", "b:a", "A:b", "*"}},
		"a family in another": {keyring.Scopes{"a:b:*"}, []string{"a:b:c", "a:b:c:d"}, []string{"a:b", "a:c", "a:bc:d"}},
		"all":                 {keyring.Scopes{"*"}, []string{"a", "a:b", "WRITE_BUDGETS"}, nil},
		"all among others":    {keyring.Scopes{"a", "*"}, []string{"b"}, nil},
		"unknown scopes":      {keyring.Scopes{"no:such"}, nil, []string{"a", "no"}},
		"a star elsewhere is a character": {
			keyring.Scopes{"a*", "*:read", "a:*:c", "**", ":"}, nil, []string{"ab", "a:b", "b:read", "a:b:c", "a"},
		},
		"an empty one grants nothing": {keyring.Scopes{""}, nil, []string{"a", "a:b"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, want := range tt.grants {
				if !tt.scopes.Grant(want) {
					t.Errorf("%q don't grant %q", tt.scopes, want)
				}
			}
			for _, want := range tt.denies {
				if tt.scopes.Grant(want) {
					t.Errorf("%q grant %q", tt.scopes, want)
				}
			}
		})
	}
}

func TestKeyValue(t *testing.T) {
	full := &keyring.Key{Terms: &keyring.Terms{Environment: "live"}, Holder: &keyring.Holder{
		Project: "proj_abc123", OwnerName: "Shop team", OwnerEmail: "ops@shop.example",
		Attributes: keyring.NewAttributes(map[string]string{"team": "team_42", "empty": ""}),
	}}
	tests := map[string]struct {
		key     *keyring.Key
		binding keyring.Binding
		want    string
		has     bool
	}{
		"project":             {full, keyring.Binding{Field: keyring.Project}, "proj_abc123", true},
		"environment":         {full, keyring.Binding{Field: keyring.Environment}, "live", true},
		"owner's name":        {full, keyring.Binding{Field: keyring.OwnerName}, "Shop team", true},
		"owner's email":       {full, keyring.Binding{Field: keyring.OwnerEmail}, "ops@shop.example", true},
		"attribute":           {full, keyring.Binding{Field: keyring.Attribute, Attribute: "team"}, "team_42", true},
		"no such attribute":   {full, keyring.Binding{Field: keyring.Attribute, Attribute: "Team"}, "", false},
		"an empty attribute":  {full, keyring.Binding{Field: keyring.Attribute, Attribute: "empty"}, "", false},
		"no project":          {&keyring.Key{}, keyring.Binding{Field: keyring.Project}, "", false},
		"no owner":            {&keyring.Key{}, keyring.Binding{Field: keyring.OwnerEmail}, "", false},
		"no attributes":       {&keyring.Key{}, keyring.Binding{Field: keyring.Attribute, Attribute: "team"}, "", false},
		"a field of no kind":  {full, keyring.Binding{Field: 99}, "", false},
		"attribute, unnamed":  {full, keyring.Binding{Field: keyring.Attribute}, "", false},
		"attribute for other": {full, keyring.Binding{Field: keyring.Project, Attribute: "team"}, "proj_abc123", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, has := tt.key.Value(tt.binding); got != tt.want || has != tt.has {
				t.Errorf("got %q, %v, want %q, %v", got, has, tt.want, tt.has)
			}
		})
	}
}

func TestAttributes(t *testing.T) {
	a := keyring.NewAttributes(map[string]string{"tier": "gold", "team": "team_42", "empty": ""})
	for name, want := range map[string]string{"tier": "gold", "team": "team_42", "empty": "", "Team": "", "": ""} {
		if got := a.Get(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if got, want := a.Map(), map[string]string{"tier": "gold", "team": "team_42", "empty": ""}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if none := keyring.NewAttributes(map[string]string{}); none != nil || none.Map() != nil || none.Get("a") != "" {
		t.Errorf("got %v of none", none)
	}
}
