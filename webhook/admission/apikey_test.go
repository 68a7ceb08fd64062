package admission

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// billoget is what keys of the rows open.
const billoget = `
kind: ProtectedAPI
metadata: {namespace: apis, name: billoget}
spec:
  allowedNamespaces: {from: Selector, selector: {matchLabels: {keys: welcome}}}
  keyFormat: {prefix: bk, encoding: Hex, length: 32}
  scopes: [{name: READ_BUDGETS}, {name: WRITE_BUDGETS}, {name: "customers:read"}, {name: "customers:write"}]
---
kind: Namespace
metadata: {name: shop, labels: {keys: welcome}}
---
kind: Namespace
metadata: {name: stranger}
`

// of is a spec of a key of billoget without anything to warn of, and more.
func of(more string) string {
	return "{apiRef: {namespace: apis, name: billoget}, allowedIPs: [192.0.2.0/24], expiresAt: '2027-01-01T00:00:00Z', " + more + "}"
}

// longAgo is a spec of a key of billoget that has ended.
func longAgo(more string) string {
	return "{apiRef: {namespace: apis, name: billoget}, allowedIPs: [192.0.2.0/24], expiresAt: '2020-01-01T00:00:00Z', " + more + "}"
}

// plain is the same of a key of the default API.
func plain(more string) string {
	return "{allowedIPs: [192.0.2.0/24], expiresAt: '2027-01-01T00:00:00Z', scopes: [a], " + more + "}"
}

const (
	reads  = "scopes: [READ_BUDGETS]"
	issued = "{keys: [{digest: 'sha256:aa', phase: Current, issuedAt: '2026-11-02T09:41:07Z'}]}"
)

var allowedSilently = outcome{code: 200}

// Who may grant what.
func TestRights(t *testing.T) {
	const (
		issue, blanket = "apis: issue billoget", "apis: scopes"
		all, read      = "apis: scope billoget:*", "apis: scope billoget:READ_BUDGETS"
		missesRead     = `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev "billoget", protectedapis.apikey-operator.dev/scopes "billoget:READ_BUDGETS" in namespace "apis"`
		missesAll      = `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "billoget:*" in namespace "apis"`
		unscoped       = "{kind: ProtectedAPI, metadata: {namespace: apis, name: billoget}, spec: {allowedNamespaces: {from: All}, emptyScopes: FullAccess, scopes: [{name: A}, {name: B}]}}"
	)
	checkRows(t, "APIKey", []row{{
		name: "issuer of all scopes: two questions", with: billoget, after: of(reads), has: "issue billoget, scopes",
		want: outcome{code: 200, asked: []string{issue, blanket}},
	}, {
		name: "issuer of the scope", with: billoget, after: of(reads), has: "issue billoget, scope billoget:READ_BUDGETS",
		want: outcome{code: 200, asked: []string{issue, all, read, blanket}},
	}, {
		name: "issuer of another scope", with: billoget, after: of(reads), has: "issue billoget, scope billoget:WRITE_BUDGETS",
		want: outcome{
			code: 403, message: `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "billoget:READ_BUDGETS" in namespace "apis"`,
			asked: []string{issue, all, read, blanket},
		},
	}, {
		name: "nobody", with: billoget, after: of(reads),
		want: outcome{code: 403, message: missesRead, asked: []string{issue, blanket}},
	}, {
		name: "the scope alone: it isn't asked for", with: billoget, after: of(reads), has: "scope billoget:READ_BUDGETS",
		want: outcome{code: 403, message: missesRead, asked: []string{issue, blanket}},
	}, {
		name: "all scopes, and not the API", with: billoget, after: of(reads), has: "scopes",
		want: outcome{
			code: 403, message: `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev "billoget" in namespace "apis"`,
			asked: []string{issue, blanket},
		},
	}, {
		name: "the right to * is one to each", with: billoget, after: of(reads), has: "issue billoget, scope billoget:*",
		want: outcome{code: 200, asked: []string{issue, all, read, blanket}},
	}, {
		name: "a wildcard by its name", with: billoget, after: of("scopes: ['customers:*']"), has: "issue billoget, scope billoget:customers:*",
		want: outcome{code: 200, asked: []string{issue, all, "apis: scope billoget:customers:*", blanket}},
	}, {
		name: "a wildcard by all that it covers", with: billoget, after: of("scopes: ['customers:*']"), has: "issue billoget, scope billoget:customers:read, scope billoget:customers:write",
		want: outcome{code: 200, asked: []string{issue, all, "apis: scope billoget:customers:*", "apis: scope billoget:customers:read", "apis: scope billoget:customers:write", blanket}},
	}, {
		name: "a wildcard by some that it covers", with: billoget, after: of("scopes: ['customers:*']"), has: "issue billoget, scope billoget:customers:read",
		want: outcome{
			code: 403, message: `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "billoget:customers:*" (or on each scope that it covers) in namespace "apis"`,
			asked: []string{issue, all, "apis: scope billoget:customers:*", "apis: scope billoget:customers:read", "apis: scope billoget:customers:write", blanket},
		},
	}, {
		name: "a scope by the wildcard that covers it", with: billoget, after: of("scopes: ['customers:read']"), has: "issue billoget, scope billoget:customers:*",
		want: outcome{code: 200, asked: []string{issue, all, "apis: scope billoget:customers:*", "apis: scope billoget:customers:read", blanket}},
	}, {
		name: "no scopes where that is nothing: no scope is asked for", with: billoget, after: of(""), has: "issue billoget",
		want: outcome{code: 200, asked: []string{issue}},
	}, {
		name: "no scopes where that is full access", with: "{kind: ProtectedAPI, metadata: {namespace: apis, name: billoget}, spec: {allowedNamespaces: {from: All}}}", after: of(""), has: "issue billoget",
		want: outcome{
			code: 403, message: `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "billoget:*" in namespace "apis"`,
			asked: []string{issue, all, blanket},
		},
	}, {
		name: "the default API, in the key's own namespace", after: "{allowedIPs: [192.0.2.7], expiresAt: '2027-01-01T00:00:00Z', scopes: [a]}", has: "issue default, scope default:a",
		want: outcome{code: 200, asked: []string{"shop: issue default", "shop: scope default:*", "shop: scope default:a", "shop: scopes"}},
	}, {
		name: "the default API without scopes", after: "{}", has: "issue default",
		want: outcome{
			code: 403, message: `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "default:*" in namespace "shop"`,
			asked: []string{"shop: issue default", "shop: scope default:*", "shop: scopes"},
		},
	}, {
		name: "an API that isn't there yet: a warning", after: of(reads), has: "issue billoget, scope billoget:READ_BUDGETS",
		want: outcome{
			code: 200, warnings: []string{"spec.apiRef: there is no ProtectedAPI apis/billoget yet: no key is issued until it is there"},
			asked: []string{issue, all, read, blanket},
		},
	}, {
		name: "an API that isn't there yet, whose keys may have full access without scopes", after: of(""), has: "issue billoget",
		want: outcome{code: 403, message: missesAll, asked: []string{issue, all, blanket}},
	}, {
		name: "it can't be asked: refused", with: billoget, after: of(""), has: "issue billoget, scopes", fail: errDown,
		want: outcome{
			code: 500, message: `asking whether user "jane" has verb issue on protectedapis.apikey-operator.dev: the API server is tired`,
			asked: []string{issue},
		},
	}, {
		name: "another scope: that one is asked for", with: billoget, before: of(reads), after: of("scopes: [READ_BUDGETS, WRITE_BUDGETS]"), status: issued, has: "issue billoget, scope billoget:WRITE_BUDGETS",
		want: outcome{code: 200, asked: []string{issue, all, "apis: scope billoget:WRITE_BUDGETS", blanket}},
	}, {
		name: "another address: all scopes are asked for", with: billoget, before: of(reads), after: "{apiRef: {namespace: apis, name: billoget}, expiresAt: '2027-01-01T00:00:00Z', allowedIPs: [192.0.0.0/16], " + reads + "}", status: issued, has: "issue billoget",
		want: outcome{
			code: 403, message: `spec.allowedIPs: 192.0.0.0/16 is let in. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "billoget:READ_BUDGETS" in namespace "apis"`,
			asked: []string{issue, all, read, blanket},
		},
	}, {
		name: "resumed", with: billoget, before: of(reads + ", state: Suspended"), after: of(reads + ", state: Active"), status: issued, has: "issue billoget",
		want: outcome{
			code: 403, message: `spec.state: it is resumed. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "billoget:READ_BUDGETS" in namespace "apis"`,
			asked: []string{issue, all, read, blanket},
		},
	}, {
		name: "suspended", with: billoget, before: of(reads), after: of(reads + ", state: Suspended"), status: issued, want: allowedSilently,
	}, {
		name: "revoked", with: billoget, before: of(reads), after: of(reads + ", state: Revoked"), status: issued, want: allowedSilently,
	}, {
		name: "narrowed", with: billoget, before: of("scopes: ['*']"), after: of("scopes: ['customers:*'], rateLimit: {requests: 1, period: 1s}"), status: issued, want: allowedSilently,
	}, {
		name: "only its label is changed", with: billoget, before: of(reads), after: of(reads), want: allowedSilently,
	}, {
		name: "on its way out", with: billoget, before: of(reads), after: of("scopes: ['*']"), want: allowedSilently,
		edit: func(o client.Object) { o.SetDeletionTimestamp(&created) },
	}, {
		name: "new, and ended long ago: as if it were in use", with: billoget, after: longAgo(reads), has: "issue billoget, scopes",
		want: outcome{code: 200, asked: []string{issue, blanket}},
	}, {
		name: "new, and ended long ago, by nobody", with: billoget, after: longAgo(reads),
		want: outcome{code: 403, message: missesRead, asked: []string{issue, blanket}},
	}, {
		name: "new and suspended: as if it were in use", with: billoget, after: of(reads + ", state: Suspended"), has: "issue billoget, scopes",
		want: outcome{code: 200, asked: []string{issue, blanket}},
	}, {
		name: "new and suspended, by nobody", with: billoget, after: of(reads + ", state: Suspended"),
		want: outcome{code: 403, message: missesRead, asked: []string{issue, blanket}},
	}, {
		name: "new and revoked", after: "{scopes: ['*'], state: Revoked}", want: allowedSilently,
	}, {
		name: "widened, ended long ago: as if it were in use", with: billoget, before: longAgo(reads), after: longAgo("scopes: ['*']"), status: issued,
		want: outcome{
			code:    403,
			message: `spec.scopes: * is added. Missing: verb issue on protectedapis.apikey-operator.dev "billoget", protectedapis.apikey-operator.dev/scopes "billoget:*" in namespace "apis"`,
			asked:   []string{issue, blanket},
		},
	}, {
		name: "narrowed, ended long ago", with: billoget, before: longAgo("scopes: ['*']"), after: longAgo(reads), status: issued, want: allowedSilently,
	}, {
		name: "ended and narrowed", with: billoget, before: of("scopes: ['*']"), after: longAgo(reads), status: issued, want: allowedSilently,
	}, {
		name: "widened while suspended: as if it were in use", with: billoget, before: of(reads + ", state: Suspended"), after: of("scopes: ['*'], state: Suspended"), status: issued, has: "issue billoget, scopes",
		want: outcome{code: 200, asked: []string{issue, blanket}},
	}, {
		name: "suspended and widened, by nobody", with: billoget, before: of(reads), after: of("scopes: ['*'], state: Suspended"), status: issued,
		want: outcome{
			code:    403,
			message: `spec.scopes: * is added. Missing: verb issue on protectedapis.apikey-operator.dev "billoget", protectedapis.apikey-operator.dev/scopes "billoget:*" in namespace "apis"`,
			asked:   []string{issue, blanket},
		},
	}, {
		name: "its end taken out while suspended, by nobody", with: billoget, before: of(reads + ", state: Suspended"), after: strings.Replace(of(reads+", state: Suspended"), "expiresAt: ", "description: ", 1), status: issued,
		want: outcome{code: 403, message: `spec.expiresAt: the key never ends instead of 2027-01-01T00:00:00Z. ` + strings.TrimPrefix(missesRead, "spec: the APIKey is new. "), asked: []string{issue, blanket}},
	}, {
		name: "narrowed while suspended", with: billoget, before: of("scopes: ['*'], state: Suspended"), after: of(reads + ", state: Suspended"), status: issued, want: allowedSilently,
	}, {
		name: "revoked and widened: it never comes back", with: billoget, before: of(reads), after: of("scopes: ['*'], state: Revoked"), status: issued, want: allowedSilently,
	}, {
		name: "prolonged, ended long ago", with: billoget, before: longAgo("scopes: [READ_BUDGETS, WRITE_BUDGETS]"), after: of(reads), status: issued, has: "issue billoget",
		want: outcome{
			code:    403,
			message: `spec.expiresAt: the key had expired, and now ends on 2027-01-01T00:00:00Z. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "billoget:READ_BUDGETS" in namespace "apis"`,
			asked:   []string{issue, all, read, blanket},
		},
	}, {
		name: "an owner, whom the upstream takes it for", before: plain(""), after: plain("owner: {email: ceo@corp.example}"), status: issued, has: "issue default",
		want: outcome{
			code:    403,
			message: `spec.owner.email: it is set, and the upstream is told. Missing: verb issue on protectedapis.apikey-operator.dev/scopes "default:a" in namespace "shop"`,
			asked:   []string{"shop: issue default", "shop: scope default:*", "shop: scope default:a", "shop: scopes"},
		},
	}, {
		name: "all declared scopes aren't full access", with: unscoped, after: of(""), has: "issue billoget, scope billoget:A, scope billoget:B",
		want: outcome{code: 403, message: missesAll, asked: []string{issue, all, blanket}},
	}, {
		name: "they are all that * covers", with: unscoped, after: of("scopes: ['*']"), has: "issue billoget, scope billoget:A, scope billoget:B",
		want: outcome{code: 200, asked: []string{issue, all, "apis: scope billoget:A", "apis: scope billoget:B", blanket}},
	}, {
		name: "full access by its name", with: unscoped, after: of(""), has: "issue billoget, scope billoget:*",
		want: outcome{code: 200, warnings: []string{"spec.scopes: unset: the key may do all that ProtectedAPI apis/billoget offers"}, asked: []string{issue, all, blanket}},
	}})
}

// What is wrong with an APIKey, for somebody who may grant anything.
func TestProblems(t *testing.T) {
	const everything = "issue billoget, scopes, issue default"
	asked := []string{"apis: issue billoget", "apis: scopes"}
	limited := "kind: ProtectedAPI\nmetadata: {namespace: apis, name: billoget}\nspec:\n  allowedNamespaces: {from: All}\n  scopes: [{name: READ_BUDGETS}]\n" +
		"  keyLimits: {maxTTL: 720h, allowedIPs: Required, scopes: Required, maxRateLimit: {requests: 10, period: 1s}, maxRotationInterval: 240h}\n"
	within := "rateLimit: {requests: 10, period: 1s}, rotation: {interval: 240h}, "
	rows := []row{{
		name: "a scope that isn't declared", with: billoget, after: of("scopes: [READ_BUDGETS, READ_BUDGET]"),
		want: outcome{
			code: 422, message: `spec.scopes[1]: Invalid value: ProtectedAPI apis/billoget doesn't declare "READ_BUDGET" (nearest: "READ_BUDGETS"), which grants nothing: correct it, or declare it in its spec.scopes`,
		},
	}, {
		name: "limits", with: limited, after: "{apiRef: {namespace: apis, name: billoget}}",
		want: outcome{
			code: 422, message: "spec.expiresAt: Required value: set it to 2026-12-02T09:41:07Z or earlier, or create the APIKey anew (keyLimits.maxTTL of ProtectedAPI apis/billoget), spec.allowedIPs: Required value: list the addresses that may use the key (keyLimits.allowedIPs of ProtectedAPI apis/billoget), spec.scopes: Required value: list what the key may do (keyLimits.scopes of ProtectedAPI apis/billoget), spec.rotation.interval: Required value: set at most 240h (keyLimits.maxRotationInterval of ProtectedAPI apis/billoget), spec.rateLimit: Required value: set at most 10 requests per 1s (keyLimits.maxRateLimit of ProtectedAPI apis/billoget)",
			asked: []string{"apis: issue billoget"}, // no scopes are nothing
		},
	}, {
		name: "within limits", with: limited, after: "{apiRef: {namespace: apis, name: billoget}, allowedIPs: [192.0.2.7], expiresAt: '2026-11-30T00:00:00Z', " + within + reads + "}",
		want: outcome{code: 200},
	}, {
		name: "an edit that has nothing to do with what is wrong", with: limited, before: of(reads), after: of(reads + ", displayName: Shop"), status: issued,
		want: outcome{code: 200, asked: nobody},
	}, {
		name: "one that makes it less wrong, and opens another address", with: limited,
		before: "{apiRef: {namespace: apis, name: billoget}, allowedIPs: [192.0.2.0/24], expiresAt: '2029-01-01T00:00:00Z', " + reads + "}",
		after:  "{apiRef: {namespace: apis, name: billoget}, allowedIPs: [192.0.0.0/16], expiresAt: '2028-01-01T00:00:00Z', " + reads + "}", status: issued,
		want: outcome{code: 200},
	}, {
		name: "one that makes it worse", with: limited, before: of(reads),
		after: "{apiRef: {namespace: apis, name: billoget}, allowedIPs: [192.0.2.0/24], expiresAt: '2028-01-01T00:00:00Z', " + reads + "}", status: issued,
		want: outcome{
			code: 422, message: "spec.expiresAt: Invalid value: 2028-01-01T00:00:00Z is more than 720h after creation: set it to 2026-12-02T09:41:07Z or earlier, or create the APIKey anew (keyLimits.maxTTL of ProtectedAPI apis/billoget)",
		},
	}, {
		name: "narrowed below what is required: scopes", with: limited, before: of(reads), after: of(""), status: issued,
		want: outcome{code: 200, asked: nobody},
	}, {
		name: "narrowed, and a template needs what is gone", with: billoget, before: of("scopes: [READ_BUDGETS, WRITE_BUDGETS], secret: {data: {a: '{{ index .Scopes 1 }}'}}"), after: of("scopes: [READ_BUDGETS], secret: {data: {a: '{{ index .Scopes 1 }}'}}"), status: issued,
		want: outcome{code: 200, asked: nobody},
	}, {
		name: "narrowed to a scope that doesn't exist", with: billoget, before: of("scopes: ['customers:*']"), after: of("scopes: ['customers:reed']"), status: issued,
		want: outcome{code: 422, message: `spec.scopes[0]: Invalid value: ProtectedAPI apis/billoget doesn't declare "customers:reed" (nearest: "customers:read"), which grants nothing: correct it, or declare it in its spec.scopes`, asked: nobody},
	}, {
		name: "narrowed, and a template is broken beside", with: billoget, before: of("scopes: ['*']"), after: of("scopes: ['customers:*'], secret: {data: {a: '{{'}}"), status: issued,
		want: outcome{code: 422, message: "spec.secret.data[a]: Invalid value: template:1: unclosed action: correct the template", asked: nobody},
	}, {
		name: "a rotation that is too slow", with: limited, before: of(within + reads), after: of("rateLimit: {requests: 10, period: 1s}, rotation: {interval: 241h}, " + reads), status: issued,
		want: outcome{
			code: 422, message: "spec.rotation.interval: Invalid value: 241h0m0s is above 240h: set a shorter one (keyLimits.maxRotationInterval of ProtectedAPI apis/billoget)",
			asked: nobody,
		},
	}, {
		name: "resumed: all is looked at", with: limited, before: of(reads + ", state: Suspended"), after: of(reads), status: issued,
		want: outcome{
			code: 422, message: "spec.expiresAt: Invalid value: 2027-01-01T00:00:00Z is more than 720h after creation: set it to 2026-12-02T09:41:07Z or earlier, or create the APIKey anew (keyLimits.maxTTL of ProtectedAPI apis/billoget), spec.rotation.interval: Required value: set at most 240h (keyLimits.maxRotationInterval of ProtectedAPI apis/billoget), spec.rateLimit: Required value: set at most 10 requests per 1s (keyLimits.maxRateLimit of ProtectedAPI apis/billoget)",
		},
	}, {
		name: "a namespace that isn't admitted", with: billoget, after: of(reads),
		edit: func(o client.Object) { o.SetNamespace("stranger") },
		want: outcome{
			code: 422, message: `spec.apiRef: Invalid value: spec.allowedNamespaces of ProtectedAPI apis/billoget doesn't include namespace "stranger", so requests would be denied: have it admitted there, or refer to another ProtectedAPI`,
		},
	}, {
		name: "an environment that the API hasn't", with: billoget, after: of(reads + ", environment: live"),
		want: outcome{
			code: 422, message: "spec.environment: Invalid value: the API has no environments, must be unset (spec.keyFormat.environments of ProtectedAPI apis/billoget); it is part of the raw key",
		},
	}, {
		name: "no environment where there are some", with: "{kind: ProtectedAPI, metadata: {namespace: apis, name: billoget}, spec: {keyFormat: {prefix: bk, environments: [live, test], encoding: Hex, length: 32}, allowedNamespaces: {from: All}, scopes: [{name: READ_BUDGETS}]}}",
		after: of(reads), want: outcome{
			code: 422, message: "spec.environment: Invalid value: must be one of the API's: live, test (spec.keyFormat.environments of ProtectedAPI apis/billoget); it is part of the raw key",
		},
	}, {
		name: "templates: each by itself", with: billoget, after: of(reads + ", secret: {data: {a: '{{ .Nothing }}', b: '{{ .Key }}', c: '{{'}}"),
		want: outcome{
			code: 422, message: `spec.secret.data[a]: Invalid value: template:1:3: executing "template" at <.Nothing>: can't evaluate field Nothing in type apikey.templateData: correct the template, spec.secret.data[c]: Invalid value: template:1: unclosed action: correct the template`,
		},
	}, {
		name: "templates: one was wrong before", with: billoget, before: of(reads + ", secret: {data: {a: '{{'}}"), after: of(reads + ", secret: {data: {a: '{{', b: '{{ .Key }}'}}"), status: issued,
		want: outcome{code: 200, asked: nobody},
	}, {
		name: "an API that isn't there", after: of(reads),
		want: outcome{
			code: 200, warnings: []string{"spec.apiRef: there is no ProtectedAPI apis/billoget yet: no key is issued until it is there"},
		},
	}, {
		name: "an API that can't be used", with: "{kind: ProtectedAPI, metadata: {namespace: apis, name: billoget}, spec: {allowedNamespaces: {from: All}, conditions: [{expression: 'nothing('}]}}", after: of(reads),
		want: outcome{
			code: 200, warnings: []string{"spec.apiRef: ProtectedAPI apis/billoget can't be used as it is: see its Ready condition"},
		},
	}, {
		name: "an API of a namespace that isn't served", watched: []string{"shop"}, after: of(reads),
		want: outcome{
			code: 422, message: `spec.apiRef: Invalid value: this operator doesn't serve namespace "apis": refer to a ProtectedAPI of a namespace in its --namespaces`,
			asked: nobody,
		},
	}}
	checkRows(t, "APIKey", askedBy(rows, everything, asked))
}

// nobody was asked for rights.
var nobody = []string{}

// askedBy gives somebody's rights to rows, and what is asked for in all that don't say
// otherwise.
func askedBy(rows []row, has string, asked []string) []row {
	for i := range rows {
		rows[i].has = has
		switch w := &rows[i].want; {
		case w.asked == nil:
			w.asked = asked
		case len(w.asked) == 0:
			w.asked = nil
		}
	}
	return rows
}

// What is allowed and seldom meant.
func TestWarnings(t *testing.T) {
	checkRows(t, "APIKey", []row{{
		name: "an edit tells only of what is new", before: "{}", after: "{displayName: Shop}", status: issued, want: allowedSilently,
	}, {
		name: "an end before the first rotation", before: "{}", after: "{expiresAt: '2026-11-05T00:00:00Z', rotation: {interval: 72h}}", status: issued,
		want: outcome{
			code: 200, warnings: []string{"spec.rotation.interval: the key ends at 2026-11-05T00:00:00Z, before it is as old as 72h0m0s: it is never rotated"},
		},
	}, {
		name: "an end after it", before: "{}", after: "{expiresAt: '2026-11-07T00:00:00Z', rotation: {interval: 72h}}", status: issued,
		want: allowedSilently,
	}, {
		name: "an end by default", with: "{kind: ProtectedAPI, metadata: {namespace: shop, name: api}, spec: {keyDefaults: {ttl: 24h}}}", after: "{apiRef: {name: api}, allowedIPs: [192.0.2.7], scopes: ['*']}", has: "issue api, scopes",
		want: outcome{code: 200, asked: []string{"shop: issue api", "shop: scopes"}},
	}})
}
