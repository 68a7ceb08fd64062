package compile

import (
	"fmt"
	"slices"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/route"
	"github.com/apikey-operator/apikey-operator/internal/safetemplate"
)

// setRoutes compiles the scopes' routes and the public ones, and what becomes of
// paths that none of them matches.
func setRoutes(p *v1alpha1.ProtectedAPI, api *keyring.API) error {
	var routes []route.Route
	for i, s := range p.Spec.Scopes {
		for j, r := range s.Routes {
			one, err := compileRoute(r)
			if err != nil {
				return fmt.Errorf("spec.scopes[%d].routes[%d].path: %w", i, j, err)
			}
			one.Scope = string(s.Name)
			routes = append(routes, one)
		}
	}
	scoped := len(routes) > 0
	for i, r := range p.Spec.PublicRoutes {
		one, err := compileRoute(r)
		if err != nil {
			return fmt.Errorf("spec.publicRoutes[%d].path: %w", i, err)
		}
		one.Public = true
		routes = append(routes, one)
	}
	table, err := route.Compile(basePaths(p.Spec.BasePaths), routes)
	if err != nil {
		return fmt.Errorf("spec.basePaths: %w", err)
	}
	if len(routes) > 0 {
		api.Routes = table
	}
	api.DenyUnmatched = p.Spec.UnmatchedRoutes == v1alpha1.Deny || p.Spec.UnmatchedRoutes == "" && scoped
	return nil
}

func compileRoute(r v1alpha1.Route) (route.Route, error) {
	pattern, err := route.Parse(string(r.Path))
	out := route.Route{Pattern: pattern}
	for _, m := range r.Methods {
		out.Methods = append(out.Methods, string(m))
	}
	return out, err
}

func basePaths(in []v1alpha1.BasePath) []string {
	if len(in) == 0 {
		return []string{""}
	}
	out := make([]string, len(in))
	for i, b := range in {
		out[i] = string(b)
	}
	return out
}

// bindingPatterns are the pattern of a path variable under each base path.
func bindingPatterns(bases []v1alpha1.BasePath, from v1alpha1.BindingSource) ([]route.Pattern, error) {
	var out []route.Pattern
	for _, base := range basePaths(bases) {
		pattern, err := route.Parse(base + string(from.Path))
		if err != nil {
			return nil, fmt.Errorf("path: %w", err)
		}
		if !slices.Contains(pattern.Variables(), from.PathVariable) {
			return nil, fmt.Errorf("pathVariable: path %q has no variable {%s}", from.Path, from.PathVariable)
		}
		out = append(out, pattern)
	}
	return out, nil
}

func knownScopes(in []v1alpha1.ScopeDeclaration) map[string]bool {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]bool, len(in))
	for _, s := range in {
		out[string(s.Name)] = true
	}
	return out
}

func denyEmptyScopes(p *v1alpha1.ProtectedAPI) bool {
	if p.Spec.EmptyScopes == "" {
		return len(p.Spec.Scopes) > 0
	}
	return p.Spec.EmptyScopes == v1alpha1.EmptyScopesDeny
}

// setDenials compiles the denials' bodies, and renders each once, so that one
// that can't be is known before it is needed.
func setDenials(p *v1alpha1.ProtectedAPI, api *keyring.API) error {
	for i, d := range p.Spec.Denials {
		out := keyring.Denial{Status: int(d.Status)}
		for _, h := range d.Headers {
			out.Headers = append(out.Headers, [2]string{string(h.Name), h.Value})
		}
		if d.Body != "" {
			body, err := safetemplate.Parse(d.Body)
			if err == nil {
				_, err = body.Render(keyring.DenialData{Error: "unauthorized", Message: "…", Status: 401, Scope: "scope", RetryAfter: 1})
			}
			if err != nil {
				return fmt.Errorf("spec.denials[%d].body: %w", i, err)
			}
			out.Body = body
		}
		if api.Denials == nil {
			api.Denials = map[string]keyring.Denial{}
		}
		api.Denials[string(d.Code)] = out
	}
	return nil
}

// identityHeaders are the headers that spec.upstream.headers names.
var identityHeaders = map[v1alpha1.IdentityHeader]string{
	"Name": "x-apikey-name", "Namespace": "x-apikey-namespace", "Project": "x-apikey-project", "Scopes": "x-apikey-scopes",
	"Environment": "x-apikey-environment", "Hint": "x-apikey-hint", "Owner": "x-apikey-owner", "OwnerEmail": "x-apikey-owner-email",
}

func setUpstream(u *v1alpha1.Upstream, api *keyring.API) {
	if u == nil {
		return
	}
	api.KeepCredential = u.Credential == v1alpha1.CredentialKeep
	if len(u.Headers) == 0 {
		return
	}
	api.HideHeaders = map[string]bool{}
	for name, header := range identityHeaders {
		if !slices.Contains(u.Headers, name) {
			api.HideHeaders[header] = true
		}
	}
}
