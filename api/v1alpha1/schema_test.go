package v1alpha1_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

type jsonSchema = apiextensions.JSONSchemaProps

// definition reads the generated CRD of a kind.
func definition(t *testing.T, kind string) apiextensions.CustomResourceDefinitionSpec {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(crds, "apikey-operator.dev_"+plurals[kind]+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensions.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &crd); err != nil {
		t.Fatal(err)
	}
	if len(crd.Spec.Versions) != 1 {
		t.Fatalf("%s has %d versions", kind, len(crd.Spec.Versions))
	}
	return crd.Spec
}

// place is a part of a schema by its path, in which [] stands for an item of a
// list or a value of a map: spec.scopes[].
type place struct {
	path   string
	schema *jsonSchema
}

// places lists what is in spec and status of a kind, and both themselves.
func places(t *testing.T, kind string) []place {
	t.Helper()
	root := definition(t, kind).Versions[0].Schema.OpenAPIV3Schema
	var all []place
	for _, name := range []string{"spec", "status"} {
		s, ok := root.Properties[name]
		if !ok {
			t.Fatalf("%s has no %s", kind, name)
		}
		all = append(all, placesIn(name, &s)...)
	}
	return all
}

func placesIn(path string, s *jsonSchema) []place {
	all := []place{{path, s}}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		all = append(all, placesIn(path+"."+name, &p)...)
	}
	if s.Items != nil {
		all = append(all, placesIn(path+"[]", s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil {
		all = append(all, placesIn(path+"[]", s.AdditionalProperties.Schema)...)
	}
	return all
}

// foreign are the insides of Kubernetes' own types, which bound themselves little.
var foreign = regexp.MustCompile(`^status\.conditions\[\]|^spec\.allowedNamespaces\.selector\.`)

func TestEverythingIsBounded(t *testing.T) {
	for _, kind := range kinds {
		for _, p := range places(t, kind) {
			if foreign.MatchString(p.path) {
				continue
			}
			s := p.schema
			switch {
			case s.Type == "string" && s.Enum == nil && s.Format == "" && s.MaxLength == nil:
				t.Errorf("%s %s: a string without maxLength", kind, p.path)
			case s.Type == "array" && s.MaxItems == nil:
				t.Errorf("%s %s: a list without maxItems", kind, p.path)
			case s.AdditionalProperties != nil && s.MaxProperties == nil:
				t.Errorf("%s %s: a map without maxProperties", kind, p.path)
			case s.Type == "integer" && s.Minimum == nil:
				t.Errorf("%s %s: a number without minimum", kind, p.path)
			case s.Type == "integer" && strings.HasPrefix(p.path, "spec.") && s.Maximum == nil:
				t.Errorf("%s %s: a number without maximum", kind, p.path)
			// DESIGN 3.2 writes ifKeyHas as a boolean.
			case s.Type == "boolean" && p.path != "spec.bindings[].ifKeyHas":
				t.Errorf("%s %s: a boolean: use an enum", kind, p.path)
			case s.Type == "array" && s.XListType == nil:
				t.Errorf("%s %s: a list that doesn't say how it merges", kind, p.path)
			}
		}
	}
}

// A comment that promises a default promises the one that the schema sets.
func TestCommentsNameDefaults(t *testing.T) {
	spaces := regexp.MustCompile(`\s+`)
	for _, kind := range kinds {
		for _, p := range places(t, kind) {
			if p.schema.Default == nil || p.path == "status" { // nobody leaves that unset
				continue
			}
			comment := spaces.ReplaceAllString(strings.ReplaceAll(p.schema.Description, `"`, ""), " ")
			promise := "Unset: " + strings.Trim(string(p.schema.Default.Raw), `"`) + "."
			if !strings.Contains(comment, promise) {
				t.Errorf("%s %s: the comment lacks %q: %s", kind, p.path, promise, comment)
			}
		}
	}
}
