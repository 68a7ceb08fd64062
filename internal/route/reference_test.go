package route

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What the package does, done plainly: the path is cut into decoded segments, every
// pattern is tried, and of each route its methods are asked.

func segmentsOf(path string) []string {
	parts := split(strings.TrimPrefix(path, "/"))
	for i, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

func plainVariable(p Pattern, path, name string) (value string, matches bool) {
	parts := segmentsOf(path)
	if len(parts) < len(p.segments) || len(parts) > len(p.segments) && !p.rest {
		return "", false
	}
	for i, s := range p.segments {
		switch {
		case !s.wild && s.literal != parts[i]:
			return "", false
		case s.variable == name && name != "":
			value = parts[i]
		}
	}
	return value, true
}

// plainNode is the tree of patterns without anything made ahead.
type plainNode struct {
	literal   map[string]*plainNode
	wild      *plainNode
	end, rest *plainMatch
}

type plainMatch struct {
	pattern string
	routes  []Route
}

func plainTable(bases []string, routes []Route) *plainNode {
	root := &plainNode{}
	for _, base := range bases {
		for _, r := range routes {
			n := root
			for _, part := range segmentsOf(base) {
				n = n.child(segment{literal: part})
			}
			for _, s := range r.Pattern.segments {
				n = n.child(s)
			}
			place := &n.end
			if r.Pattern.rest {
				place = &n.rest
			}
			if *place == nil {
				*place = &plainMatch{pattern: strings.TrimSuffix(base, "/") + r.Pattern.text}
			}
			(*place).routes = append((*place).routes, r)
		}
	}
	return root
}

func (n *plainNode) child(s segment) *plainNode {
	if n.literal == nil {
		n.literal = map[string]*plainNode{}
	}
	switch {
	case s.wild && n.wild == nil:
		n.wild = &plainNode{}
	case !s.wild && n.literal[s.literal] == nil:
		n.literal[s.literal] = &plainNode{}
	}
	if s.wild {
		return n.wild
	}
	return n.literal[s.literal]
}

func (n *plainNode) find(parts []string) *plainMatch {
	if len(parts) == 0 {
		if n.end != nil {
			return n.end
		}
		return n.rest
	}
	for _, below := range []*plainNode{n.literal[parts[0]], n.wild} {
		if below != nil {
			if m := below.find(parts[1:]); m != nil {
				return m
			}
		}
	}
	return n.rest
}

func (m *plainMatch) public(method string) bool {
	public := false
	for _, r := range m.routes {
		if plainlyOpens(r, method) {
			if !r.Public {
				return false
			}
			public = true
		}
	}
	return public
}

func (m *plainMatch) scopes(method string) []string {
	var scopes []string
	for _, r := range m.routes {
		if !r.Public && plainlyOpens(r, method) {
			scopes = append(scopes, r.Scope)
		}
	}
	return scopes
}

func plainlyOpens(r Route, method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method) || method == "HEAD" && slices.Contains(r.Methods, "GET")
}

var someMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "get", "", "PURGE"}

// same compares what two tables say of a path, for every method.
func same(t *testing.T, table *Table, plain *plainNode, path string) {
	t.Helper()
	got, want := table.Find(path), plain.find(segmentsOf(path))
	if (got == nil) != (want == nil) || got != nil && got.Pattern != want.pattern {
		t.Fatalf("%q: got %+v, want %+v", path, got, want)
	}
	if got == nil {
		return
	}
	for _, method := range someMethods {
		if p, s := got.Public(method), got.Scopes(method); p != want.public(method) || !slices.Equal(s, want.scopes(method)) {
			t.Fatalf("%s %q: got %v %v, want %v %v", method, path, p, s, want.public(method), want.scopes(method))
		}
	}
}

func pick(random *rand.Rand, from ...string) string { return from[random.IntN(len(from))] }

// randomTable has few literals, so that patterns overlap.
func randomTable(t *testing.T, random *rand.Rand) (bases []string, routes []Route) {
	t.Helper()
	bases = [][]string{{""}, {"", "/a"}, {"/a/b", "/b/"}, {"", "/%61", "/a b"}}[random.IntN(4)]
	for range 1 + random.IntN(30) {
		text := ""
		for i := range random.IntN(5) {
			text += "/" + pick(random, "a", "b", "caf%C3%A9", "café", "a%20b", "%25zz", "*", "{x"+string(rune('0'+i))+"}", "%61", "long-literal-of-a-segment")
		}
		text += pick(random, "", "", "/", "/**")
		if text == "" {
			text = "/"
		}
		pattern, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r := Route{Pattern: pattern, Scope: pick(random, "s1", "s2", "s3"), Public: random.IntN(4) == 0}
		for range random.IntN(4) {
			r.Methods = append(r.Methods, pick(random, someMethods...))
		}
		routes = append(routes, r)
	}
	return bases, routes
}

func randomPath(random *rand.Rand) string {
	path := pick(random, "", "/", "/", "/", "/", "/", "/", "//", "/a/b/")
	for range random.IntN(7) {
		path += pick(random, "a", "b", "c", "caf%c3%a9", "café", "a%20b", "a b", "%zz", "%", "%6", "%2525zz", "%25zz", "%61", "%2561", "", "*", "long-literal-of-a-segment",
			"%6cong-literal-of-a-segment", strings.Repeat("%61", 40), strings.Repeat("a", 300)) + pick(random, "/", "/", "/", "/", "/", "//")
	}
	if random.IntN(2) == 0 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}

func TestAgainstPlainTables(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		bases, routes := randomTable(t, random)
		table, err := Compile(bases, routes)
		if err != nil {
			t.Fatal(err)
		}
		plain := plainTable(bases, routes)
		for range 100 {
			path := randomPath(random)
			same(t, table, plain, path)
			for _, r := range routes {
				for _, name := range append(r.Pattern.Variables(), "", "x9") {
					value, ok := r.Pattern.Variable(path, name)
					if want, matches := plainVariable(r.Pattern, path, name); value != want || ok != matches {
						t.Fatalf("%s of %s in %q: got %q, %v, want %q, %v", name, r.Pattern, path, value, ok, want, matches)
					}
				}
			}
		}
	}
}

func FuzzAgainstPlain(f *testing.F) {
	f.Add("/a/{b}/**", "/a/*/c", "/v1", "/v1/a/%62/c")
	f.Add("/%25zz", "/{x}", "", "/%zz")
	f.Add("/", "/**", "/", "//")
	f.Fuzz(func(t *testing.T, first, second, base, path string) {
		var routes []Route
		for _, text := range []string{first, second} {
			p, err := Parse(text)
			if err != nil {
				return
			}
			routes = append(routes, Route{Pattern: p, Scope: text, Methods: someMethods[:len(text)%4]})
			for _, name := range append(p.Variables(), "") {
				value, ok := p.Variable(path, name)
				if want, matches := plainVariable(p, path, name); value != want || ok != matches {
					t.Fatalf("%s of %s in %q: got %q, %v, want %q, %v", name, p, path, value, ok, want, matches)
				}
			}
		}
		table, err := Compile([]string{base}, routes)
		if err != nil {
			return
		}
		same(t, table, plainTable([]string{base}, routes), path)
	})
}

// A path costs nothing but time, as long as nothing in it is to be decoded.
func TestFindDoesNotAllocate(t *testing.T) {
	table := compile(t, []string{"", "/v1"}, "GET /a/{b}/** x", "* /a/b/c y", "PUT /a/*/d z")
	p, err := Parse("/v1/a/{b}/**")
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		m := table.Find("/v1/a/x/d")
		if m == nil || m.Public("GET") || len(m.Scopes("PUT")) != 1 {
			t.Error("wrong match")
		}
		if value, ok := p.Variable("/v1/a/x/d", "b"); value != "x" || !ok {
			t.Error("wrong variable")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
