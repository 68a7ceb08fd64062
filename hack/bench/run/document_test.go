package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInsert(t *testing.T) {
	const document = "# A\n" + begin + "\nold\n" + end + "\nrest\n"
	const want = "# A\n" + begin + "\nnew\n" + end + "\nrest\n"
	got, err := insert(document, "\nnew\n\n")
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	again, err := insert(got, "\nnew\n\n")
	if err != nil || again != got {
		t.Errorf("a second time: got %q, %v", again, err)
	}
	for _, bad := range []string{"", begin, end, end + begin, begin + end + end, begin + begin + end, begin + end + begin} {
		if got, err := insert(bad, "new"); err == nil {
			t.Errorf("%q: got %q", bad, got)
		}
	}
}

// The document of the repository can be written into, and nothing else in it changes.
func TestDocument(t *testing.T) {
	before, err := os.ReadFile("../../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(name, before, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := write(name, "| table |"); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	around := func(document []byte) string {
		first, rest, _ := strings.Cut(string(document), begin)
		_, last, _ := strings.Cut(rest, end)
		return first + begin + "\n| table |\n" + end + last
	}
	if string(after) != around(before) {
		t.Errorf("got\n%s", after)
	}
}
