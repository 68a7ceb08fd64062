package condition

import (
	"strings"
	"testing"
	"time"
)

// patience is what nothing here may take, however slow the machine.
const patience = 10 * time.Second

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"request.method == 'GET' || 'admin' in key.scopes",
		"key.scopes.exists(s, request.path.startsWith('/' + s))",
		"request.headers['x-tier'].matches('^(a{1,9}|b)*$') && has(key.owner.email)",
		"key.attributes[?'tier'].orValue('free').optMap(t, t == 'gold').value()",
		"cidr('10.0.0.0/8').containsIP(request.clientIP) ? request.time.getHours('Europe/Berlin') < 8 : !(1 in [1, 2])",
		"request.path.split('/').map(p, p + 'a').filter(p, p.replace('a', '') != '') == [] && {'a': 1}['a'] == 1",
		"request.time - timestamp('2026-11-03T00:00:00Z') > duration('12h') || sets.contains(key.scopes, ['a'])",
		`r"\d" + b"\x00" == """ ` + "\x00\xff",
		strings.Repeat("[", 300), strings.Repeat("!", 300), strings.Repeat("a.", 300) + "b", strings.Repeat("true||", 150) + "true",
	} {
		f.Add(seed)
	}
	huge := with(func(in *Input) {
		in.Headers, in.Query = same(strings.Repeat("a", MaxValue)), same(strings.Repeat("é", 64<<10))
		in.Path = "/" + strings.Repeat("a/", MaxValue/2-1)
	})
	f.Fuzz(func(t *testing.T, expression string) {
		start := time.Now()
		c, err := Compile(expression)
		if (c == nil) == (err == nil) {
			t.Fatalf("Compile gave %v and %v", c, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("more than one line: %q", err)
		}
		for _, in := range []*Input{newInput(), bare(), huge} {
			if c != nil {
				c.Met(in)
			}
		}
		if took := time.Since(start); took > patience {
			t.Errorf("took %s", took)
		}
	})
}

// same is a value under every name.
type same string

// Value implements Values.
func (s same) Value(string) (string, bool, error) { return string(s), true, nil }
