package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const output = `goos: linux
cpu: AMD EPYC
BenchmarkAuthenticate/all_checks         	 1986574	       398.5 ns/op	       0 B/op	       0 allocs/op
BenchmarkAuthenticate/all_checks-2       	 1986574	       401 ns/op	       0 B/op	       0 allocs/op
BenchmarkFind/keys=1000000
    bench_test.go:12: a million
BenchmarkFind/keys=1000000 	 1000	 178 ns/op	 296.4 B/key
BenchmarkStart says something of its own
PASS
ok  	example	1.5s
`
	got, err := parse(output)
	want := []sample{
		{"BenchmarkAuthenticate/all_checks", map[string]float64{"ns/op": 398.5, "B/op": 0, "allocs/op": 0}},
		{"BenchmarkAuthenticate/all_checks", map[string]float64{"ns/op": 401, "B/op": 0, "allocs/op": 0}},
		{"BenchmarkFind/keys=1000000", map[string]float64{"ns/op": 178, "B/key": 296.4}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
	for _, bad := range []string{"BenchmarkX 10 12", "BenchmarkX 10 12 ns/op 3", "BenchmarkX 10 ns/op 12"} {
		if got, err := parse(bad + "\n"); (err == nil) == (len(strings.Fields(bad)) > 3) {
			t.Errorf("%q: got %v, %v", bad, got, err)
		}
	}
}

func TestMetric(t *testing.T) {
	samples := []sample{{"BenchmarkX", map[string]float64{"ns/op": 1}}, {"BenchmarkX/y", map[string]float64{"ns/op": 2}}, {"BenchmarkX", map[string]float64{"ns/op": 3}}}
	if got, err := metric(samples, "BenchmarkX", "ns/op"); err != nil || !reflect.DeepEqual(got, []float64{1, 3}) {
		t.Errorf("got %v, %v, want [1 3]", got, err)
	}
	for _, row := range [][2]string{{"BenchmarkZ", "ns/op"}, {"BenchmarkX", "B/op"}} {
		if got, err := metric(samples, row[0], row[1]); err == nil || !strings.Contains(err.Error(), row[0]) {
			t.Errorf("%v: got %v, %v", row, got, err)
		}
	}
}

func TestCounted(t *testing.T) {
	const text = "# HELP dropped lines\n# TYPE dropped counter\ndropped{reason=\"a b\"} 2\ndropped{reason=\"c\"} 1.5e+01\ndropped_more 7\nplain 3\nbad x\n"
	for name, want := range map[string]float64{"dropped": 17, "plain": 3} {
		if got, err := counted(text, name); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"drop", "bad", "none"} {
		if got, err := counted(text, name); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
