package threats

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root = "../.."
	page = root + "/docs/threat-model.md"
)

// quoted is what has backquotes around it.
var quoted = regexp.MustCompile("`([^`\n]+)`")

// named is a test as the page has it: a folder, a test in it, and, if it has many, one
// of its steps.
var named = regexp.MustCompile(`^([a-z][a-z0-9/-]*)\.(Test[A-Z]\w*)(?:/(.+))?$`)

func text(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// rows returns the cells of the table below a heading of the page, without its head.
func rows(t *testing.T, heading string) [][]string {
	t.Helper()
	_, section, _ := strings.Cut(text(t), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var table [][]string
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		table = append(table, cells)
	}
	if len(table) < 3 {
		t.Fatalf("%s has no table %q", page, heading)
	}
	return table[2:]
}

// tests are what a package's tests are called, and the texts in its test files, by
// which steps are named.
type tests struct{ names, texts []string }

// testsOf reads a folder, whatever the build tags of its files.
func testsOf(t *testing.T, folder string) *tests {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := &tests{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					found.names = append(found.names, n.Name.Name)
				}
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					found.texts = append(found.texts, s)
				}
			}
			return true
		})
	}
	return found
}

// TestPageNamesTestsThatExist, wherever on the page.
func TestPageNamesTestsThatExist(t *testing.T) {
	packages, count := map[string]*tests{}, 0
	for _, m := range quoted.FindAllStringSubmatch(text(t), -1) {
		test := named.FindStringSubmatch(m[1])
		if test == nil {
			if strings.Contains(m[1], "Test") {
				t.Errorf("%q isn't of the form `folder.TestName` or `folder.TestName/step`", m[1])
			}
			continue
		}
		count++
		folder, name, step := test[1], test[2], test[3]
		if packages[folder] == nil {
			packages[folder] = testsOf(t, folder)
		}
		switch in := packages[folder]; {
		case !slices.Contains(in.names, name):
			t.Errorf("%s has no test %s", folder, name)
		case step != "" && !slices.Contains(in.texts, step):
			t.Errorf("%s of %s has no step %q", name, folder, step)
		}
	}
	if count < 50 {
		t.Errorf("the page names %d tests only: this one looks at too little", count)
	}
}

// TestEveryCannotHasATest, and everybody on the page has some.
func TestEveryCannotHasATest(t *testing.T) {
	var actors, limited []string
	for _, row := range rows(t, "What each can do") {
		if len(row) != 2 || row[0] == "" || row[1] == "" {
			t.Errorf("want actor and what it can do: %q", row)
			continue
		}
		actors = append(actors, row[0])
	}
	for _, row := range rows(t, "What each can't") {
		if len(row) != 3 || row[1] == "" {
			t.Errorf("want actor, what it can't do, and the tests: %q", row)
			continue
		}
		if row[0] != "" {
			limited = append(limited, row[0])
		}
		shown := quoted.FindAllStringSubmatch(row[2], -1)
		for _, m := range shown {
			if !named.MatchString(m[1]) {
				t.Errorf("%q is no test", m[1])
			}
		}
		if len(shown) == 0 {
			t.Errorf("no test shows it: %s", row[1])
		}
	}
	if !slices.Equal(actors, limited) {
		t.Errorf("the actors that can are %q, and those that can't %q", actors, limited)
	}
}
