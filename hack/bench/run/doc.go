// Command run measures what the operator's auth server costs, and prints it beside
// what it may cost: make bench.
//
// The auth server is the shipped binary. It reads its keys from hack/bench/replay, and is compared with
// hack/bench/baseline or with itself. Servers are on one core, whoever asks (hack/bench/loadgen) and
// the replay on another. Both of a pair are measured in turn, so that what the machine
// does meanwhile slows down both: of the figures only ratios count. What needs no server is asked of benchmarks beside the code.
//
// Rows are in rows.go. What can be told without a process, such as medians, verdicts and the
// table, is in figures.go, parse.go, table.go and document.go.
package main
