package v1alpha1_test

import (
	"slices"
	"testing"
)

// defaults says what the server stores of a spec: what the field comments
// promise where they say "Unset", and nothing else.
var defaults = []filled{
	{"nothing", apiKey, "{}", "state: Active"},
	{"null is unset", apiKey, "{state: null, scopes: null, rateLimit: null}", "state: Active"},
	{"a state", apiKey, "state: Suspended", "state: Suspended"},
	{
		"a limit", apiKey, "rateLimit: {requests: 1000, period: 1h}",
		"{state: Active, rateLimit: {requests: 1000, period: 1h, algorithm: FixedWindow}}",
	},
	{
		"burst is not filled in, so that it follows requests", apiKey,
		"rateLimit: {requests: 1000, period: 1h, algorithm: TokenBucket}",
		"{state: Active, rateLimit: {requests: 1000, period: 1h, algorithm: TokenBucket}}",
	},
	{"a Secret", apiKey, "secret: {}", "{state: Active, secret: {entry: api-key}}"},
	{
		"a Secret's entry", apiKey, "secret: {entry: token, labels: {a: b}}",
		"{state: Active, secret: {entry: token, labels: {a: b}}}",
	},
	{"a reference", apiKey, "apiRef: {name: shop}", "{state: Active, apiRef: {name: shop}}"},
	{"nothing", protectedAPI, "{}", "{}"},
	{
		"a format", protectedAPI, "keyFormat: {}",
		`keyFormat: {separator: "_", encoding: Base62, length: 32, checksum: None}`,
	},
	{
		"a format without separator", protectedAPI, `keyFormat: {prefix: MDp, separator: "", encoding: Base64, length: 85}`,
		`keyFormat: {prefix: MDp, separator: "", encoding: Base64, length: 85, checksum: None}`,
	},
	{
		"a binding", protectedAPI, "bindings: [{from: {header: Email}, equals: owner.email}]",
		"bindings: [{from: {header: Email}, equals: owner.email, compare: Exact}]",
	},
	{"credentials", protectedAPI, "credentials: [{type: Bearer}]", "credentials: [{type: Bearer}]"},
	{
		"what an API does where nothing is said", protectedAPI,
		"{scopes: [{name: a, routes: [{path: /}]}], publicRoutes: [{path: /login}], upstream: {headers: [Name]}, keyLimits: {scopes: Required}, audit: {log: Denied}}",
		"{scopes: [{name: a, routes: [{path: /}]}], publicRoutes: [{path: /login}], upstream: {headers: [Name]}, keyLimits: {scopes: Required}, audit: {log: Denied}}",
	},
	{
		"null is unset", protectedAPI, "{basePaths: null, plainHTTP: null, preflight: null, unmatchedRoutes: null, emptyScopes: null, denials: null, audit: null}", "{}",
	},
	{
		"a binding from the path", protectedAPI, "bindings: [{from: {pathVariable: team, path: '/{team}'}, equals: project}]",
		"bindings: [{from: {pathVariable: team, path: '/{team}'}, equals: project, compare: Exact}]",
	},
	{"a denial", protectedAPI, "denials: [{code: unauthorized}]", "denials: [{code: unauthorized}]"},
	{
		"a default limit of keys", protectedAPI, "keyDefaults: {rateLimit: {requests: 1000, period: 1h}}",
		"keyDefaults: {rateLimit: {requests: 1000, period: 1h, algorithm: FixedWindow}}",
	},
}

// statusDefaults are defaults of a status.
var statusDefaults = []filled{
	{"nothing", apiKey, "{}", "{}"},
	{
		"an effective limit", apiKey, "effective: {rateLimit: {requests: 1000, period: 1h}}",
		"effective: {rateLimit: {requests: 1000, period: 1h, algorithm: FixedWindow}}",
	},
}

// filled is what is given of a kind's spec or status, and what is stored.
type filled struct{ name, kind, given, stored string }

func TestDefaults(t *testing.T) {
	for _, d := range defaults {
		t.Run(d.kind+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			u, err := create(t, object(t, d.kind, d.given), dryRun)
			wantAccepted(t, u, err)
			wantEqual(t, u.Object["spec"], any(fields(t, d.stored)))
		})
	}
	for _, d := range statusDefaults {
		t.Run(d.kind+"/status/"+d.name, func(t *testing.T) {
			t.Parallel()
			u := mustCreate(t, object(t, d.kind, "{}"))
			u.Object["status"] = fields(t, d.given)
			u, err := update(t, u, dryRun, "status")
			wantAccepted(t, u, err)
			wantEqual(t, u.Object["status"], any(fields(t, d.stored)))
		})
	}
}

// TestEveryDefaultHasARow is for those who add a default.
func TestEveryDefaultHasARow(t *testing.T) {
	for _, kind := range kinds {
		all := places(t, kind)
		seen := map[string]bool{}
		for part, rows := range map[string][]filled{"spec": defaults, "status": statusDefaults} {
			i := slices.IndexFunc(all, func(p place) bool { return p.path == part })
			for _, d := range rows {
				if d.kind != kind {
					continue
				}
				given, stored := map[string]location{}, map[string]location{}
				locate(all[i].schema, part, location{part}, fields(t, d.given), given)
				locate(all[i].schema, part, location{part}, fields(t, d.stored), stored)
				for path := range stored {
					if _, ok := given[path]; !ok {
						seen[path] = true
					}
				}
			}
		}
		for _, p := range all {
			if p.schema.Default != nil && !seen[p.path] && p.path != "status" { // of which TestStatusIsSeparate tells
				t.Errorf("%s %s: no row has its default", kind, p.path)
			}
		}
		if slices.ContainsFunc(all, func(p place) bool { return p.path == "spec" && p.schema.Default != nil }) {
			t.Errorf("%s: spec has a default: it could be removed, and the transition rules with it", kind)
		}
	}
}
