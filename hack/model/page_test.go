package model

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	page = "../../docs/model.md"
	code = "../../controllers" // where the files are that the page names
)

// quoted is what a cell has in backquotes.
var quoted = regexp.MustCompile("`([^`]+)`")

// rows returns the cells of the table below a heading of the page, without its head.
func rows(t *testing.T, heading string) [][]string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(content), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var table [][]string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "|") {
			table = append(table, strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|"))
		}
	}
	if len(table) < 3 {
		t.Fatalf("%s has no table %q", page, heading)
	}
	return table[2:]
}

func names(cell string) []string {
	var found []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		found = append(found, m[1])
	}
	return found
}

// promela is the source of the model.
func promela(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.pml")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	return all.String()
}

// functions returns the names of the functions and methods that a file declares.
func functions(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("the page names a file that can't be read: %v", err)
		return nil
	}
	var found []string
	for _, d := range f.Decls {
		if function, ok := d.(*ast.FuncDecl); ok {
			found = append(found, function.Name.Name)
		}
	}
	return found
}

func TestPageNamesWhatExists(t *testing.T) {
	source := promela(t)
	var steps []string
	for _, row := range rows(t, "Model and code") {
		inModel, inCode := names(row[0]), names(row[len(row)-1])
		if len(inModel) == 0 || len(inCode) == 0 {
			t.Errorf("a row names nothing: %q", row)
		}
		for _, name := range inModel {
			if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(source) {
				t.Errorf("%s isn't in the model", name)
			}
		}
		for _, name := range inCode {
			file, function, ok := strings.Cut(name, ".go: ")
			if !ok {
				t.Errorf("%q isn't of the form `file.go: function`", name)
			} else if !slices.Contains(functions(t, filepath.Join(code, file+".go")), function) {
				t.Errorf("%s.go declares no function %s", file, function)
			}
		}
		steps = append(steps, inModel...)
	}
	declared := regexp.MustCompile(`mtype:step = \{ (.*) \}`).FindStringSubmatch(source)
	if declared == nil {
		t.Fatal("the model declares no steps")
	}
	for step := range strings.SplitSeq(declared[1], ", ") {
		if !slices.Contains(steps, step) {
			t.Errorf("no row is about the step %s", step)
		}
	}
}

// The page has a row for each rule that the other test breaks.
func TestPageNamesTheRules(t *testing.T) {
	var listed []string
	for _, row := range rows(t, "What each rule is for") {
		listed = append(listed, names(row[0])...)
	}
	if !slices.Equal(listed, rules) {
		t.Errorf("the page has %q, the test %q", listed, rules)
	}
}
