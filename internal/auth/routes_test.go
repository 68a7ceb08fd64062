package auth

import (
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/route"
)

// routed is a world whose API has routes, written as "GET,PUT /path scope", or
// "* /path public".
func routed(t *testing.T, scopes keyring.Scopes, lines ...string) *world {
	t.Helper()
	w := simpleWorld(good, bearer)
	w.key.Scopes = scopes
	w.api.DenyEmptyScopes = true
	w.send(fields{"authorization": {"Bearer " + good}})
	var routes []route.Route
	for _, l := range lines {
		parts := strings.Fields(l)
		r := route.Route{Pattern: patterns(parts[1])[0], Scope: parts[2], Public: parts[2] == "public"}
		if parts[0] != "*" {
			r.Methods = strings.Split(parts[0], ",")
		}
		routes = append(routes, r)
	}
	var err error
	if w.api.Routes, err = route.Compile(nil, routes); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRoutes(t *testing.T) {
	billoget := []string{
		"GET /budgets/** READ_BUDGETS", "POST,PUT,DELETE /budgets/** WRITE_BUDGETS", "GET /budgets/** AUDIT",
		"* /auth/login public", "GET /budgets/example public",
	}
	tests := map[string]struct {
		scopes       keyring.Scopes
		method, path string
		anonymous    bool
		want         Reason
		route        string
	}{
		"its scope":                         {scopes: keyring.Scopes{"READ_BUDGETS"}, path: "/budgets/7", want: Allowed, route: "/budgets/**"},
		"zero segments":                     {scopes: keyring.Scopes{"READ_BUDGETS"}, path: "/budgets", want: Allowed, route: "/budgets/**"},
		"any one of the scopes":             {scopes: keyring.Scopes{"AUDIT"}, path: "/budgets/7", want: Allowed, route: "/budgets/**"},
		"HEAD like GET":                     {scopes: keyring.Scopes{"READ_BUDGETS"}, method: "HEAD", path: "/budgets", want: Allowed, route: "/budgets/**"},
		"another scope":                     {scopes: keyring.Scopes{"READ_BUDGETS"}, method: "POST", path: "/budgets", want: InsufficientScope, route: "/budgets/**"},
		"a wildcard":                        {scopes: keyring.Scopes{"*"}, method: "POST", path: "/budgets", want: Allowed, route: "/budgets/**"},
		"no scope":                          {path: "/budgets", want: InsufficientScope, route: "/budgets/**"},
		"a method that nobody lists":        {scopes: keyring.Scopes{"*"}, method: "PATCH", path: "/budgets", want: RouteNotAllowed, route: "/budgets/**"},
		"a method in lower case":            {scopes: keyring.Scopes{"*"}, method: "get", path: "/budgets", want: RouteNotAllowed, route: "/budgets/**"},
		"public":                            {method: "POST", path: "/auth/login", anonymous: true, want: Allowed, route: "/auth/login"},
		"public, with a key that is none":   {method: "POST", path: "/auth/login", want: Allowed, route: "/auth/login"},
		"public, the more specific":         {path: "/budgets/example", anonymous: true, want: Allowed, route: "/budgets/example"},
		"public for another method":         {scopes: keyring.Scopes{"*"}, method: "PUT", path: "/budgets/example", want: RouteNotAllowed, route: "/budgets/example"},
		"public in another spelling":        {path: "/budgets/ex%61mple", anonymous: true, want: Allowed, route: "/budgets/example"},
		"a scoped route without a key":      {path: "/budgets", anonymous: true, want: MissingCredential, route: "/budgets/**"},
		"no route, where that is allowed":   {path: "/elsewhere", want: Allowed},
		"no route, in another case":         {path: "/Budgets", want: Allowed},
		"no route, but a key is needed yet": {path: "/elsewhere", anonymous: true, want: MissingCredential},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := routed(t, tt.scopes, billoget...)
			w.request.Path = tt.path
			if tt.method != "" {
				w.request.Method = tt.method
			}
			if tt.anonymous {
				w.send(nil)
			}
			got := w.outcome()
			if got.Reason != tt.want || got.Route != tt.route {
				t.Errorf("got %s by %q, want %s by %q", got.Reason, got.Route, tt.want, tt.route)
			}
		})
	}
}

func TestUnmatchedRoutes(t *testing.T) {
	for name, tt := range map[string]struct {
		lines []string
		deny  bool
		path  string
		want  Reason
	}{
		"denied":                         {[]string{"GET /a s"}, true, "/b", RouteNotAllowed},
		"allowed":                        {[]string{"GET /a s"}, false, "/b", Allowed},
		"public routes alone deny none":  {[]string{"POST /a public"}, false, "/a", Allowed},
		"where there are scopes they do": {[]string{"POST /a public", "GET /** s"}, false, "/a", RouteNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			w := routed(t, keyring.Scopes{"s"}, tt.lines...)
			w.api.DenyUnmatched, w.request.Path = tt.deny, tt.path
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

// A gateway's scopes are demanded beside those of the route, not in their place.
func TestGatewayAndRoute(t *testing.T) {
	for name, tt := range map[string]struct {
		scopes keyring.Scopes
		want   Reason
	}{
		"both":          {keyring.Scopes{"READ_BUDGETS", "s"}, Allowed},
		"the route's":   {keyring.Scopes{"s"}, InsufficientScope},
		"the gateway's": {keyring.Scopes{"READ_BUDGETS"}, InsufficientScope},
	} {
		t.Run(name, func(t *testing.T) {
			w := routed(t, tt.scopes, "GET / s")
			w.request.Target.Scopes = []string{"READ_BUDGETS"}
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

func TestScopesThatNobodyDeclares(t *testing.T) {
	w := routed(t, keyring.Scopes{"ADMIN", "a:*"}, "GET / READ")
	w.api.KnownScopes = map[string]bool{"READ": true, "a:b": true}
	for scope, want := range map[string]Reason{"ADMIN": InsufficientScope, "a:c": InsufficientScope, "a:b": InsufficientScope} {
		w.request.Target.Scopes = []string{scope}
		got := w.outcome()
		if scope == "a:b" { // known: the route's is what is missing
			if got.MissingScope != "READ" {
				t.Errorf("%s: missing is %q, want READ", scope, got.MissingScope)
			}
			continue
		}
		if got.Reason != want || got.MissingScope != scope {
			t.Errorf("%s: got %s of %q, want %s of it", scope, got.Reason, got.MissingScope, want)
		}
	}
}

func TestPreflight(t *testing.T) {
	asks := fields{"origin": {"https://app.example"}, "access-control-request-method": {"PUT"}}
	for name, tt := range map[string]struct {
		allow   bool
		method  string
		headers fields
		want    Reason
	}{
		"allowed":                  {true, "OPTIONS", asks, Allowed},
		"denied unless allowed":    {false, "OPTIONS", asks, MissingCredential},
		"another method":           {true, "GET", asks, MissingCredential},
		"no Origin":                {true, "OPTIONS", fields{"access-control-request-method": {"PUT"}}, MissingCredential},
		"no method asked for":      {true, "OPTIONS", fields{"origin": {"https://app.example"}}, MissingCredential},
		"plain OPTIONS with a key": {true, "OPTIONS", fields{"authorization": {"Bearer " + good}}, Allowed},
	} {
		t.Run(name, func(t *testing.T) {
			w := simpleWorld(good, bearer)
			w.api.AllowPreflight, w.request.Method = tt.allow, tt.method
			w.send(tt.headers)
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

// BillStack: the team in the path must be the key's; a key without a project
// opens all projects of its team.
func TestPathBindings(t *testing.T) {
	bindings := []keyring.Binding{
		{Variable: "team", Patterns: patterns("/teams/{team}/**", "/v1/teams/{team}/**"), Field: keyring.Attribute, Attribute: "team"},
		{Variable: "project", Patterns: patterns("/teams/*/projects/{project}/**", "/v1/teams/*/projects/{project}/**"), Field: keyring.Project, IfKeyHas: true},
	}
	for name, tt := range map[string]struct {
		team, project, path string
		want                Reason
	}{
		"its own":                   {"a", "p", "/teams/a/projects/p/customers", Allowed},
		"under a base path":         {"a", "p", "/v1/teams/a/projects/p", Allowed},
		"another team":              {"a", "p", "/teams/b/projects/p/customers", BindingMismatch},
		"another team, base path":   {"a", "p", "/v1/teams/b", BindingMismatch},
		"another project":           {"a", "p", "/teams/a/projects/q", ProjectMismatch},
		"no project, all projects":  {"a", "", "/teams/a/projects/q", Allowed},
		"no team, no way in":        {"", "p", "/teams/a/projects/p", BindingMismatch},
		"an empty team is no team":  {"", "", "/teams/", Allowed}, // the path names none
		"elsewhere":                 {"a", "p", "/healthz", Allowed},
		"spelt otherwise, the same": {"a", "p", "/teams/%61/projects/p", Allowed},
		"spelt otherwise, another":  {"a", "p", "/teams/%62/projects/p", BindingMismatch},
		"in another case":           {"a", "p", "/teams/A/projects/p", BindingMismatch},
		"with a slash at the end":   {"a", "p", "/teams/b/", BindingMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			w := simpleWorld(good, bearer)
			w.api.Bindings, w.key.Project, w.key.Attributes = bindings, tt.project, keyring.NewAttributes(map[string]string{"team": tt.team})
			w.request.Path = tt.path
			w.send(fields{"authorization": {"Bearer " + good}})
			expectReason(t, w.outcome(), tt.want)
		})
	}
}
