package proxies

import (
	"net/http"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/condition"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/route"
)

const (
	httpsRequired   = "403\n" + common + "\n" + `{"error":"https_required","message":"HTTPS is required"}`
	anotherProject  = "403\n" + common + "\n" + `{"error":"project_mismatch","message":"API key does not belong to this project"}`
	anotherTeam     = "403\n" + common + "\n" + `{"error":"binding_mismatch","message":"API key may not be used for this resource"}`
	noRoute         = "403\n" + common + "\n" + `{"error":"route_not_allowed","message":"API key may not be used for this route"}`
	onlyOnWeekdays  = "403\n" + common + "\n" + `{"error":"condition_not_met","message":"Only on weekdays \u0026 \"at night\""}`
	conditionNotMet = "403\n" + common + "\n" + `{"error":"condition_not_met","message":"API key does not meet a condition of this API"}`
)

// with sets billoget, as the function changes it, until the test ends.
func (s *system) with(t *testing.T, change func(api *keyring.API)) {
	t.Helper()
	api := billoget()
	change(api)
	s.ring.SetAPI(api)
	t.Cleanup(func() { s.ring.SetAPI(billoget()) })
}

// routes are some of billoget's own, which the sample has as well.
func routes(t testing.TB) *route.Table {
	t.Helper()
	at := func(text string, scope string, methods ...string) route.Route {
		p, err := route.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return route.Route{Methods: methods, Pattern: p, Scope: scope, Public: scope == ""}
	}
	table, err := route.Compile([]string{"", "/v1"}, []route.Route{
		at("/api/public/budgets/**", "READ_BUDGETS", http.MethodGet),
		at("/api/public/budgets/**", "WRITE_BUDGETS", http.MethodPost),
		at("/auth/login", "", http.MethodPost),
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// routeDenials are the kinds of denials that come of an API's own rules for TLS,
// paths, routes and conditions.
func routeDenials(s *system) []row {
	changed := func(f func(t *testing.T, api *keyring.API)) func(*testing.T, *system) {
		return func(t *testing.T, s *system) {
			t.Helper()
			s.with(t, func(api *keyring.API) { f(t, api) })
		}
	}
	strict := changed(func(_ *testing.T, api *keyring.API) { api.DenyPlainHTTP = true })
	routed := changed(func(t *testing.T, api *keyring.API) { api.Routes, api.DenyUnmatched = routes(t), true })
	teams := changed(func(t *testing.T, api *keyring.API) {
		pattern, err := route.Parse("/api/teams/{team}/projects/{project}/**")
		if err != nil {
			t.Fatal(err)
		}
		api.Bindings = []keyring.Binding{
			{Variable: "team", Patterns: []route.Pattern{pattern}, Field: keyring.Attribute, Attribute: "team"},
			{Variable: "project", Patterns: []route.Pattern{pattern}, Field: keyring.Project, IfKeyHas: true},
		}
	})
	when := func(expression, message string) func(*testing.T, *system) {
		return changed(func(t *testing.T, api *keyring.API) {
			c, err := condition.Compile(expression)
			if err != nil {
				t.Fatal(err)
			}
			api.Conditions = []keyring.Condition{{Expression: c, Message: message}}
		})
	}
	good := bearer(s.key("good"))
	ours := bearer(s.key("ours", func(k *keyring.Key) {
		k.Attributes, k.Project = keyring.NewAttributes(map[string]string{"team": "team_42"}), "proj_1"
	}))
	at := func(target string, fields []string) request { return request{target: target, fields: fields} }
	return []row{
		{"over plain HTTP", auth.PlainHTTP, request{fields: good}, httpsRequired, false, strict},
		{"over plain HTTP, denied by the client", auth.PlainHTTP, request{fields: append([]string{
			"X-Forwarded-Proto: https", "X-Forwarded-Scheme: https", "X-Forwarded-Ssl: on", "X-Forwarded-Port: 443", "Forwarded: proto=https", "X-Original-URL: https://api.billoget.com/",
		}, good...)}, httpsRequired, false, strict},
		{"over plain HTTP, without a key", auth.PlainHTTP, request{}, httpsRequired, false, strict},
		{"another project's path", auth.ProjectMismatch, at("/api/teams/team_42/projects/proj_2/customers", ours), anotherProject, false, teams},
		{"another team's path", auth.BindingMismatch, at("/api/teams/team_43/projects/proj_1/customers", ours), anotherTeam, false, teams},
		{"a key of no team", auth.BindingMismatch, at("/api/teams/team_42/projects/proj_1/customers", good), anotherTeam, false, teams},
		{"a path that no route has", auth.RouteNotAllowed, at("/api/public/customers", good), noRoute, false, routed},
		{"a method that no route has", auth.RouteNotAllowed, request{method: http.MethodDelete, fields: good}, noRoute, false, routed},
		{"a public route's path with another method", auth.RouteNotAllowed, at("/auth/login", good), noRoute, false, routed},
		{"a route without its scope", auth.InsufficientScope, request{method: http.MethodPost, fields: good}, writeMissing, false, routed},
		{"the same under another base path", auth.InsufficientScope, request{method: http.MethodPost, target: "/v1/api/public/budgets", fields: good}, writeMissing, false, routed},
		{"a condition", auth.ConditionNotMet, request{fields: good}, onlyOnWeekdays, false, when(`request.method == "PURGE"`, `Only on weekdays & "at night"`)},
		{"a condition without a message", auth.ConditionNotMet, request{fields: good}, conditionNotMet, false, when(`key.owner.email == "nobody@shop.example"`, "")},
	}
}
