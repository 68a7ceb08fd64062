package v1alpha1_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// violation is an object that breaks one bound of a schema.
type violation struct {
	name     string
	value    any // in place of the valid one
	at, says string
}

// location leads to a value: names of fields and indexes.
type location []any

// String is how the API server writes it.
func (l location) String() string {
	var s strings.Builder
	for i, step := range l {
		if index, ok := step.(int); ok {
			fmt.Fprintf(&s, "[%d]", index)
			continue
		}
		if i > 0 {
			s.WriteByte('.')
		}
		s.WriteString(step.(string))
	}
	return s.String()
}

func (l location) child(step any) location { return append(slices.Clone(l), step) }

// in returns the value there.
func (l location) in(v any) any {
	for _, step := range l {
		switch step := step.(type) {
		case int:
			v = v.([]any)[step]
		case string:
			v = v.(map[string]any)[step]
		}
	}
	return v
}

// set puts a value there.
func (l location) set(root, v any) {
	parent := l[:len(l)-1].in(root)
	switch step := l[len(l)-1].(type) {
	case int:
		parent.([]any)[step] = v
	case string:
		parent.(map[string]any)[step] = v
	}
}

// locate finds a value for each place of a schema, the first there is.
func locate(s *jsonSchema, path string, l location, v any, found map[string]location) {
	if _, ok := found[path]; !ok {
		found[path] = l
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			locate(s.Items.Schema, path+"[]", l.child(i), item, found)
		}
	case map[string]any:
		for name, item := range v {
			if p, ok := s.Properties[name]; ok {
				locate(&p, path+"."+name, l.child(name), item, found)
			} else {
				locate(s.AdditionalProperties.Schema, path+"[]", l.child(name), item, found)
			}
		}
	}
}

// TestBounds breaks each bound that OpenAPI states, one at a time.
func TestBounds(t *testing.T) {
	for _, kind := range kinds {
		all := places(t, kind)
		tested := map[string]bool{}
		for _, manifest := range []string{everything[kind], otherwise[kind]} {
			found, valid := map[string]location{}, fields(t, manifest)
			for _, part := range []string{"spec", "status"} {
				i := slices.IndexFunc(all, func(p place) bool { return p.path == part })
				if _, ok := valid[part]; ok {
					locate(all[i].schema, part, location{part}, valid[part], found)
				}
			}
			for _, p := range all {
				at, ok := found[p.path]
				if !ok || tested[p.path] || foreign.MatchString(p.path) {
					continue
				}
				tested[p.path] = true
				breakBounds(t, kind, manifest, p, at)
			}
		}
		for _, p := range all {
			if !tested[p.path] && !foreign.MatchString(p.path) {
				t.Errorf("%s %s has no value in everything: its bounds can't be tested", kind, p.path)
			}
		}
	}
}

// breakBounds breaks those of one place of a manifest.
func breakBounds(t *testing.T, kind, manifest string, p place, at location) {
	t.Helper()
	valid := fields(t, manifest)
	stored := mustCreate(t, objectOf(kind, fields(t, manifest)["spec"].(map[string]any)))
	for _, v := range violations(p.schema, at, at.in(valid)) {
		t.Run(kind+"/"+p.path+"/"+v.name, func(t *testing.T) {
			t.Parallel()
			broken := fields(t, manifest)
			at.set(broken, v.value)
			wantCause(t, send(t, stored, broken, at[0] == "status"), v.at, v.says)
		})
	}
}

// send tries a spec in a new object or a status in the stored one.
func send(t *testing.T, stored *unstructured.Unstructured, content map[string]any, status bool) error {
	t.Helper()
	if !status {
		u := objectOf(stored.GetKind(), nil)
		u.Object["spec"] = content["spec"]
		_, err := create(t, u, dryRun)
		return err
	}
	u := stored.DeepCopy()
	u.Object["status"] = content["status"]
	_, err := update(t, u, dryRun, "status")
	return err
}

// wantCause is wantInvalid where one mistake may break other bounds as well.
func wantCause(t *testing.T, err error, at, says string) {
	t.Helper()
	causes := invalidCauses(t, err)
	if !slices.ContainsFunc(causes, func(c metav1.StatusCause) bool {
		return c.Field == at && strings.Contains(c.Message, says)
	}) {
		t.Fatalf("want among the causes\n%s: %s\ngot %v", at, says, causes)
	}
}

func violations(s *jsonSchema, at location, valid any) []violation {
	var all []violation
	breaks := func(name string, value any, at location, says string, args ...any) {
		all = append(all, violation{name, value, at.String(), fmt.Sprintf(says, args...)})
	}
	switch valid := valid.(type) {
	case string:
		stringViolations(s, at, breaks)
	case int64:
		if s.Minimum != nil {
			breaks("minimum", int64(*s.Minimum)-1, at, "should be greater than or equal to %v", *s.Minimum)
		}
		if s.Maximum != nil {
			breaks("maximum", int64(*s.Maximum)+1, at, "should be less than or equal to %d", int64(*s.Maximum))
		}
		breaks("type", "many", at, "must be of type integer")
	case bool:
		breaks("type", "perhaps", at, "must be of type boolean")
	case []any:
		listViolations(s, at, valid, breaks)
	case map[string]any:
		mapViolations(s, at, valid, breaks)
	}
	return all
}

type breaker func(name string, value any, at location, says string, args ...any)

func stringViolations(s *jsonSchema, at location, breaks breaker) {
	if s.MaxLength != nil {
		breaks("maxLength", strings.Repeat("a", int(*s.MaxLength)+1), at, "Too long: may not be more than %d bytes", *s.MaxLength)
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		breaks("minLength", strings.Repeat("a", int(*s.MinLength)-1), at, "should be at least %d chars long", *s.MinLength)
	}
	if s.Pattern != "" {
		// No pattern of ours lets control characters pass.
		breaks("pattern", strings.Repeat("\x01", max(1, int(*s.MinLength))), at, "should match '%s'", s.Pattern)
	}
	if s.Enum != nil {
		breaks("enum", "Unheard-of", at, `Unsupported value: "Unheard-of"`)
	}
	if s.Format != "" {
		breaks("format", "tomorrow", at, "must be of type %s", s.Format)
	}
	breaks("type", int64(7), at, "must be of type %s", cmp.Or(s.Format, s.Type))
}

func listViolations(s *jsonSchema, at location, valid []any, breaks breaker) {
	breaks("maxItems", slices.Repeat(valid[:1], int(*s.MaxItems)+1), at, "must have at most %d items", *s.MaxItems)
	breaks("minItems", []any{}, at, "should have at least %d items", *s.MinItems)
	if *s.XListType != "atomic" {
		breaks("duplicate", slices.Repeat(valid[:1], 2), at.child(1), "Duplicate value")
	}
	breaks("type", "one", at, "must be of type array")
}

func mapViolations(s *jsonSchema, at location, valid map[string]any, breaks breaker) {
	if s.MaxProperties != nil {
		many := map[string]any{}
		for _, v := range valid {
			for i := range *s.MaxProperties + 1 {
				many["k"+strconv.Itoa(int(i))] = v
			}
		}
		breaks("maxProperties", many, at, "must have at most %d items", *s.MaxProperties)
	}
	if s.MinProperties != nil {
		breaks("minProperties", map[string]any{}, at, "should have at least %d properties", *s.MinProperties)
	}
	for _, name := range s.Required {
		less := map[string]any{}
		for k, v := range valid {
			if k != name {
				less[k] = v
			}
		}
		breaks("required "+name, less, at.child(name), "Required value")
	}
	breaks("type", "one", at, "must be of type object")
}
