package condition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
)

// largest is a request and a key as large as they can be.
func largest() *Input {
	word := func(n uint64) string { return strings.Repeat("a", int(n)) }
	in := with(func(in *Input) {
		in.Headers, in.Query = same(word(MaxValue)), same(word(MaxValue))
		in.Path, in.Host, in.Method = "/"+strings.Repeat("a/", MaxValue/2-1), word(sizes["request.host"]), word(MaxValue)
		in.Key.Scopes, in.Key.Attributes = nil, map[string]string{}
	})
	for range sizes["key.scopes"] {
		in.Key.Scopes = append(in.Key.Scopes, word(sizes["key.scopes.@items"]))
	}
	in.Key.Attributes["team"], in.Key.Attributes["tier"] = word(sizes["key.attributes.@values"]), word(sizes["key.attributes.@values"])
	for i := range sizes["key.attributes"] - 2 {
		in.Key.Attributes[fmt.Sprintf("%063d", i)] = word(sizes["key.attributes.@values"])
	}
	in.Key.Project, in.Key.OwnerName, in.Key.OwnerEmail = word(sizes["key.project"]), word(sizes["key.owner.name"]), word(sizes["key.owner.email"])
	return in
}

// No request can cost more than was estimated: else the estimate, which is what
// keeps a single step short, says nothing.
func TestEstimateHolds(t *testing.T) {
	env, err := environment()
	if err != nil {
		t.Fatal(err)
	}
	expressions := []string{
		"key.scopes.all(s, s.matches('^(a|b)*$'))",
		"key.scopes.all(s, key.attributes.all(n, n != s))",
		"key.scopes.all(s, request.path.contains(s) || true)",
		"request.path.split('/').all(p, p != 'x')",
		"request.path.split('/').map(p, p + 'b').filter(p, p != 'b').size() > 0",
		"request.path.lowerAscii().upperAscii().trim().substring(1).indexOf('x') == -1",
		"request.path.replace('/', '').replace('a', 'b') != ''",
		"request.headers['a'] + request.headers['b'] + request.path != request.query['c'] + request.query['d']",
		"request.headers[?'a'].orValue('b').startsWith(request.path) || true",
		"sets.contains(key.scopes, ['a']) || sets.intersects(key.scopes, key.scopes)",
		"(has(key.project) ? key.project : request.path).contains(key.attributes.team) || true",
		"{'a': key.name, 'b': key.namespace}.exists(k, k == 'a') && [1, 2, 3].map(i, i * 2)[0] == 2",
	}
	for _, row := range met {
		expressions = append(expressions, row.expression)
	}
	for _, expression := range expressions {
		checked, issues := env.Compile(expression)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		c, err := inspect(checked.NativeRep())
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		estimate, err := env.EstimateCost(checked, c)
		if err != nil {
			t.Fatal(err)
		}
		program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost), cel.CostTracking(c))
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range []*Input{newInput(), largest()} {
			_, details, _ := program.Eval(activation{in}) // an error costs what it took until then
			if cost := *details.ActualCost(); cost > estimate.Max {
				t.Errorf("%s: cost %d, estimated at most %d", expression, cost, estimate.Max)
			}
		}
	}
}
