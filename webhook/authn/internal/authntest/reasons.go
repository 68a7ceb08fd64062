package authntest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
)

// Reasons returns every auth.Reason but Allowed, in the order of the source. It
// reads them from there, so that a new one can't be forgotten in a test.
func Reasons(t testing.TB) []auth.Reason {
	t.Helper()
	var reasons []auth.Reason
	for _, file := range sources(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				reasons = append(reasons, reasonsOf(t, spec)...)
			}
			return true
		})
	}
	if len(reasons) < 20 {
		t.Fatalf("found only %d reasons in internal/auth: %q", len(reasons), reasons)
	}
	return reasons
}

// reasonsOf returns the reasons that a const or var specification declares.
func reasonsOf(t testing.TB, spec *ast.ValueSpec) []auth.Reason {
	t.Helper()
	if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Reason" {
		return nil
	}
	var reasons []auth.Reason
	for _, value := range spec.Values {
		literal, ok := value.(*ast.BasicLit)
		if !ok {
			t.Fatalf("the value of %s is not a literal", spec.Names[0])
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		if r := auth.Reason(text); r != auth.Allowed {
			reasons = append(reasons, r)
		}
	}
	return reasons
}

// sources returns the files of internal/auth.
func sources(t testing.TB) []string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("not in a Go module")
		}
		dir = parent
	}
	files, err := filepath.Glob(filepath.Join(dir, "internal", "auth", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.go") {
			sources = append(sources, f)
		}
	}
	return sources
}
