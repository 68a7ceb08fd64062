package route

import (
	"fmt"
	"slices"
	"strings"
)

// Route opens the paths of a pattern for some methods.
type Route struct {
	// Methods are those it opens; none means all. GET opens HEAD too.
	Methods []string
	Pattern Pattern
	// Scope is what a key must have. Public routes need no key.
	Scope  string
	Public bool
}

// Table finds the routes of a path. It is safe for concurrent use.
type Table struct {
	root   *node
	scoped bool
}

// node is a place in the tree of segments.
type node struct {
	literal map[string]*node
	wild    *node
	end     *Match // of patterns that end here
	rest    *Match // of patterns that end here with "**"
}

// Match is the most specific pattern of a path, with all routes that list it.
type Match struct {
	Pattern string
	routes  []Route
}

// Compile makes the table of routes, each of which holds under every base path: a
// path of literal segments, or "" for none.
func Compile(basePaths []string, routes []Route) (*Table, error) {
	t := &Table{root: &node{}}
	if len(basePaths) == 0 {
		basePaths = []string{""}
	}
	for _, base := range basePaths {
		prefix, err := parseBase(base)
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			t.insert(prefix, base, r)
			t.scoped = t.scoped || !r.Public
		}
	}
	return t, nil
}

func parseBase(base string) ([]segment, error) {
	if base == "" {
		return nil, nil
	}
	p, err := Parse(base)
	if err != nil {
		return nil, fmt.Errorf("base path: %w", err)
	}
	if p.rest || slices.ContainsFunc(p.segments, func(s segment) bool { return s.wild }) {
		return nil, fmt.Errorf("base path %q: must be literal", base)
	}
	return p.segments, nil
}

func (t *Table) insert(prefix []segment, base string, r Route) {
	n := t.root
	for _, s := range slices.Concat(prefix, r.Pattern.segments) {
		n = n.child(s)
	}
	place := &n.end
	if r.Pattern.rest {
		place = &n.rest
	}
	if *place == nil {
		*place = &Match{Pattern: strings.TrimSuffix(base, "/") + r.Pattern.text}
	}
	(*place).routes = append((*place).routes, r)
}

func (n *node) child(s segment) *node {
	if s.wild {
		if n.wild == nil {
			n.wild = &node{}
		}
		return n.wild
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[s.literal] == nil {
		n.literal[s.literal] = &node{}
	}
	return n.literal[s.literal]
}

// Scoped reports whether any route needs a scope.
func (t *Table) Scoped() bool { return t != nil && t.scoped }

// Find returns the most specific pattern that matches a normal path, or nil.
func (t *Table) Find(path string) *Match {
	if t == nil {
		return nil
	}
	return t.root.find(segmentsOf(path))
}

func (n *node) find(parts []string) *Match {
	if len(parts) == 0 {
		if n.end != nil {
			return n.end
		}
		return n.rest
	}
	if next := n.literal[parts[0]]; next != nil {
		if m := next.find(parts[1:]); m != nil {
			return m
		}
	}
	if n.wild != nil {
		if m := n.wild.find(parts[1:]); m != nil {
			return m
		}
	}
	return n.rest
}

// Public reports whether the method needs no key: a public route lists it, and no
// scoped one does.
func (m *Match) Public(method string) bool {
	public := false
	for _, r := range m.routes {
		if r.opens(method) {
			if !r.Public {
				return false
			}
			public = true
		}
	}
	return public
}

// Scopes are the scopes of which a key must have any one for the method. None
// means that no key may.
func (m *Match) Scopes(method string) []string {
	var scopes []string
	for _, r := range m.routes {
		if !r.Public && r.opens(method) {
			scopes = append(scopes, r.Scope)
		}
	}
	return scopes
}

func (r Route) opens(method string) bool {
	if len(r.Methods) == 0 {
		return true
	}
	return slices.Contains(r.Methods, method) || method == "HEAD" && slices.Contains(r.Methods, "GET")
}
