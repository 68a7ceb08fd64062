package admission

import (
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

// payroll is an API that has nothing to do with Jane's namespace.
const payroll = `
kind: ProtectedAPI
metadata: {namespace: finance, name: payroll}
spec:
  keyFormat: {prefix: bk, environments: [live, dark], encoding: Hex, length: 32}
  keyLimits: {maxTTL: 24h}
  scopes: [{name: FIRE_EVERYBODY}, {name: "staff:read"}, {name: "staff:write"}]
---
kind: Namespace
metadata: {name: shop}
`

// Somebody who may create APIKeys, and grant nothing, learns nothing by it: the answer
// is the same whatever there is, and in whichever state the APIKey is to be.
func TestNobodyIsToldAnything(t *testing.T) {
	const (
		ofPayroll = "apiRef: {namespace: finance, name: payroll}, "
		missing   = `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev `
		payrolls  = missing + `"payroll"`
		at        = ` in namespace "finance"`
		defaults  = missing + `"default", protectedapis.apikey-operator.dev/scopes "default:a" in namespace "shop"`
	)
	sha := strings.Repeat("ab", 32)
	scope := func(names ...string) string {
		out := payrolls
		for _, n := range names {
			out += `, protectedapis.apikey-operator.dev/scopes "payroll:` + n + `"`
		}
		return out + at
	}
	var rows []row
	issue, both, shops := []string{"finance: issue payroll"}, []string{"finance: issue payroll", "finance: scopes"}, []string{"shop: issue default", "shop: scopes"}
	for _, spec := range []struct {
		name, with, spec, says string
		asked                  []string // which Jane doesn't see
	}{
		{"a scope that isn't declared", payroll, ofPayroll + "scopes: [FIRE]", scope("FIRE"), both},
		{"of two scopes one that is", payroll, ofPayroll + "scopes: [FIRE_EVERYBODY, GUESS]", scope("FIRE_EVERYBODY", "GUESS"), both},
		{"a wildcard that covers some", payroll, ofPayroll + "scopes: ['staff:*', 'stuff:*']", scope("staff:*", "stuff:*"), both},
		{"an environment, a limit and an API that doesn't admit", payroll, ofPayroll + "environment: test, allowedIPs: [192.0.2.7]", scope(), issue},
		{"no scopes where that is nothing", payroll, ofPayroll, scope(), issue},
		{"no scopes where that is full access", strings.Replace(payroll, "spec:", "spec:\n  emptyScopes: FullAccess", 1), ofPayroll, scope(), both},
		{"an API that can't be used", strings.Replace(payroll, "spec:", "spec:\n  conditions: [{expression: '1'}]", 1), ofPayroll, scope(), both},
		{"an API that isn't there", "", ofPayroll, scope(), both},
		{"a template", payroll, ofPayroll + "secret: {data: {a: '{{'}}", scope(), issue},
		{"a Secret of somebody else", "kind: Secret\nmetadata: {namespace: shop, name: db}", "scopes: [a], secret: {name: db}", defaults, shops},
		{"no such Secret", "", "scopes: [a], secret: {name: db}", defaults, shops},
		{"a Secret to import from", "kind: Secret\nmetadata: {namespace: shop, name: db}", "scopes: [a], existingKey: {secretKeyRef: {name: db, key: x}}", defaults, shops},
		{"no such Secret to import from", "", "scopes: [a], existingKey: {secretKeyRef: {name: db, key: x}}", defaults, shops},
		{
			"a hash that somebody has", "kind: APIKey\nmetadata: {namespace: elsewhere, name: theirs, uid: other}\nspec: {}\n" +
				"status: {keys: [{digest: 'sha256:" + sha + "', phase: Current, issuedAt: '2026-11-02T09:41:07Z'}]}",
			"scopes: [a], existingKey: {sha256: " + sha + "}", defaults, shops,
		},
		{"a hash that nobody has", "", "scopes: [a], existingKey: {sha256: " + sha + "}", defaults, shops},
	} {
		for state, more := range map[string]string{"": "", "suspended, ": ", state: Suspended", "ended, ": ", expiresAt: '2020-01-01T00:00:00Z'"} {
			more = "{" + strings.TrimSuffix(spec.spec, ", ") + more + "}"
			rows = append(rows, row{name: state + spec.name, with: spec.with, after: more, want: outcome{code: 403, message: spec.says, asked: spec.asked}})
		}
	}
	checkRows(t, "APIKey", rows)
}

// An APIKey that is known by its hash only gives way to one that brings the raw key. That
// takes rights, also of one that is suspended: it would close the other.
func TestNobodyTakesAKeyOver(t *testing.T) {
	const raw = "legacy-0123456789abcdefghij"
	sha := strings.TrimPrefix(key.NewRaw(raw).Digest().String(), "sha256:")
	theirs := "kind: APIKey\nmetadata: {namespace: elsewhere, name: theirs, uid: other}\n" +
		"spec: {apiRef: {namespace: apis, name: billoget}, scopes: [READ_BUDGETS], existingKey: {sha256: " + sha + "}}\n" +
		"status: {keys: [{digest: 'sha256:" + sha + "', phase: Current, issuedAt: '2026-11-02T09:41:07Z'}]}"
	with, brings := strings.Join([]string{billoget, theirs, oldSecret("true", raw)}, "\n---\n"), reads+", existingKey: {secretKeyRef: {name: old, key: token}}"
	refused := outcome{
		code:    403,
		message: `spec: the APIKey is new. Missing: verb issue on protectedapis.apikey-operator.dev "billoget", protectedapis.apikey-operator.dev/scopes "billoget:READ_BUDGETS" in namespace "apis"`,
		asked:   []string{"apis: issue billoget", "apis: scopes"},
	}
	granted := outcome{code: 200, asked: refused.asked}
	checkRows(t, "APIKey", []row{
		{name: "in use", with: with, after: of(brings), want: refused},
		{name: "suspended", with: with, after: of("state: Suspended, " + brings), want: refused},
		{name: "ended", with: with, after: longAgo(brings), want: refused},
		{name: "by whoever may", with: with, after: of("state: Suspended, " + brings), has: "issue billoget, scopes", want: granted},
	})
}

// Whoever may edit an APIKey may take away from it, whatever has become of its API.
func TestNarrowingIsNeverRefused(t *testing.T) {
	const broken = "{kind: ProtectedAPI, metadata: {namespace: apis, name: billoget}, spec: {allowedNamespaces: {from: All}, conditions: [{expression: 'nothing('}]}}"
	both := of("scopes: [READ_BUDGETS, WRITE_BUDGETS]")
	notWatched := outcome{code: 422, message: `spec.apiRef: Invalid value: this operator doesn't serve namespace "apis": refer to a ProtectedAPI of a namespace in its --namespaces`}
	var rows []row
	for _, edit := range []struct{ name, after string }{
		{"fewer scopes", of(reads)},
		{"another order", of("scopes: [WRITE_BUDGETS, READ_BUDGETS]")},
		{"a project and an attribute", of("scopes: [READ_BUDGETS], project: p1, attributes: {a: b}")},
		{"a limit", of("scopes: [READ_BUDGETS], rateLimit: {requests: 1, period: 1s}")},
		{"fewer addresses", strings.Replace(both, "192.0.2.0/24", "192.0.2.7", 1)},
		{"an earlier end", strings.Replace(both, "2027-01", "2026-12", 1)},
	} {
		rows = append(rows,
			row{name: "API gone: " + edit.name, before: both, after: edit.after, status: issued, fail: errDown, want: allowedSilently},
			row{name: "API broken: " + edit.name, with: broken, before: both, after: edit.after, status: issued, fail: errDown, want: allowedSilently},
			row{name: "API not watched: " + edit.name, watched: []string{"shop"}, before: both, after: edit.after, status: issued, fail: errDown, want: allowedSilently},
			row{name: "before issue: " + edit.name, before: both, after: edit.after, fail: errDown, want: allowedSilently})
	}
	for _, edit := range []struct{ name, after string }{
		{"one more scope", of("scopes: [READ_BUDGETS, WRITE_BUDGETS, MORE]")},
		{"no scopes", of("")},
		{"an owner", of("scopes: [READ_BUDGETS], owner: {name: CEO}")},
		{"no addresses", strings.Replace(both, "allowedIPs: [192.0.2.0/24], ", "", 1)},
	} {
		rows = append(rows, row{name: "API not watched: " + edit.name, watched: []string{"shop"}, before: both, after: edit.after, status: issued, fail: errDown, want: notWatched})
	}
	checkRows(t, "APIKey", append(rows,
		row{name: "API not watched, resumed", watched: []string{"shop"}, before: of(reads + ", state: Suspended"), after: of(reads), status: issued, fail: errDown, want: notWatched},
		row{name: "API not watched, suspended", watched: []string{"shop"}, before: of(reads), after: of(reads + ", state: Suspended"), status: issued, fail: errDown, want: allowedSilently},
	))
}
