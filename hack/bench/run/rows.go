package main

import (
	"context"
	"net/http"
)

// Where the figures of benchmarks come from. Packages are as from the repository's root.
const (
	allChecks       = "BenchmarkAuthenticate/all_checks"
	millionKeys     = "BenchmarkDecide/keys=1000000"
	propagationIdle = "BenchmarkPropagation/idle"
	propagationBusy = "BenchmarkPropagation/loaded"
	startWithKeys   = "BenchmarkStart"
)

// changesPerSecond are those of the issue.
const changesPerSecond = 1000

// row is a row of the table, which is one line here or several.
type row struct {
	name string // that -rows chooses it by
	run  func(context.Context, *options, cores) []line
}

// rows are all, in the order of the issue.
func rows() []row {
	allowed := func(l *lab) side { return side{question: question{door: extAuthz, want: http.StatusOK, keys: l.keys}} }
	unknown := func(*lab) side {
		return side{question: question{door: extAuthz, want: http.StatusUnauthorized, unknown: true}}
	}
	changing := func(l *lab) side { s := allowed(l); s.changes = changesPerSecond; return s }
	return []row{
		{"allow", contest{
			"ext_authz allow, no metrics or audit, to do-nothing grpc-go", "/s", perSecond, target{bound: 2, aim: 3},
			againstBaseline(extAuthz, uncounted), nil,
		}.run},
		{"raw", contest{
			"the same with encode_raw_headers, as our recipe has it", "/s", perSecond, target{bound: 2, aim: 3},
			withRawHeaders(againstBaseline(extAuthz, uncounted)), nil,
		}.run},
		{"metrics", contest{
			"allow with metrics, as shipped, to do-nothing grpc-go", "/s", perSecond, target{bound: 1.6, aim: 2},
			againstBaseline(extAuthz, asShipped), nil,
		}.run},
		{"audit", contest{
			"the same with metrics and audit to a file", "/s", perSecond, target{bound: 1.3, aim: 1.7},
			againstBaseline(extAuthz, audited), auditIsWhole,
		}.run},
		{"deny", contest{"deny of an unknown key to allow", "/s", perSecond, target{bound: 1}, oneServer(allowed, unknown), nil}.run},
		{"forward", contest{
			"forward-auth with metrics, to do-nothing net/http", "/s", perSecond, target{bound: 0.8, aim: 0.9},
			againstBaseline(forwardAuth, asShipped), nil,
		}.run},
		{"million", contest{"1 000 000 keys to 10 000", "/s", perSecond, target{bound: 0.65, aim: 0.9}, manyKeys, memoryOf}.run},
		{"decision", decision().run},
		{"memory", memory().run},
		{"propagation", propagation().run},
		{"start", start().run},
		{"churn", contest{
			"p99 while 1 000 keys/s change to none", "ms", p99, target{bound: 1.5, aim: 1.1, lower: true}, oneServer(allowed, changing), nil,
		}.run},
	}
}

func decision() benchmark {
	return benchmark{
		name: "^BenchmarkAuthenticate$/^all_checks$", pkg: "./internal/auth", args: []string{"-test.count=5"}, pinned: true,
		figures: []benchmarkFigure{
			{"decision alone, 10 000 keys", allChecks, "ns/op", "ns", target{bound: 600, aim: 400, lower: true}},
			{"allocations of it", allChecks, "allocs/op", "", target{lower: true}},
		},
	}
}

func memory() benchmark {
	return benchmark{
		name: "^BenchmarkDecide$/^keys=1000000$", pkg: "./internal/keyring", args: []string{"-test.benchtime=100000x"}, pinned: true,
		figures: []benchmarkFigure{
			{"memory per key, 1 000 000 keys, each with its own holder", millionKeys, "B/key", "B", target{bound: 600, aim: 300, lower: true}},
		},
	}
}

func propagation() benchmark {
	return benchmark{
		name: "^BenchmarkPropagation$", pkg: "./cmd/apikey-operator", args: []string{"-test.benchtime=200x"},
		figures: []benchmarkFigure{
			{"acknowledged to enforced, idle, p50", propagationIdle, "revoke-p50-ms", "ms", target{bound: 2, aim: 0.5, lower: true}},
			{"the same under load, p50", propagationBusy, "revoke-p50-ms", "ms", target{bound: 10, aim: 3, lower: true}},
		},
	}
}

func start() benchmark {
	return benchmark{
		name: "^BenchmarkStart$", pkg: "./cmd/apikey-operator", args: []string{"-test.benchtime=5x"},
		figures: []benchmarkFigure{
			{"start with 10 000 keys to the first right verdict", startWithKeys, "first-verdict-ms", "ms", target{bound: 1000, aim: 500, lower: true}},
			{"starts that were ready before", startWithKeys, "early-ready", "", target{lower: true}},
		},
	}
}
