package admission

import "testing"

// What else is in the namespace, for somebody who may grant anything.
func TestNeighbours(t *testing.T) {
	rows := []row{{
		name: "its Secret's name is free", after: plain(""),
		want: outcome{code: 200},
	}, {
		name: "a Secret of somebody else", with: "{kind: Secret, metadata: {namespace: shop, name: key}}", after: plain(""),
		want: outcome{
			code: 422, message: `metadata.name: Invalid value: Secret "key" belongs to somebody else and would not be touched: choose another spec.secret.name, or delete it`,
		},
	}, {
		name: "one that is on its way out", with: "{kind: Secret, metadata: {namespace: shop, name: key, finalizers: [a/b], deletionTimestamp: '2026-11-03T00:00:00Z'}}", after: plain(""),
		want: outcome{code: 200},
	}, {
		name: "its own", with: "{kind: Secret, metadata: {namespace: shop, name: key, " + ownedBy("key", "uid-of-key") + "}}", after: plain(""),
		want: outcome{code: 200},
	}, {
		name: "that of an APIKey of the name which is gone: waited out", with: "{kind: Secret, metadata: {namespace: shop, name: key, " + ownedBy("key", "another") + "}}", after: plain(""),
		want: outcome{code: 200},
	}, {
		name: "that of another APIKey", with: "{kind: Secret, metadata: {namespace: shop, name: key, " + ownedBy("other", "another") + "}}", after: plain(""),
		want: outcome{
			code: 422, message: `metadata.name: Invalid value: Secret "key" belongs to somebody else and would not be touched: choose another spec.secret.name, or delete it`,
		},
	}, {
		name: "one that was left behind, to be adopted", after: plain(""),
		with: "{kind: Secret, metadata: {namespace: shop, name: key, labels: {app.kubernetes.io/managed-by: apikey-operator, apikey-operator.dev/apikey-uid: gone}, annotations: {apikey-operator.dev/apikey: key}}}",
		want: outcome{code: 200},
	}, {
		name: "another APIKey wants it", with: "{kind: APIKey, metadata: {namespace: shop, name: other}, spec: {secret: {name: shared}}}", after: plain("secret: {name: shared}"),
		want: outcome{
			code: 422, message: `spec.secret.name: Invalid value: Secret "shared" is that of APIKey "other": choose another spec.secret.name`,
		},
	}, {
		name: "a revoked one doesn't", with: "{kind: APIKey, metadata: {namespace: shop, name: other}, spec: {state: Revoked, secret: {name: shared}}}", after: plain("secret: {name: shared}"),
		want: outcome{code: 200},
	}, {
		name: "one of another namespace doesn't", with: "{kind: APIKey, metadata: {namespace: elsewhere, name: other}, spec: {secret: {name: shared}}}", after: plain("secret: {name: shared}"),
		want: outcome{code: 200},
	}, {
		name: "renamed to one of somebody else", with: "{kind: Secret, metadata: {namespace: shop, name: taken}}", before: plain(""), after: plain("secret: {name: taken}"), status: issued,
		want: outcome{
			code: 422, message: `spec.secret.name: Invalid value: Secret "taken" belongs to somebody else and would not be touched: choose another spec.secret.name, or delete it`,
			asked: nobody,
		},
	}, {
		name: "edited, while its Secret is somebody else's", with: "{kind: Secret, metadata: {namespace: shop, name: key}}", before: plain(""), after: plain("displayName: Shop"), status: issued,
		want: outcome{code: 200, asked: nobody},
	}, {
		name: "imported from the Secret of its own name", after: plain("existingKey: {secretKeyRef: {name: key, key: token}}"),
		with: "{kind: Secret, metadata: {namespace: shop, name: key, labels: {apikey-operator.dev/import: 'true'}}, stringData: {token: abcdefghijklmnopqrstuvwxyz}}",
		want: outcome{
			code: 422, message: `metadata.name: Invalid value: Secret "key" is the one to import from, which is only read: set spec.secret.name to another name, for the Secret that the key is copied into`,
		},
	}, {
		name: "imported", after: plain("existingKey: {secretKeyRef: {name: old, key: token}}"), with: oldSecret("true", "abcdefghijklmnopqrstuvwxyz"),
		want: outcome{code: 200},
	}, {
		name: "imported without the label", after: plain("existingKey: {secretKeyRef: {name: old, key: token}}"), with: oldSecret("false", "abcdefghijklmnopqrstuvwxyz"),
		want: outcome{
			code: 422, message: `spec.existingKey.secretKeyRef: Invalid value: Secret "old" doesn't carry the label apikey-operator.dev/import: "true", which lets its keys be imported: put the label on it first`,
		},
	}, {
		name: "imported, weak: not shown", after: plain("existingKey: {secretKeyRef: {name: old, key: token}}"), with: oldSecret("true", "password"),
		want: outcome{
			code: 422, message: `spec.existingKey.secretKeyRef: Invalid value: entry "token" of Secret "old" must have at least 20 characters, and 8 different ones: bring another key, or have one generated`,
		},
	}, {
		name: "imported from a Secret that isn't there yet", after: plain("existingKey: {secretKeyRef: {name: old, key: token}}"),
		want: outcome{
			code: 200, warnings: []string{`spec.existingKey.secretKeyRef: there is no Secret "old": no key is issued until there is`},
		},
	}, {
		name: "imported, and another of the namespace has it", after: plain("existingKey: {secretKeyRef: {name: old, key: token}}"),
		with: oldSecret("true", "abcdefghijklmnopqrstuvwxyz") + "\n---\n" + holder("shop", "null"),
		want: outcome{
			code: 422, message: `spec.existingKey: Invalid value: APIKey "holder" holds the same key for the same API and keeps it: bring another key, or delete that APIKey`,
		},
	}, {
		name: "imported by hash, and another of the namespace has it", after: plain("existingKey: {sha256: " + alphabetHash + "}"), with: holder("shop", "null"),
		want: outcome{
			code: 422, message: `spec.existingKey: Invalid value: APIKey "holder" holds the same key for the same API and keeps it: bring another key, or delete that APIKey`,
		},
	}, {
		name: "imported by hash, and one of another namespace has it: not named", after: plain("existingKey: {sha256: " + alphabetHash + "}"), with: holder("elsewhere", "null"),
		want: outcome{
			code: 422, message: "spec.existingKey: Invalid value: APIKey of another namespace holds the same key for the same API and keeps it: bring another key, or delete that APIKey",
		},
	}, {
		name: "imported by hash, and one of another API has it", after: plain("existingKey: {sha256: " + alphabetHash + "}"), with: holder("shop", "{name: other}"),
		want: outcome{code: 200},
	}}
	checkRows(t, "APIKey", askedBy(rows, "issue default, scopes", []string{"shop: issue default", "shop: scopes"}))
}

// alphabetHash is the SHA-256 of the 26 letters.
const alphabetHash = "71c480df93d6ae2f1efad1447c66c9525e316218cf51fc8d9ed832f2daf18b73"

func oldSecret(importable, key string) string {
	return "{kind: Secret, metadata: {namespace: shop, name: old, labels: {apikey-operator.dev/import: '" + importable + "'}}, data: {token: " + base64Of(key) + "}}"
}

// holder is an APIKey that has the key of 26 letters.
func holder(namespace, api string) string {
	return "{kind: APIKey, metadata: {namespace: " + namespace + ", name: holder, uid: holder}, spec: {apiRef: " + api + "}, status: {keys: [{digest: 'sha256:" + alphabetHash + "', phase: Current}]}}"
}
