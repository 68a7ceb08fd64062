package v1alpha1_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var transitions = []transition{
	{
		kind: apiKey, at: "spec.apiRef",
		says: "apiRef is immutable, also from unset: create another APIKey",
		accepted: []change{
			{"unchanged", "apiRef: {name: shop}", "apiRef: {name: shop}"},
			{"another edit beside it", "apiRef: {name: shop, namespace: apis}", "{apiRef: {name: shop, namespace: apis}, scopes: [a]}"},
			{"another edit and still unset", "{}", "scopes: [a]"},
		},
		refused: []change{
			{"from unset to set", "{}", "apiRef: {name: shop}"},
			{"from set to unset", "apiRef: {name: shop}", "{}"},
			{"another name", "apiRef: {name: shop}", "apiRef: {name: bank}"},
			{"another namespace", "apiRef: {name: shop, namespace: a}", "apiRef: {name: shop, namespace: b}"},
			{"a namespace from unset", "apiRef: {name: shop}", "apiRef: {name: shop, namespace: default}"},
			{"a namespace to unset", "apiRef: {name: shop, namespace: default}", "apiRef: {name: shop}"},
			{"changed beside another edit", "apiRef: {name: shop}", "{apiRef: {name: bank}, scopes: [a]}"},
		},
	},
	{
		kind: apiKey, at: "spec.environment",
		says: "environment is immutable, also from unset: it is part of the raw key; create another APIKey",
		accepted: []change{
			{"unchanged", "environment: live", "environment: live"},
			{"another edit beside it", "environment: live", "{environment: live, displayName: Shop}"},
			{"another edit and still unset", "{}", "displayName: Shop"},
		},
		refused: []change{
			{"from unset to set", "{}", "environment: live"},
			{"from set to unset", "environment: live", "{}"},
			{"another", "environment: live", "environment: test"},
			{"changed beside another edit", "environment: live", "{environment: test, displayName: Shop}"},
		},
	},
	{
		kind: apiKey, at: "spec.existingKey",
		says: "existingKey is immutable, also from unset: create another APIKey",
		accepted: []change{
			{"unchanged", "existingKey: {sha256: " + aHash + "}", "existingKey: {sha256: " + aHash + "}"},
			{"another edit beside it", "existingKey: {secretKeyRef: {name: old, key: token}}", "{existingKey: {secretKeyRef: {name: old, key: token}}, scopes: [a]}"},
			{"another edit and still unset", "{}", "scopes: [a]"},
		},
		refused: []change{
			{"from unset to set", "{}", "existingKey: {sha256: " + aHash + "}"},
			{"from set to unset", "existingKey: {sha256: " + aHash + "}", "{}"},
			{"another Secret", "existingKey: {secretKeyRef: {name: old, key: token}}", "existingKey: {secretKeyRef: {name: new, key: token}}"},
			{"another entry", "existingKey: {secretKeyRef: {name: old, key: token}}", "existingKey: {secretKeyRef: {name: old, key: other}}"},
			{"a hash instead of a Secret", "existingKey: {secretKeyRef: {name: old, key: token}}", "existingKey: {sha256: " + aHash + "}"},
		},
	},
	{
		kind: apiKey, at: "spec.state",
		says: "Revoked is for good: create another APIKey",
		accepted: []change{
			{"Active to Suspended", "state: Active", "state: Suspended"},
			{"Suspended to Active", "state: Suspended", "state: Active"},
			{"Suspended to unset, which is Active", "state: Suspended", "{}"},
			{"Active to Revoked", "state: Active", "state: Revoked"},
			{"unset to Revoked", "{}", "state: Revoked"},
			{"Suspended to Revoked", "state: Suspended", "state: Revoked"},
			{"Revoked stays Revoked", "state: Revoked", "state: Revoked"},
			{"Revoked with another edit beside it", "state: Revoked", "{state: Revoked, description: Leaked}"},
		},
		refused: []change{
			{"Revoked to Active", "state: Revoked", "state: Active"},
			{"Revoked to Suspended", "state: Revoked", "state: Suspended"},
			{"Revoked to unset", "state: Revoked", "{}"},
			{"Revoked to Active beside another edit", "state: Revoked", "{state: Active, description: Found}"},
		},
	},
}

// changed stores the one and tries the other.
func changed(t *testing.T, kind string, c change) (*unstructured.Unstructured, error) {
	t.Helper()
	u := mustCreate(t, object(t, kind, c.from))
	u.Object["spec"] = fields(t, c.to)
	return update(t, u, dryRun)
}

// TestSuspension goes there and back on one object.
func TestSuspension(t *testing.T) {
	t.Parallel()
	u := mustCreate(t, object(t, apiKey, "state: Active"))
	for _, state := range []string{"Suspended", "Active", "Suspended", "Revoked"} {
		u.Object["spec"] = fields(t, "state: "+state)
		var err error
		if u, err = update(t, u, persist); err != nil {
			t.Fatalf("to %s: %v", state, err)
		}
	}
	u.Object["spec"] = fields(t, "state: Active")
	_, err := update(t, u, persist)
	wantInvalid(t, err, "spec.state", "Revoked is for good")
}

// Without spec there would be a way around the rules: remove it, add another.
func TestSpecIsRequired(t *testing.T) {
	for _, kind := range kinds {
		for name, without := range map[string]func(map[string]any){
			"missing": func(u map[string]any) { delete(u, "spec") },
			"null":    func(u map[string]any) { u["spec"] = nil },
		} {
			t.Run(kind+"/"+name+" in a new one", func(t *testing.T) {
				t.Parallel()
				u := object(t, kind, "{}")
				without(u.Object)
				_, err := create(t, u, dryRun)
				wantInvalid(t, err, "spec", "Required value")
			})
			t.Run(kind+"/"+name+" in a change", func(t *testing.T) {
				t.Parallel()
				u := mustCreate(t, object(t, kind, "{}"))
				without(u.Object)
				_, err := update(t, u, dryRun)
				wantInvalid(t, err, "spec", "Required value")
			})
		}
	}
}
