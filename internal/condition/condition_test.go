package condition

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// fields are headers or parameters, by name.
type fields map[string]string

// Value implements Values.
func (f fields) Value(name string) (string, bool, error) {
	v, ok := f[name]
	if v == repeated {
		return "", true, errors.New("sent more than once")
	}
	return v, ok, nil
}

// repeated stands for a value that was sent and can't be read.
const repeated = "\x00"

// newInput is a request of team_42's gold key.
func newInput() *Input {
	return &Input{
		Method: "GET", Path: "/teams/team_42/invoices", Host: "api.shop.dev",
		Headers:  fields{"x-tier": "gold", "x-empty": "", "x-number": "7", "x-twice": repeated},
		Query:    fields{"page": "2", "q": "a b", "twice": repeated},
		ClientIP: "203.0.113.7",
		Time:     time.Date(2026, 11, 3, 9, 41, 7, 0, time.UTC), // a Tuesday
		Key: Key{
			Name: "integration", Namespace: "team", Project: "proj_abc123", Environment: "live",
			Scopes: []string{"READ_BUDGETS", "customers:read"}, Attributes: map[string]string{"team": "team_42", "tier": "gold"},
			OwnerName: "Shop team", OwnerEmail: "ops@shop.example", Hint: "bk_live_1234",
		},
	}
}

func bare() *Input {
	return &Input{Method: "GET", Path: "/", Host: "api.shop.dev", Key: Key{Name: "bare", Namespace: "team", Hint: "ak_1234"}}
}

func with(change func(in *Input)) *Input {
	in := newInput()
	change(in)
	return in
}

var long = strings.Repeat("a", MaxValue+1)

var met = []struct {
	expression string
	in         *Input
	met        bool
}{
	{"true", bare(), true},
	{"false", newInput(), false},

	// Every field, and every field of a bare request.
	{"request.method == 'GET'", newInput(), true},
	{"request.host == 'api.shop.dev'", newInput(), true},
	{"request.path.endsWith('/invoices')", newInput(), true},
	{"request.clientIP == '203.0.113.7'", newInput(), true},
	{"request.clientIP != '10.0.0.1'", bare(), false},
	{"request.time == timestamp('2026-11-03T09:41:07Z')", newInput(), true},
	{"key.name == 'integration' && key.namespace == 'team' && key.hint == 'bk_live_1234'", newInput(), true},
	{"key.project == 'proj_abc123' && key.environment == 'live'", newInput(), true},
	{"key.owner.name == 'Shop team' && key.owner.email == 'ops@shop.example'", newInput(), true},

	// Methods and scopes.
	{"request.method == 'GET' || 'admin' in key.scopes", newInput(), true},
	{"request.method == 'GET' || 'admin' in key.scopes", with(func(in *Input) { in.Method = "DELETE" }), false},
	{"request.method == 'GET' || 'admin' in key.scopes", with(func(in *Input) { in.Method, in.Key.Scopes = "DELETE", []string{"admin"} }), true},
	{"request.method in ['GET', 'HEAD']", newInput(), true},
	{"key.scopes.exists(s, s.startsWith('customers:'))", newInput(), true},
	{"key.scopes.all(s, s.startsWith('customers:'))", newInput(), false},
	{"sets.intersects(key.scopes, ['admin', 'READ_BUDGETS'])", newInput(), true},
	{"size(key.scopes) == 0", bare(), true},
	{"'admin' in key.scopes", with(func(in *Input) { in.Key.Scopes = []string{"*"} }), false},

	// What the key lacks isn't met, unless it was asked for.
	{"key.attributes['tier'] == 'gold'", newInput(), true},
	{"key.attributes['tier'] == 'gold'", with(func(in *Input) { in.Key.Attributes["tier"] = "free" }), false},
	{"key.attributes['tier'] == 'gold'", bare(), false},
	{"key.attributes['tier'] != 'banned'", bare(), false},
	{"!(key.attributes.tier == 'banned')", bare(), false},
	{"!has(key.attributes.tier) || key.attributes.tier == 'gold'", bare(), true},
	{"key.attributes[?'tier'].orValue('free') == 'free'", bare(), true},
	{"key.project != 'proj_abc123'", bare(), false},
	{"request.path.startsWith('/' + key.project)", bare(), false},
	{"!has(key.project)", bare(), true},
	{"has(key.project)", newInput(), true},
	{"(has(key.project) ? key.project : 'none') == 'none'", bare(), true},
	{"key.owner.email.endsWith('@shop.example')", newInput(), true},
	{"!key.owner.email.endsWith('@evil.example')", bare(), false},
	{"has(key.owner) && has(key.owner.email)", bare(), false},

	// Paths.
	{"request.path.startsWith('/teams/' + key.attributes.team)", newInput(), true},
	{"request.path.startsWith('/teams/' + key.attributes.team)", with(func(in *Input) { in.Key.Attributes["team"] = "team_7" }), false},
	{"request.path.startsWith('/teams/' + key.attributes.team)", bare(), false},
	{"request.path.split('/')[2] == key.attributes.team", newInput(), true},
	{"request.path.split('/')[2] == key.attributes.team", bare(), false},
	{"request.path.matches('^/teams/[a-z]+_[0-9]{1,8}/')", newInput(), true},

	// Headers and parameters: single names, read once.
	{"request.headers['x-tier'] == 'gold'", newInput(), true},
	{"request.headers['x-tier'] == key.attributes.tier", newInput(), true},
	{"request.headers['x-none'] == 'gold'", newInput(), false},
	{"request.headers['x-none'] != 'gold'", newInput(), false},
	{"'x-tier' in request.headers && !('x-none' in request.headers)", newInput(), true},
	{"'x-empty' in request.headers && request.headers['x-empty'] == ''", newInput(), true},
	{"request.headers[?'x-none'].orValue('gold') == 'gold'", newInput(), true},
	{"request.headers[?'x-none'].hasValue()", newInput(), false},
	{"int(request.headers['x-number']) < 8", newInput(), true},
	{"int(request.headers['x-tier']) < 8", newInput(), false},
	{"'x-twice' in request.headers", newInput(), true},
	{"request.headers['x-twice'] != 'gold'", newInput(), false},
	{"request.headers[?'x-twice'].orValue('gold') == 'gold'", newInput(), false},
	{"request.headers[key.attributes.name] == 'gold'", with(func(in *Input) { in.Key.Attributes["name"] = "x-tier" }), true},
	{"!(key.attributes.name in request.headers)", with(func(in *Input) { in.Key.Attributes["name"] = "X-Tier" }), false},
	{"request.query['page'] == '2' && request.query.q == 'a b'", newInput(), true},
	{"has(request.query.page) && !has(request.query.size)", newInput(), true},
	{"request.query['twice'] != 'x'", newInput(), false},
	{"'page' in request.query", bare(), false},

	// Time.
	{"request.time.getDayOfWeek() >= 1 && request.time.getDayOfWeek() <= 5", newInput(), true},
	{"request.time.getHours() >= 8 && request.time.getHours() < 18", newInput(), true},
	{"request.time.getHours('Europe/Berlin') == 10", newInput(), true},
	{"request.time.getHours('+09:30') == 19", newInput(), true},
	{"request.time < timestamp('2026-12-01T00:00:00Z')", newInput(), true},
	{"request.time - timestamp('2026-11-03T00:00:00Z') > duration('12h')", newInput(), false},
	{"request.time < timestamp('2026-12-01T00:00:00Z')", bare(), true}, // the zero time is a time

	// Addresses.
	{"cidr('203.0.113.0/24').containsIP(request.clientIP)", newInput(), true},
	{"cidr('10.0.0.0/8').containsIP(request.clientIP)", newInput(), false},
	{"!cidr('10.0.0.0/8').containsIP(request.clientIP)", bare(), false},
	{"ip(request.clientIP).family() == 4", newInput(), true},
	{"cidr('2001:db8::/32').containsIP(request.clientIP)", with(func(in *Input) { in.ClientIP = "2001:db8::7" }), true},

	// What is too long can't be read.
	{"request.headers['x-tier'] != 'gold'", with(func(in *Input) { in.Headers = fields{"x-tier": long} }), false},
	{"request.path != '/'", with(func(in *Input) { in.Path = long }), false},
	{"request.query['q'] != ''", with(func(in *Input) { in.Query = fields{"q": long} }), false},

	// What goes wrong isn't met.
	{"1 / (size(key.scopes) - 2) > 0", newInput(), false},
	{"key.scopes[7] != 'admin'", newInput(), false},
	{"request.headers['x-tier'] == 'gold'", with(func(in *Input) { in.Headers = panicking{} }), false},
	{"request.headers['x-tier'] == 'gold'", with(func(in *Input) { in.Headers = nil }), false},
	{"key.scopes.all(s, request.headers[s] == 'gold')", with(func(in *Input) { in.Headers = panicking{} }), false},
}

func TestMet(t *testing.T) {
	for _, c := range met {
		t.Run(c.expression, func(t *testing.T) {
			compiled, err := Compile(c.expression)
			if err != nil {
				t.Fatal(err)
			}
			if got := compiled.Met(c.in); got != c.met {
				t.Errorf("met is %t, want %t", got, c.met)
			}
		})
	}
}

// panicking are Values that can't be asked.
type panicking struct{}

func (panicking) Value(string) (string, bool, error) { panic("never shown") }

// TestLimitWhileRunning is for what the estimate would have let through.
func TestLimitWhileRunning(t *testing.T) {
	words := make([]string, 120)
	for i := range words {
		words[i] = strings.Repeat("a", 100)
	}
	large := with(func(in *Input) {
		in.Headers = fields{"x-tier": strings.Repeat("a", MaxValue)}
		in.Key.Scopes = words
	})
	for _, expression := range []string{
		"request.headers['x-tier'].matches('^(a{1,8}|b{1,8}|c{1,8}|d)*$')",
		"key.scopes.all(s, s.matches('^(a{1,8}|b{1,8}|c{1,8}|d)*$'))",
		"key.scopes.all(s, key.scopes.all(t, s == t))",
		"request.headers['x-tier'].replace('a', 'aaaa') != ''",
	} {
		t.Run(expression, func(t *testing.T) {
			for _, c := range []struct {
				limits limits
				in     *Input
				met    bool
			}{
				{limits{1 << 60, standard.run, time.Hour}, newInputWith("aaaa"), true},
				{limits{1 << 60, 1 << 60, time.Hour}, large, true},
				{limits{1 << 60, standard.run, time.Hour}, large, false},
			} {
				compiled, err := compile(expression, c.limits)
				if err != nil {
					t.Fatal(err)
				}
				if got := compiled.Met(c.in); got != c.met {
					t.Errorf("limits %+v: met is %t, want %t", c.limits, got, c.met)
				}
			}
		})
	}
}

func newInputWith(word string) *Input {
	return with(func(in *Input) { in.Headers, in.Key.Scopes = fields{"x-tier": word}, []string{word, word} })
}

func TestDeadline(t *testing.T) {
	in := with(func(in *Input) { in.Key.Scopes = make([]string, 10*interruptEvery) })
	for deadline, met := range map[time.Duration]bool{time.Hour: true, time.Nanosecond: false} {
		c, err := compile("key.scopes.all(s, s == '')", limits{1 << 60, 1 << 60, deadline})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Met(in); got != met {
			t.Errorf("deadline %s: met is %t, want %t", deadline, got, met)
		}
	}
}

// TestWholeValues is for what inspect would have to miss: asking for all headers
// never succeeds.
func TestWholeValues(t *testing.T) {
	v := &values{from: fields{"a": "b"}}
	for name, whole := range map[string]func() any{
		"Equal": func() any { return v.Equal(&values{}) }, "Size": func() any { return v.Size() },
		"ConvertToType": func() any { return v.ConvertToType(valuesType) }, "Iterator": func() any { return v.Iterator() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { _ = recover() }()
			if _, failed := whole().(error); !failed {
				t.Error("no error")
			}
		})
	}
	if _, err := v.ConvertToNative(nil); err == nil {
		t.Error("ConvertToNative: no error")
	}
}

func TestConcurrentUse(t *testing.T) {
	var all []*Condition
	for _, e := range []string{
		"request.headers['x-tier'] == key.attributes.tier",
		"key.scopes.exists(s, s == 'READ_BUDGETS')",
		"request.path.matches('^/teams/[a-z]+_[0-9]+/')",
		"request.time.getHours('Europe/Berlin') == 10",
	} {
		c, err := Compile(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				for _, c := range all {
					if !c.Met(newInput()) || c.Met(bare()) {
						t.Errorf("goroutine %d: wrong answer", i)
						return
					}
				}
				if _, err := Compile("key.name == 'a'"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
