package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// constants are those of the package, by name.
func constants(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, v := range spec.Values {
					if literal, ok := v.(*ast.BasicLit); ok && literal.Kind == token.STRING {
						value, err := strconv.Unquote(literal.Value)
						if err != nil {
							t.Fatal(err)
						}
						all[spec.Names[i].Name] = value
					}
				}
			}
			return true
		})
	}
	return all
}

// TestConditionNames: scripts wait for them, so each is one word that says what
// its constant says, and no two are the same.
func TestConditionNames(t *testing.T) {
	camelCase := regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	all := constants(t)
	for _, prefix := range []string{"Condition", "Reason"} {
		users := map[string]string{}
		for name, value := range all {
			rest, ok := strings.CutPrefix(name, prefix)
			if !ok {
				continue
			}
			if !camelCase.MatchString(value) || value != rest {
				t.Errorf("%s is %q, want %q", name, value, rest)
			}
			if other, ok := users[value]; ok {
				t.Errorf("%s and %s are both %q", name, other, value)
			}
			users[value] = name
		}
		if len(users) < 3 {
			t.Errorf("found %d constants %s…: is the test looking in the right place?", len(users), prefix)
		}
	}
}

// TestMetadataNames: everything on our Secrets is in the domain that users can't
// write through secret.labels and secret.annotations.
func TestMetadataNames(t *testing.T) {
	domain := regexp.MustCompile(`^apikey-operator\.dev/[a-z]([-a-z]*[a-z])?$`)
	users := map[string]string{}
	for name, value := range constants(t) {
		if !strings.HasPrefix(name, "Label") && !strings.HasPrefix(name, "Annotation") {
			continue
		}
		if !domain.MatchString(value) {
			t.Errorf("%s is %q", name, value)
		}
		if other, ok := users[value]; ok {
			t.Errorf("%s and %s are both %q", name, other, value)
		}
		users[value] = name
	}
}
