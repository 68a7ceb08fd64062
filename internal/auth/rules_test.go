package auth

import (
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestBindings(t *testing.T) {
	email := keyring.Binding{Header: "email", Field: keyring.OwnerEmail, FoldCase: true}
	team := keyring.Binding{Header: "x-team", Field: keyring.Attribute, Attribute: "team"}
	tests := map[string]struct {
		bindings []keyring.Binding
		headers  fields
		want     Reason
	}{
		"none":                        {nil, nil, Allowed},
		"equal":                       {[]keyring.Binding{email}, fields{"email": {"ops@shop.example"}}, Allowed},
		"in another case":             {[]keyring.Binding{email}, fields{"email": {"Ops@SHOP.example"}}, Allowed},
		"spaces and tabs around":      {[]keyring.Binding{email}, fields{"email": {" \tops@shop.example\t "}}, Allowed},
		"missing":                     {[]keyring.Binding{email}, nil, HeaderMismatch},
		"empty":                       {[]keyring.Binding{email}, fields{"email": {""}}, HeaderMismatch},
		"another":                     {[]keyring.Binding{email}, fields{"email": {"eve@shop.example"}}, HeaderMismatch},
		"more than it":                {[]keyring.Binding{email}, fields{"email": {"ops@shop.example.evil"}}, HeaderMismatch},
		"less than it":                {[]keyring.Binding{email}, fields{"email": {"ops@shop"}}, HeaderMismatch},
		"spaces within":               {[]keyring.Binding{email}, fields{"email": {"ops @shop.example"}}, HeaderMismatch},
		"repeated":                    {[]keyring.Binding{email}, fields{"email": {"eve@shop.example", "ops@shop.example"}}, HeaderMismatch},
		"repeated, equal":             {[]keyring.Binding{email}, fields{"email": {"ops@shop.example", "ops@shop.example"}}, HeaderMismatch},
		"joined":                      {[]keyring.Binding{email}, fields{"email": {"ops@shop.example,ops@shop.example"}}, HeaderMismatch},
		"exact":                       {[]keyring.Binding{team}, fields{"x-team": {"team_42"}}, Allowed},
		"exact, in another case":      {[]keyring.Binding{team}, fields{"x-team": {"TEAM_42"}}, HeaderMismatch},
		"both":                        {[]keyring.Binding{email, team}, fields{"email": {"ops@shop.example"}, "x-team": {"team_42"}}, Allowed},
		"one of two":                  {[]keyring.Binding{email, team}, fields{"email": {"ops@shop.example"}, "x-team": {"team_43"}}, HeaderMismatch},
		"the other of two":            {[]keyring.Binding{email, team}, fields{"x-team": {"team_42"}}, HeaderMismatch},
		"what the key lacks denies":   {[]keyring.Binding{{Header: "x-project", Field: keyring.Project}}, fields{"x-project": {"p"}}, HeaderMismatch},
		"also if the header is empty": {[]keyring.Binding{{Header: "x-project", Field: keyring.Project}}, fields{"x-project": {""}}, HeaderMismatch},
		"also if it isn't there":      {[]keyring.Binding{{Header: "x-project", Field: keyring.Project}}, nil, HeaderMismatch},
		"no such attribute":           {[]keyring.Binding{{Header: "x-team", Field: keyring.Attribute, Attribute: "squad"}}, fields{"x-team": {"team_42"}}, HeaderMismatch},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := simpleWorld(good, bearer)
			w.api.Bindings, w.key.Attributes = tt.bindings, keyring.NewAttributes(map[string]string{"team": "team_42"})
			w.send(fields{"authorization": {"Bearer " + good}})
			for name, values := range tt.headers {
				w.headers[name] = values
			}
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

// Required scopes come from the gateway, all of them; an empty list of a key
// means what the API says, and never more than that.
func TestScopes(t *testing.T) {
	tests := map[string]struct {
		scopes    keyring.Scopes
		denyEmpty bool
		required  []string
		missing   string // "" is allowed
	}{
		"none required":                        {keyring.Scopes{"a"}, true, nil, ""},
		"one":                                  {keyring.Scopes{"READ_BUDGETS"}, true, []string{"READ_BUDGETS"}, ""},
		"another":                              {keyring.Scopes{"READ_BUDGETS"}, true, []string{"WRITE_BUDGETS"}, "WRITE_BUDGETS"},
		"all of some":                          {keyring.Scopes{"c", "b", "a"}, true, []string{"a", "b"}, ""},
		"one of some isn't enough":             {keyring.Scopes{"a"}, true, []string{"a", "b"}, "b"},
		"the first that is missing is told":    {keyring.Scopes{"b"}, true, []string{"a", "b", "c"}, "a"},
		"a family":                             {keyring.Scopes{"customers:*"}, true, []string{"customers:read", "customers:write"}, ""},
		"not beyond the family":                {keyring.Scopes{"customers:*"}, true, []string{"customers"}, "customers"},
		"a wildcard":                           {keyring.Scopes{"*"}, true, []string{"a", "b:c"}, ""},
		"unknown scopes grant nothing":         {keyring.Scopes{"no:such"}, true, []string{"a"}, "a"},
		"and a list never becomes all access":  {keyring.Scopes{"no:such"}, false, []string{"a"}, "a"},
		"an empty scope neither":               {keyring.Scopes{""}, false, []string{"a"}, "a"},
		"empty is full access":                 {nil, false, []string{"a", "b"}, ""},
		"empty is full access, not nil":        {keyring.Scopes{}, false, []string{"a", "b"}, ""},
		"empty is denied":                      {nil, true, []string{"a", "b"}, "a"},
		"empty is fine where none is required": {nil, true, nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.key.Scopes, w.api.DenyEmptyScopes, w.request.Target.Scopes = tt.scopes, tt.denyEmpty, tt.required
			want := Allowed
			if tt.missing != "" {
				want = InsufficientScope
			}
			if got := w.outcome(); got.Reason != want || got.MissingScope != tt.missing {
				t.Errorf("got %+v, want %s, missing %q", got, want, tt.missing)
			}
		})
	}
}
