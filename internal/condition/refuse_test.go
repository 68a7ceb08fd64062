package condition

import (
	"strings"
	"testing"
)

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		// Syntax.
		{"", "Syntax error"},
		{"request.method ==", "column 18: Syntax error"},
		{"true\n&& (", "line 2, column 5: Syntax error"},
		{"true && 'a", "column 9: Syntax error"},
		{strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), "recursion"},
		{"true" + strings.Repeat(" ", MaxLength), "the expression has 1028 characters, at most 1024 are allowed"},

		// Types.
		{"key.projct == 'a'", "column 4: undefined field 'projct'"},
		{"request.Method == 'GET'", "column 8: undefined field 'Method'"},
		{"key.owner.mail == 'a'", "column 10: undefined field 'mail'"},
		{"has(key.projct)", "undefined field 'projct'"},
		{"key.?project.hasValue()", "as in key.name or has(key.project)"},
		{"apikey.project == 'a'", "column 1: undeclared reference to 'apikey'"},
		{"request.method == 1", "column 16: found no matching overload for '_==_' applied to '(string, int)'"},
		{"'admin' in key.project", "column 9: found no matching overload"},
		{"request.time > '2026-11-03'", "no matching overload"},
		{"request.path", "the expression gives a value of type string, must be bool"},
		{"key.scopes.map(s, s == 'admin')", "the expression gives a value of type list(bool), must be bool"},
		{"request.method in ['GET', 1]", "column 27: expected type 'string' but found 'int'"},
		{"1 == 1.0 ? true : 'yes'", "no matching overload"},

		// Literals.
		{"request.path.matches('(')", "column 22: invalid matches argument"},
		{"request.path.matches(key.attributes.pattern)", "column 21: the pattern of matches must be a literal"},
		{"request.path.matches('(x{100}){10}(y{100}){10}(z{100}){10}')", "column 21: the pattern of matches is too large"},
		{"request.time < timestamp('tomorrow')", "invalid timestamp argument"},
		{"request.time - request.time < duration('1 day')", "invalid duration argument"},
		{"request.time.getHours('Europe/Atlantis') > 7", `column 22: time zone "Europe/Atlantis" is not known`},
		{"cidr('10.0.0.0/33').containsIP(request.clientIP)", "invalid"},

		// What slips past the types, or isn't of use here.
		{"dyn(key).projct == 'a'", "function dyn is not available in conditions"},
		{"type(key) == type(request)", "function type is not available in conditions"},
		{"'%s'.format([key.name]) == 'a'", "function format is not available in conditions"},
		{"key.scopes.join('') == 'a'", "function join is not available in conditions"},
		{"[key].exists(k, k.name == 'a')", "column 2: request, key and key.owner can only be asked for their fields"},
		{"key.owner == key.owner", "request, key and key.owner can only be asked for their fields"},
		{"Key{name: 'a'}.name == 'a'", "objects can't be made here"},
		{"google.protobuf.Duration{seconds: 1} == duration('1s')", "objects can't be made here"},

		// Headers.
		{"request.headers.exists(h, h == 'x-tier')", "column 8: request.headers can only be asked for single names"},
		{"size(request.query) == 0", "column 13: request.query can only be asked for single names"},
		{"request.headers == request.query", "can only be asked for single names"},
		{"[request.headers].all(h, h.all(k, k == ''))", "can only be asked for single names"},
		{"request.?headers.value().all(k, k == '')", "can only be asked for their fields"},
		{"request.headers['X-Tier'] == 'gold'", `column 8: names of headers are in lower case: "x-tier"`},
		{"request.headers.xTier == 'gold'", `names of headers are in lower case: "xtier"`},
		{"!('Authorization' in request.headers)", "names of headers are in lower case"},
		{"!('authorization' in request.headers)", `request.headers never holds "authorization"`},
		{"request.headers[?'cookie'].orValue('') == ''", `request.headers never holds "cookie"`},

		// Work.
		{"key.scopes.exists(s, key.scopes.exists(t, request.path.contains(s + t)))", "units of work for a large request, at most 100000 are allowed"},
		{"key.scopes.exists(a, key.scopes.exists(b, key.scopes.exists(c, a == b + c)))", "nesting limit"},
		{"request.path.matches('" + strings.Repeat("(a|b)*", 80) + "')", "units of work"},
		{"'a'" + strings.Repeat(".replace('a', 'aaaaaaaaaaaaaaaaaaaa')", 20) + " == ''", "units of work"},
		{"request.path.replace('', request.path) == ''", "units of work"},
	} {
		name := c.expression[:min(len(c.expression), 60)]
		t.Run(name, func(t *testing.T) {
			compiled, err := Compile(c.expression)
			switch {
			case err == nil || compiled != nil:
				t.Fatalf("compiled, want %q", c.want)
			case !strings.Contains(err.Error(), c.want):
				t.Errorf("\n got %s\nwant %s", err, c.want)
			case len(err.Error()) > 2*maxMessage || strings.ContainsAny(err.Error(), "\n\r"):
				t.Errorf("not one line of reasonable length: %q", err)
			}
		})
	}
}
