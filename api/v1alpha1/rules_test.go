package v1alpha1_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var rules = slices.Concat(apiKeyRules, existingKeyRules,
	rotationRules("keyDefaults: {rotation: ROTATION}", protectedAPI, "spec.keyDefaults.rotation"),
	rotationRules("rotation: ROTATION", apiKey, "spec.rotation"), rotationRules("effective: {rotation: ROTATION}", apiKey, "status.effective.rotation"),
	protectedAPIRules, policyRules, limitRules("keyDefaults: {rateLimit: LIMIT}", protectedAPI, "spec.keyDefaults.rateLimit"),
	limitRules("rateLimit: LIMIT", apiKey, "spec.rateLimit"), limitRules("effective: {rateLimit: LIMIT}", apiKey, "status.effective.rateLimit"))

// rule is a CEL rule of a CRD, with manifests on both sides of it by what is
// special about them: YAML of the spec, or of the status or the metadata for a rule
// there.
type rule struct {
	kind string
	at   string // the field that a refusal names
	says string // the rule's message, whole

	accepted, refused map[string]string
}

// transition is a CEL rule about changes.
type transition struct {
	kind, at, says    string
	accepted, refused []change
}

type change struct{ name, from, to string }

func TestRules(t *testing.T) {
	for _, r := range rules {
		for name, manifest := range r.accepted {
			t.Run(r.kind+"/"+r.at+"/accepted/"+name, func(t *testing.T) {
				t.Parallel()
				u, err := r.try(t, manifest)
				wantAccepted(t, u, err)
			})
		}
		for name, manifest := range r.refused {
			t.Run(r.kind+"/"+r.at+"/refused/"+name, func(t *testing.T) {
				t.Parallel()
				_, err := r.try(t, manifest)
				wantInvalid(t, err, r.at, r.says)
			})
		}
	}
}

// try sends a manifest where the rule is.
func (r rule) try(t *testing.T, manifest string) (*unstructured.Unstructured, error) {
	t.Helper()
	if r.at == "metadata" {
		u := object(t, r.kind, "{}")
		u.Object["metadata"] = fields(t, manifest)
		return create(t, u, dryRun)
	}
	if !strings.HasPrefix(r.at, "status.") {
		return create(t, object(t, r.kind, manifest), dryRun)
	}
	u := mustCreate(t, object(t, r.kind, "{}"))
	u.Object["status"] = fields(t, manifest)
	return update(t, u, dryRun, "status")
}

func TestTransitions(t *testing.T) {
	for _, r := range transitions {
		for _, c := range r.accepted {
			t.Run(r.kind+"/"+r.at+"/accepted/"+c.name, func(t *testing.T) {
				t.Parallel()
				u, err := changed(t, r.kind, c)
				wantAccepted(t, u, err)
			})
		}
		for _, c := range r.refused {
			t.Run(r.kind+"/"+r.at+"/refused/"+c.name, func(t *testing.T) {
				t.Parallel()
				_, err := changed(t, r.kind, c)
				wantInvalid(t, err, r.at, r.says)
			})
		}
	}
}

// TestEveryRuleHasRows is for those who add a rule.
func TestEveryRuleHasRows(t *testing.T) {
	type key struct{ kind, at, says string }
	// accepted and refused rows by rule.
	rows := map[key][2]int{}
	add := func(kind, at, says string, accepted, refused int) {
		k := key{kind, inSchema(at), says}
		rows[k] = [2]int{rows[k][0] + accepted, rows[k][1] + refused}
	}
	for _, r := range rules {
		add(r.kind, r.at, r.says, len(r.accepted), len(r.refused))
	}
	for _, r := range transitions {
		add(r.kind, r.at, r.says, len(r.accepted), len(r.refused))
	}
	for _, kind := range kinds {
		for _, p := range append(places(t, kind), place{"", definition(t, kind).Versions[0].Schema.OpenAPIV3Schema}) {
			for _, v := range p.schema.XValidations {
				if v.Message == "" {
					t.Errorf("%s %s: a rule without a message: %s", kind, p.path, v.Rule)
				}
				k := key{kind, strings.TrimPrefix(p.path+v.FieldPath, "."), v.Message}
				if n := rows[k]; n[0] == 0 || n[1] == 0 {
					t.Errorf("%s %s: %d accepted and %d refused rows for the rule %q", kind, k.at, n[0], n[1], k.says)
				}
				delete(rows, k)
			}
		}
	}
	for k := range rows {
		t.Errorf("%s %s: rows for a rule that isn't there: %q", k.kind, k.at, k.says)
	}
}

var index = regexp.MustCompile(`\[\d+\]`)

// inSchema turns the path of a value into that of its schema.
func inSchema(path string) string { return index.ReplaceAllString(path, "[]") }
