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
	longest int    // of the literals
	one     string // of the literals: most nodes have no other
	toOne   *node
	wild    *node
	end     *Match // of patterns that end here
	rest    *Match // of patterns that end here with "**"
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
	t.root.compile()
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
		n.longest = max(n.longest, len(s.literal))
		n.one, n.toOne = s.literal, n.literal[s.literal]
	}
	return n.literal[s.literal]
}

// Scoped reports whether any route needs a scope.
func (t *Table) Scoped() bool { return t != nil && t.scoped }

// compile makes the answers of all matches at a node and below it.
func (n *node) compile() {
	if n.end != nil {
		n.end.compile()
	}
	if n.rest != nil {
		n.rest.compile()
	}
	if n.wild != nil {
		n.wild.compile()
	}
	for _, below := range n.literal {
		below.compile()
	}
}

// Find returns the most specific pattern that matches a normal path, or nil.
func (t *Table) Find(path string) *Match {
	if t == nil {
		return nil
	}
	return t.root.find(trimmed(path), strings.IndexByte(path, '%') >= 0)
}

func (n *node) find(path string, encoded bool) *Match {
	var rest *Match // the deepest one on the way
	for path != "" {
		if n.rest != nil {
			rest = n.rest
		}
		segment, below := next(path)
		to := n.toOne
		if to != nil && (encoded || segment != n.one) {
			to = n.literally(segment)
		}
		switch {
		case to == nil:
			to = n.wild
		case n.wild != nil:
			if m := to.find(below, encoded); m != nil {
				return m
			}
			to = n.wild
		}
		if to == nil {
			return rest
		}
		n, path = to, below
	}
	switch {
	case n.end != nil:
		return n.end
	case n.rest != nil:
		return n.rest
	default:
		return rest
	}
}

// literally returns the node of a literal segment.
func (n *node) literally(segment string) *node {
	// Decoded a segment is a third as long at least: what can't be a literal isn't
	// decoded anew at each node.
	if len(segment) > 3*n.longest {
		return nil
	}
	return n.literal[decoded(segment)]
}
