package main

import (
	"fmt"
	"os"
	"strings"
)

// What is between these in a document is written by us.
const (
	begin = "<!-- bench: from here to the next mark make bench writes -->"
	end   = "<!-- bench: end -->"
)

// insert returns a document with a text between the marks. It returns an error
// if each isn't there once, in this order.
func insert(document, text string) (string, error) {
	before, rest, ok := strings.Cut(document, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed || strings.Count(document, begin) != 1 || strings.Count(document, end) != 1 {
		return "", fmt.Errorf("want one line %q, and one line %q after it", begin, end)
	}
	return before + begin + "\n" + strings.TrimSpace(text) + "\n" + end + after, nil
}

// write writes a text into the document of that name.
func write(name, text string) error {
	document, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	changed, err := insert(string(document), text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, []byte(changed), 0o644)
}
