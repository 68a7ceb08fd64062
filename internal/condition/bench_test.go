package condition

import (
	"strings"
	"testing"
)

func BenchmarkMet(b *testing.B) {
	large := with(func(in *Input) { in.Headers = fields{"x-tier": strings.Repeat("a", MaxValue)} })
	for _, c := range []struct {
		name, expression string
		in               *Input
	}{
		{"method", "request.method == 'GET' || 'admin' in key.scopes", newInput()},
		{"attribute", "key.attributes['tier'] == 'gold'", newInput()},
		{"header", "request.headers['x-tier'] == key.attributes.tier", newInput()},
		{"path", "request.path.startsWith('/teams/' + key.attributes.team)", newInput()},
		{"loop", "key.scopes.exists(s, s.startsWith('customers:'))", newInput()},
		{"cidr", "cidr('203.0.113.0/24').containsIP(request.clientIP)", newInput()},
		{"zone", "request.time.getHours('Europe/Berlin') == 10", newInput()},
		{"pattern", "request.path.matches('^/teams/[a-z]+_[0-9]{1,8}/')", newInput()},
		{"dear pattern", "request.headers['x-tier'].matches('^(a|ab|aa|[a-z]b)*$') || true", large},
		{"dear search", "request.headers['x-tier'].contains('aaaaaaaaaaaaaaaaaaaaaaaaaaab') || true", large},
		{"dear replace", "request.headers['x-tier'].replace('a', '') == ''", large},
	} {
		b.Run(c.name, func(b *testing.B) {
			compiled, err := Compile(c.expression)
			if err != nil {
				b.Fatal(err)
			}
			_, details, err := compiled.program.Eval(activation{c.in})
			if err != nil {
				b.Fatal(err)
			}
			cost := float64(*details.ActualCost())
			b.ReportAllocs()
			for b.Loop() {
				if !compiled.Met(c.in) {
					b.Fatal("not met")
				}
			}
			b.ReportMetric(cost, "units")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/cost, "ns/unit")
		})
	}
}

// BenchmarkLimit is how long the dearest evaluations last until they are given up.
func BenchmarkLimit(b *testing.B) {
	for _, expression := range []string{
		"key.scopes.all(s, key.scopes.all(t, s == t || true))",
		"request.path.split('/').all(p, p != 'x')",
		"request.headers['a'].matches('(a?){58}b')",
	} {
		b.Run(expression, func(b *testing.B) {
			compiled, err := Compile(expression)
			if err != nil {
				b.Fatal(err)
			}
			in := largest()
			for b.Loop() {
				if compiled.Met(in) {
					b.Fatal("met")
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile("request.method == 'GET' || 'admin' in key.scopes"); err != nil {
			b.Fatal(err)
		}
	}
}
