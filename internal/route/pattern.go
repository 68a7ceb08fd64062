package route

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Pattern is a compiled path pattern.
type Pattern struct {
	text     string
	segments []segment
	rest     bool // ends with "**"
}

type segment struct {
	literal  string // decoded
	wild     bool
	variable string
}

// MaxSegments is how many segments a pattern may have.
const MaxSegments = 64

// Parse compiles a pattern.
func Parse(text string) (Pattern, error) {
	path, ok := strings.CutPrefix(text, "/")
	if !ok {
		return Pattern{}, fmt.Errorf("pattern %q: must start with /", text)
	}
	if strings.Contains(text, "//") {
		return Pattern{}, fmt.Errorf("pattern %q: has an empty segment, which no request has", text)
	}
	p := Pattern{text: text}
	parts := split(path)
	if len(parts) > MaxSegments {
		return Pattern{}, fmt.Errorf("pattern %q: has more than %d segments", text, MaxSegments)
	}
	for i, part := range parts {
		if part == "**" {
			if i != len(parts)-1 {
				return Pattern{}, fmt.Errorf("pattern %q: ** may only be the last segment", text)
			}
			p.rest = true
			continue
		}
		s, err := parseSegment(part)
		if err != nil {
			return Pattern{}, fmt.Errorf("pattern %q: %w", text, err)
		}
		if s.variable != "" && slices.Contains(p.Variables(), s.variable) {
			return Pattern{}, fmt.Errorf("pattern %q: variable %s stands twice", text, s.variable)
		}
		p.segments = append(p.segments, s)
	}
	return p, nil
}

func parseSegment(part string) (segment, error) {
	if part == "*" {
		return segment{wild: true}, nil
	}
	if name, ok := strings.CutPrefix(part, "{"); ok {
		name, ok = strings.CutSuffix(name, "}")
		if !ok || !isName(name) {
			return segment{}, fmt.Errorf("%q: must be {name}, of letters, digits and _", part)
		}
		return segment{wild: true, variable: name}, nil
	}
	if part == "." || part == ".." {
		return segment{}, errors.New("has a dot segment, which no request has")
	}
	if strings.ContainsAny(part, "*{}?#\\;") {
		return segment{}, fmt.Errorf("%q: *, {name} and ** must be whole segments, and ? # \\ ; can't stand in a path", part)
	}
	literal, err := url.PathUnescape(part)
	if err != nil || strings.ContainsAny(literal, "/\\;") {
		return segment{}, fmt.Errorf("%q: is no segment of a path", part)
	}
	return segment{literal: literal}, nil
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		digit := '0' <= c && c <= '9'
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (!digit || i == 0) {
			return false
		}
	}
	return s != ""
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Variables are the names of the pattern's variables, in their order.
func (p Pattern) Variables() []string {
	var names []string
	for _, s := range p.segments {
		if s.variable != "" {
			names = append(names, s.variable)
		}
	}
	return names
}

// Variable returns what a variable stands for in a path, decoded, and whether the
// path matches the pattern.
func (p Pattern) Variable(path, name string) (value string, matches bool) {
	rest := trimmed(path)
	for i := range p.segments {
		if rest == "" {
			return "", false
		}
		var part string
		part, rest = next(rest)
		switch s := &p.segments[i]; {
		case !s.wild && s.literal != decoded(part):
			return "", false
		case s.variable == name && name != "":
			value = decoded(part)
		}
	}
	if rest != "" && !p.rest {
		return "", false
	}
	return value, true
}
