package route

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// opens writes a route as "GET,PUT /path scope", or "* /path public".
func opens(t testing.TB, text string) Route {
	t.Helper()
	parts := strings.Fields(text)
	pattern, err := Parse(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	r := Route{Pattern: pattern}
	if parts[0] != "*" {
		r.Methods = strings.Split(parts[0], ",")
	}
	if parts[2] == "public" {
		r.Public = true
	} else {
		r.Scope = parts[2]
	}
	return r
}

func compile(t testing.TB, bases []string, lines ...string) *Table {
	t.Helper()
	var routes []Route
	for _, l := range lines {
		routes = append(routes, opens(t, l))
	}
	table, err := Compile(bases, routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// say is "pattern: scopes" or "pattern: public", or "nothing".
func say(table *Table, method, path string) string {
	m := table.Find(path)
	switch {
	case m == nil:
		return "nothing"
	case m.Public(method):
		return m.Pattern + ": public"
	default:
		return m.Pattern + ": " + strings.Join(m.Scopes(method), " ")
	}
}

func TestTheMostSpecificPatternDecides(t *testing.T) {
	table := compile(t, nil,
		"GET /budgets/** read", "POST,PUT /budgets/** write", "GET /budgets/** audit",
		"GET /budgets/public public", "* /budgets/public/secret secret",
		"GET /teams/{team}/projects own", "GET /teams/*/projects any", "GET /teams/shared/{what} shared",
		"* /both public", "GET /both scoped",
		"* / public",
		"GET /caf%C3%A9/a$b drink",
	)
	for _, tc := range []struct{ method, path, want string }{
		{"GET", "/budgets", "/budgets/**: read audit"},
		{"GET", "/budgets/", "/budgets/**: read audit"},
		{"GET", "/budgets/1/2/3", "/budgets/**: read audit"},
		{"HEAD", "/budgets/1", "/budgets/**: read audit"},
		{"POST", "/budgets/1", "/budgets/**: write"},
		{"DELETE", "/budgets/1", "/budgets/**: "},
		{"get", "/budgets/1", "/budgets/**: "},
		{"GET", "/budgetsx", "nothing"},
		{"GET", "/budgets/public", "/budgets/public: public"},
		{"HEAD", "/budgets/public", "/budgets/public: public"},
		{"POST", "/budgets/public", "/budgets/public: "},
		{"GET", "/budgets/public/secret", "/budgets/public/secret: secret"},
		{"GET", "/budgets/public/other", "/budgets/**: read audit"},
		{"GET", "/teams/t1/projects", "/teams/{team}/projects: own any"},
		{"GET", "/teams/shared/projects", "/teams/shared/{what}: shared"},
		{"GET", "/teams/shared/else", "/teams/shared/{what}: shared"},
		{"GET", "/teams/t1", "nothing"},
		{"GET", "/both", "/both: scoped"},
		{"PUT", "/both", "/both: public"},
		{"GET", "/", "/: public"},
		// However a path is spelt, it is the same path.
		{"GET", "/caf%c3%a9/a%24b", "/caf%C3%A9/a$b: drink"},
		{"GET", "/café/a$b", "/caf%C3%A9/a$b: drink"},
	} {
		if got := say(table, tc.method, tc.path); got != tc.want {
			t.Errorf("%s %s: got %q, want %q", tc.method, tc.path, got, tc.want)
		}
	}
	if !table.Scoped() || compile(t, nil, "* /x public").Scoped() {
		t.Error("Scoped is wrong")
	}
	var none *Table
	if none.Find("/x") != nil || none.Scoped() {
		t.Error("no table has routes")
	}
}

func TestRoutesHoldUnderEachBasePath(t *testing.T) {
	table := compile(t, []string{"", "/v1"}, "GET /budgets/** read", "* / public")
	for path, want := range map[string]string{
		"/budgets/1": "/budgets/**: read", "/v1/budgets/1": "/v1/budgets/**: read", "/v2/budgets/1": "nothing",
		"/": "/: public", "/v1": "/v1/: public", "/v1/": "/v1/: public", "/v1/v1/budgets": "nothing",
	} {
		if got := say(table, "GET", path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	for base, says := range map[string]string{"v1": "must start with /", "/*": "must be literal", "/{v}": "must be literal", "/v1/**": "must be literal"} {
		if _, err := Compile([]string{base}, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("base path %q: got %v, want an error that says %q", base, err, says)
		}
	}
}

// TestFindAgainstAll compares the tree with trying every pattern in turn.
func TestFindAgainstAll(t *testing.T) {
	segments := []string{"a", "b", "*", "{x}"}
	var patterns []string
	for _, s := range segments {
		for _, u := range segments {
			second := strings.ReplaceAll(u, "x", "y")
			patterns = append(patterns, "/"+s, "/"+s+"/"+second, "/"+s+"/**", "/"+s+"/"+second+"/**")
		}
	}
	for skip := range 16 {
		var chosen []string
		for i, p := range patterns {
			if i%16 != skip {
				chosen = append(chosen, p)
			}
		}
		var lines []string
		for _, p := range chosen {
			lines = append(lines, "* "+p+" s")
		}
		table := compile(t, nil, lines...)
		for _, path := range []string{"/a", "/b", "/c", "/a/a", "/a/c", "/c/b", "/c/c", "/a/b/c", "/c/c/c", "/"} {
			got := "nothing"
			if m := table.Find(path); m != nil {
				got = shape(m.Pattern)
			}
			if want := best(t, chosen, path); got != want {
				t.Fatalf("%s: got %s, want %s", path, got, want)
			}
		}
	}
}

// best tries all patterns; the least shape is the most specific.
func best(t *testing.T, patterns []string, path string) string {
	best := "nothing"
	for _, text := range patterns {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Variable(path, ""); ok && (best == "nothing" || shape(text) < best) {
			best = shape(text)
		}
	}
	return best
}

// shape writes a pattern so that the more specific of two that match the same
// path comes first: an end, a literal, any one, the rest.
func shape(pattern string) string {
	var b strings.Builder
	for _, part := range split(pattern[1:]) {
		switch {
		case part == "**":
			b.WriteString("/3")
		case part == "*" || strings.HasPrefix(part, "{"):
			b.WriteString("/2")
		default:
			b.WriteString("/1" + part)
		}
	}
	return b.String()
}

func FuzzFind(f *testing.F) {
	table := compile(f, []string{"", "/v1"}, "* /a/{b}/** x", "* /a/b/c y", "* /** z")
	for _, s := range []string{"/", "/a/b/c", "/v1/a/x/y", "//", "/%", "", "/a/%2F", strings.Repeat("/a", 1000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if m := table.Find(path); m == nil {
			t.Errorf("%q: nothing matches, want /** at least", path)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"/", "/a/{b}/**", "/*", "/%41", "a", "/a;b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(p.String()); err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%q: parses once as %v, then as %v (%v)", text, p, again, err)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		var lines []string
		for i := range n {
			lines = append(lines, fmt.Sprintf("GET /api/v1/resource%d/{id}/items/** s%d", i, i))
		}
		table := compile(b, []string{"", "/v1"}, lines...)
		path := fmt.Sprintf("/v1/api/v1/resource%d/42/items/7", n/2)
		b.Run(fmt.Sprintf("%d routes", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if table.Find(path) == nil {
					b.Fatal("no match")
				}
			}
		})
	}
}

// TestManyRoutesOnOnePath bounds the work of a path that almost matches many.
func TestManyRoutesOnOnePath(t *testing.T) {
	var lines []string
	for i := range 12 {
		for mask := range 1 << 6 {
			pattern := ""
			for bit := range 6 {
				pattern += map[bool]string{true: "/a", false: "/*"}[mask&(1<<bit) != 0]
			}
			lines = append(lines, fmt.Sprintf("GET %s/end%d s", pattern, i))
		}
	}
	table := compile(t, nil, lines...)
	started := time.Now()
	if m := table.Find("/a/a/a/a/a/a/nowhere"); m != nil {
		t.Errorf("got %s, want nothing", m.Pattern)
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("took %v: the whole tree has a few hundred nodes", took)
	}
}
