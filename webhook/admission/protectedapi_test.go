package admission

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// What auth servers couldn't serve, and what would keep every key from being issued.
func TestProtectedAPIProblems(t *testing.T) {
	checkRows(t, "ProtectedAPI", []row{{
		name: "the empty spec", after: "{}", want: allowedSilently,
	}, {
		name: "a condition that isn't CEL", after: "{conditions: [{expression: 'true'}, {expression: 'request.nothing('}]}",
		want: outcome{
			code: 422, message: "spec.conditions[1].expression: Invalid value: column 17: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', ')', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}; auth servers can't serve that: correct it",
		},
	}, {
		name: "a condition that isn't a bool", after: "{conditions: [{expression: '1'}]}",
		want: outcome{
			code: 422, message: "spec.conditions[0].expression: Invalid value: the expression gives a value of type int, must be bool; auth servers can't serve that: correct it",
		},
	}, {
		name: "a selector", after: "{allowedNamespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: Near}]}}}",
		want: outcome{
			code: 422, message: `spec.allowedNamespaces.selector: Invalid value: "Near" is not a valid label selector operator; auth servers can't serve that: correct it`,
		},
	}, {
		name: "a denial's template", after: "{denials: [{code: default, body: '{{ .Nothing }}'}]}",
		want: outcome{
			code: 422, message: `spec.denials[0].body: Invalid value: template:1:3: executing "template" at <.Nothing>: can't evaluate field Nothing in type keyring.DenialData; auth servers can't serve that: correct it`,
		},
	}, {
		name: "a selector of labels, where labels of namespaces can't be read", watched: []string{"apis"}, after: "{allowedNamespaces: {from: Selector, selector: {matchLabels: {team: shop}}}}",
		want: outcome{
			code: 422, message: "spec.allowedNamespaces.selector: Invalid value: can't be evaluated: the operator runs with --namespaces and can't read label team of namespaces: select by kubernetes.io/metadata.name, or use from: All or Same; auth servers can't serve that: correct it",
		},
	}, {
		name: "a selector of names, where labels of namespaces can't be read", watched: []string{"apis"}, after: "{allowedNamespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}}",
		want: allowedSilently,
	}, {
		name: "it was so before, as far as anybody knows", before: "{conditions: [{expression: '1'}], allowedNamespaces: {from: All}}", after: "{conditions: [{expression: '1'}]}",
		want: outcome{code: 200},
	}, {
		name: "it was otherwise wrong before", before: "{conditions: [{expression: '1'}]}", after: "{conditions: [{expression: '2 +'}]}",
		want: outcome{
			code: 422, message: "spec.conditions[0].expression: Invalid value: column 4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}; auth servers can't serve that: correct it",
		},
	}, {
		name: "it is mended", before: "{conditions: [{expression: '1'}]}", after: "{conditions: [{expression: 'true'}]}",
		want: outcome{code: 200},
	}, {
		name: "nothing but a label changed", before: "{conditions: [{expression: '1'}]}", after: "{conditions: [{expression: '1'}]}", want: allowedSilently,
	}, {
		name: "it is on its way out", before: "{}", after: "{conditions: [{expression: '1'}]}", want: allowedSilently,
		edit: func(o client.Object) { o.SetDeletionTimestamp(&created) },
	}, {
		name:  "defaults above limits: each",
		after: "{keyDefaults: {ttl: 48h, rateLimit: {requests: 11, period: 1s}, rotation: {interval: 48h}}, keyLimits: {maxTTL: 24h, maxRateLimit: {requests: 10, period: 1s}, maxRotationInterval: 24h}}",
		want:  outcome{code: 422, message: "spec.keyDefaults.ttl: Invalid value: is above spec.keyLimits.maxTTL, so that no key which leaves it to the default would be issued: lower the default, or raise the limit, spec.keyDefaults.rotation.interval: Invalid value: is above spec.keyLimits.maxRotationInterval, so that no key which leaves it to the default would be issued: lower the default, or raise the limit, spec.keyDefaults.rateLimit: Invalid value: is above spec.keyLimits.maxRateLimit, so that no key which leaves it to the default would be issued: lower the default, or raise the limit"},
	}, {
		name:  "a default burst above the limit",
		after: "{keyDefaults: {rateLimit: {requests: 10, period: 1s, algorithm: TokenBucket, burst: 100}}, keyLimits: {maxRateLimit: {requests: 10, period: 1s}}}",
		want:  outcome{code: 422, message: "spec.keyDefaults.rateLimit.burst: Invalid value: is above spec.keyLimits.maxRateLimit, so that no key which leaves it to the default would be issued: lower the default, or raise the limit"},
	}, {
		name:  "defaults at the limits",
		after: "{keyDefaults: {ttl: 24h, rateLimit: {requests: 10, period: 1s}, rotation: {interval: 24h}}, keyLimits: {maxTTL: 24h, maxRateLimit: {requests: 10, period: 1s}, maxRotationInterval: 24h}}",
		want:  allowedSilently,
	}, {
		name: "limits without defaults: keys must say", after: "{keyLimits: {maxTTL: 24h, maxRateLimit: {requests: 10, period: 1s}, maxRotationInterval: 24h, scopes: Required}}",
		want: allowedSilently,
	}, {
		name: "defaults that were above limits before", before: "{keyDefaults: {ttl: 48h}, keyLimits: {maxTTL: 24h}}", after: "{keyDefaults: {ttl: 47h}, keyLimits: {maxTTL: 24h}}",
		want: outcome{code: 200},
	}, {
		name: "and more so now", before: "{keyDefaults: {ttl: 48h}, keyLimits: {maxTTL: 24h}}", after: "{keyDefaults: {ttl: 48h}, keyLimits: {maxTTL: 23h}}",
		want: outcome{
			code: 422, message: "spec.keyDefaults.ttl: Invalid value: is above spec.keyLimits.maxTTL, so that no key which leaves it to the default would be issued: lower the default, or raise the limit",
		},
	}})
}

// attachedKeys are keys of apis/billoget.
const attachedKeys = `
kind: Namespace
metadata: {name: shop, labels: {keys: welcome}}
---
kind: APIKey
metadata: {namespace: shop, name: reads}
spec: {apiRef: {namespace: apis, name: billoget}, scopes: [READ, "customers:*"]}
---
kind: APIKey
metadata: {namespace: apis, name: writes}
spec: {apiRef: {name: billoget}, scopes: [WRITE]}
---
kind: APIKey
metadata: {namespace: apis, name: typo}
spec: {apiRef: {name: billoget}, scopes: [WIRTE]}
---
kind: APIKey
metadata: {namespace: apis, name: of-another}
spec: {apiRef: {name: another}, scopes: [READ]}
`

// What an edit does beside what it says.
func TestProtectedAPIWarnings(t *testing.T) {
	policy := keyring.HostPolicy{Grants: []keyring.Grant{{Namespace: "apis", Pattern: "*.example"}, {Namespace: "shop", Pattern: "*.example"}}}
	checkRows(t, "ProtectedAPI", []row{{
		name: "hosts that are granted", hosts: policy, after: "{hosts: [a.example]}", want: allowedSilently,
	}, {
		name: "hosts that aren't granted", hosts: policy, after: "{hosts: [a.example, a.dev]}",
		want: outcome{
			code: 200, warnings: []string{"spec.hosts: a.dev isn't granted to namespace apis and has no effect: ask the operator for --host-claims"},
		},
	}, {
		name: "a host that another of the namespace holds", hosts: policy, after: "{hosts: [a.example]}",
		with: "{kind: ProtectedAPI, metadata: {namespace: apis, name: a-older}, spec: {hosts: [a.example]}}",
		want: outcome{
			code: 200, warnings: []string{"spec.hosts: a.example is held by ProtectedAPI a-older and has no effect here"},
		},
	}, {
		name: "a host that one of another namespace holds: not named", hosts: policy, after: "{hosts: [a.example]}",
		with: "{kind: ProtectedAPI, metadata: {namespace: a-shop, name: older}, spec: {hosts: [a.example]}}\n---\n{kind: ProtectedAPI, metadata: {namespace: shop, name: older}, spec: {hosts: [a.example]}}",
		edit: func(o client.Object) { o.SetCreationTimestamp(metav1.NewTime(today)) },
		want: outcome{
			code: 200, warnings: []string{"spec.hosts: a.example is held by a ProtectedAPI of another namespace and has no effect here"},
		},
	}, {
		name: "hosts that had no effect before", hosts: policy, before: "{hosts: [a.dev]}", after: "{hosts: [a.dev], plainHTTP: Deny}", want: allowedSilently,
	}, {
		name: "scopes that keys name are taken out", with: attachedKeys, before: "{scopes: [{name: READ}, {name: WRITE}, {name: 'customers:read'}]}", after: "{scopes: [{name: READ}, {name: WRITE}]}",
		want: outcome{
			code: 200, warnings: []string{"spec.scopes: 1 APIKeys name scopes that aren't declared any more and grant nothing from now on"},
		},
	}, {
		name: "the first scopes are declared", with: attachedKeys, before: "{}", after: "{scopes: [{name: READ}]}",
		want: outcome{
			code: 200, warnings: []string{"spec.scopes: 3 APIKeys name scopes that aren't declared any more and grant nothing from now on"},
		},
	}, {
		name: "scopes that no key names are taken out", with: attachedKeys, before: "{scopes: [{name: READ}, {name: WRITE}, {name: 'customers:read'}, {name: A}]}", after: "{scopes: [{name: READ}, {name: WRITE}, {name: 'customers:read'}]}",
		want: allowedSilently,
	}, {
		name: "namespaces that have keys aren't admitted any more", with: attachedKeys, before: "{allowedNamespaces: {from: Selector, selector: {matchLabels: {keys: welcome}}}}", after: "{}",
		want: outcome{
			code: 200, warnings: []string{"spec.allowedNamespaces: 1 APIKeys are in namespaces that aren't admitted any more: their requests are denied from now on"},
		},
	}, {
		name: "the shape of keys", with: attachedKeys, before: "{}", after: "{keyFormat: {prefix: bk, encoding: Hex, length: 32}}",
		want: outcome{
			code: 200, warnings: []string{"spec.keyFormat: touches keys issued from now on; those of 3 APIKeys stay as they are until they rotate"},
		},
	}, {
		name: "the shape of keys that don't exist", before: "{}", after: "{keyFormat: {prefix: bk, encoding: Hex, length: 32}}", want: allowedSilently,
	}})
}
