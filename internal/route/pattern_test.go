package route

import (
	"reflect"
	"strings"
	"testing"
)

func TestPatternsThatCanNotBe(t *testing.T) {
	for _, tc := range []struct{ pattern, says string }{
		{"", "must start with /"},
		{"a", "must start with /"},
		{"//", "empty segment"},
		{"/a//b", "empty segment"},
		{"/./a", "dot segment"},
		{"/a/../b", "dot segment"},
		{"/a/**/b", "** may only be the last segment"},
		{"/a*", "must be whole segments"},
		{"/a**", "must be whole segments"},
		{"/{", "must be {name}"},
		{"/{}", "must be {name}"},
		{"/{1x}", "must be {name}"},
		{"/{a b}", "must be {name}"},
		{"/x{a}", "must be whole segments"},
		{"/{a}/{a}", "stands twice"},
		{"/a?b", "can't stand in a path"},
		{"/a#b", "can't stand in a path"},
		{"/a;b", "can't stand in a path"},
		{`/a\b`, "can't stand in a path"},
		{"/a%2Fb", "is no segment"},
		{"/a%5cb", "is no segment"},
		{"/a%3Bb", "is no segment"},
		{"/a%zz", "is no segment"},
		{strings.Repeat("/a", MaxSegments+1), "more than 64 segments"},
	} {
		if _, err := Parse(tc.pattern); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: got %v, want an error that says %q", tc.pattern, err, tc.says)
		}
	}
}

func TestVariables(t *testing.T) {
	for _, tc := range []struct {
		pattern, path, name, value string
		matches                    bool
	}{
		{"/teams/{team}/**", "/teams/t1", "team", "t1", true},
		{"/teams/{team}/**", "/teams/t1/", "team", "t1", true},
		{"/teams/{team}/**", "/teams/t1/projects/p1", "team", "t1", true},
		{"/teams/{team}/**", "/teams", "team", "", false},
		{"/teams/{team}/**", "/team/t1", "team", "", false},
		{"/teams/{team}", "/teams/t1/x", "team", "", false},
		{"/teams/*/projects/{project}/**", "/teams/t1/projects/p1/customers", "project", "p1", true},
		{"/teams/{team}", "/teams/t%201", "team", "t 1", true},
		{"/teams/{team}", "/teams/caf%C3%A9", "team", "café", true},
		{"/teams/{team}", "/teams/a%25b", "team", "a%b", true},
	} {
		p, err := Parse(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if value, ok := p.Variable(tc.path, tc.name); value != tc.value || ok != tc.matches {
			t.Errorf("%s of %s in %s: got %q, %v, want %q, %v", tc.name, tc.pattern, tc.path, value, ok, tc.value, tc.matches)
		}
	}
	p, err := Parse("/a/{b}/*/{c}/**")
	if got := p.Variables(); err != nil || !reflect.DeepEqual(got, []string{"b", "c"}) {
		t.Errorf("variables are %v (%v), want b and c", got, err)
	}
}
