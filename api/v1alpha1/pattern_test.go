package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/route"
)

// patterns are path patterns, of which the schema and internal/route must think
// the same.
var patterns = []struct {
	name, pattern string
	fine          bool
	// unlike is why the two differ: the schema accepts what the controller must
	// then refuse (Ready=False), or refuses what it needn't.
	unlike string
}{
	{"the root", "/", true, ""},
	{"everything", "/**", true, ""},
	{"a literal", "/a", true, ""},
	{"a slash at its end", "/a/", true, ""},
	{"every kind of segment", "/a/*/{id}/**", true, ""},
	{"any one segment", "/*", true, ""},
	{"two of any", "/*/*", true, ""},
	{"a variable", "/{team}", true, ""},
	{"a variable and a slash", "/{team}/", true, ""},
	{"variable of all characters", "/{_Az9}", true, ""},
	{"two variables", "/{team}/{project}", true, ""},
	{"unreserved characters", "/a.b~c_d-e", true, ""},
	{"reserved characters", "/a!$&'()+,=:@b", true, ""},
	{"a custom verb", "/v1/books:batchGet", true, ""},
	{"encoded é", "/%C3%A9", true, ""},
	{"encoded é in lower case", "/%c3%a9", true, ""},
	{"raw é", "/é", true, ""},
	{"an encoded blank", "/a%20b", true, ""},
	{"an encoded asterisk", "/%2A", true, ""},
	{"an encoded letter", "/%61", true, ""},
	{"three dots", "/...", true, ""},
	{"hidden", "/.well-known/a", true, ""},
	{"64 segments", strings.Repeat("/a", 64), true, ""},
	{"256 characters", "/" + strings.Repeat("a", 255), true, ""},

	{"nothing", "", false, ""},
	{"no slash", "a", false, ""},
	{"only an asterisk", "*", false, ""},
	{"only two", "**", false, ""},
	{"only a variable", "{id}", false, ""},
	{"a URL", "https://a.example/b", false, ""},
	{"an empty segment", "/a//b", false, ""},
	{"two slashes", "//", false, ""},
	{"an empty segment first", "//a", false, ""},
	{"two slashes at its end", "/a//", false, ""},
	{"** inside", "/a/**/b", false, ""},
	{"** first", "/**/b", false, ""},
	{"** twice", "/**/**", false, ""},
	{"a partial asterisk", "/a*", false, ""},
	{"a partial asterisk before", "/*.json", false, ""},
	{"a partial **", "/a**", false, ""},
	{"three asterisks", "/***", false, ""},
	{"a variable that starts with a digit", "/{1x}", false, ""},
	{"a variable without name", "/{}", false, ""},
	{"a variable with a dash", "/{a-b}", false, ""},
	{"a variable, not ASCII", "/{é}", false, ""},
	{"a variable of many segments", "/{a}{b}", false, ""},
	{"a variable of the rest", "/{a...}", false, ""},
	{"a variable with a wildcard", "/{a=**}", false, ""},
	{"a partial variable", "/a{id}", false, ""},
	{"a partial variable before", "/{id}.json", false, ""},
	{"a brace that isn't closed", "/{id", false, ""},
	{"a brace that isn't opened", "/id}", false, ""},
	{"a variable across segments", "/{a/b}", false, ""},
	{"a query", "/a?b", false, ""},
	{"a fragment", "/a#b", false, ""},
	{"a semicolon", "/a;b", false, ""},
	{"a backslash", `/a\b`, false, ""},
	{"a dot segment", "/a/./b", false, ""},
	{"two dots", "/a/../b", false, ""},
	{"two dots at its end", "/..", false, ""},
	{"an encoded slash", "/a%2Fb", false, ""},
	{"an encoded backslash", "/a%5cb", false, ""},
	{"an encoded semicolon", "/a%3Bb", false, ""},
	{"an escape of nothing", "/a%", false, ""},
	{"an escape of one digit", "/a%2", false, ""},
	{"an escape that isn't hexadecimal", "/a%zz", false, ""},
	{"65 segments", strings.Repeat("/a", 65), false, ""},

	{"a variable twice", "/{a}/{a}", true, "CEL can't count within a bounded cost"},
	{"** and a slash", "/**/", false, "to route a slash at the end means nothing"},
	{"a blank", "/a b", false, "only the schema knows that it must be written %20"},
	{"a tab", "/a\tb", false, "only the schema knows that no request has it"},
	{"a line feed at its end", "/a\n", false, "only the schema knows that no request has it"},
	{"NUL", "/a\x00", false, "only the schema knows that no request has it"},
	{"encoded NUL", "/a%00", false, "only the schema knows that no request has it"},
	{"encoded delete", "/a%7F", false, "only the schema knows that no request has it"},
	{"encoded dots", "/a/%2e%2E", false, "only the schema knows that no request has it"},
	{"257 characters", "/" + strings.Repeat("a", 256), false, "only the schema bounds the length"},
}

// TestPatterns: what the schema accepts can be compiled, wherever the schema can
// say so, and what it refuses couldn't be, or would never match.
func TestPatterns(t *testing.T) {
	for _, p := range patterns {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			u := objectOf(protectedAPI, map[string]any{"publicRoutes": []any{map[string]any{"path": p.pattern}}})
			u, err := create(t, u, dryRun)
			if p.fine {
				wantAccepted(t, u, err)
			} else {
				for _, c := range invalidCauses(t, err) {
					if c.Field != "spec.publicRoutes[0].path" {
						t.Errorf("also refused for %s: %s", c.Field, c.Message)
					}
				}
			}
			_, err = route.Parse(p.pattern)
			switch compiles := err == nil; {
			case compiles != p.fine && p.unlike == "":
				t.Errorf("the schema accepts it: %v, route.Parse: %v", p.fine, err)
			case compiles == p.fine && p.unlike != "":
				t.Errorf("no longer unlike: %s", p.unlike)
			}
		})
	}
}

// TestBasePaths: the same of base paths.
func TestBasePaths(t *testing.T) {
	for base, fine := range map[string]bool{
		"": true, "/v1": true, "/api/v1": true, "/v1.0": true, "/a_b~c-d": true, "/...": true, "/" + strings.Repeat("a", 127): true,
		"/": false, "v1": false, "/v1/": false, "//": false, "/a//b": false, "/*": false, "/**": false, "/{v}": false, "/a b": false,
		"/.": false, "/..": false, "/a/../b": false, "/%61": false, "/é": false, "/a?b": false, "/a;b": false, "/a\n": false,
	} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			u, err := create(t, objectOf(protectedAPI, map[string]any{"basePaths": []any{base}}), dryRun)
			if !fine {
				for _, c := range invalidCauses(t, err) {
					if c.Field != "spec.basePaths[0]" {
						t.Errorf("also refused for %s: %s", c.Field, c.Message)
					}
				}
				return
			}
			wantAccepted(t, u, err)
			if _, err := route.Compile([]string{base}, nil); err != nil {
				t.Errorf("the schema accepts it, route.Compile doesn't: %v", err)
			}
		})
	}
}
