package main

import (
	"errors"
	"testing"
)

func TestTable(t *testing.T) {
	compared := absolute{figures: []float64{100, 300, 200}, server: []float64{20.04}, client: []float64{4}, serverBusy: []float64{0.99}, clientBusy: []float64{0.5}}
	got := table([]line{
		{
			what: "allow", inFlight: 32, unit: "×", target: target{bound: 1.6, aim: 2}, figures: []float64{1.9, 2.5, 1.7},
			pair: &pair{unit: "/s", against: compared, measured: absolute{figures: []float64{45678.9}, server: []float64{9}, client: []float64{5}, serverBusy: []float64{0.98}, clientBusy: []float64{0.91}}},
		},
		{what: "decision", unit: "ns", target: target{bound: 600, aim: 400, lower: true}, figures: []float64{399.6}},
		{what: "allocations", note: "None is best.", target: target{lower: true}, figures: []float64{1}},
		{what: "failed", inFlight: 128, unit: "×", target: target{bound: 1}, err: errors.New("no server"), pair: &pair{}},
	})
	const want = `| what | in flight | figure (least – greatest) | at least | aim | verdict | against | measured | server CPU | client CPU | server busy | client busy |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| allow | 32 | **1.9** × (1.7 – 2.5) | 1.6 | 2 | pass | 200 /s | 45679 /s | 20 → 9 µs | 4 → 5 µs | 99 → 98 % | 50 → 91 % |
| decision | – | **400** ns (400 – 400) | ≤ 600 | 400 | aim | – | – | – | – | – | – |
| allocations | – | **1** (1 – 1) | ≤ 0 | – | short | – | – | – | – | – | – |
| failed | 128 | – | 1 | – | ERROR | – | – | – | – | – | – |

None is best.
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAbsolute(t *testing.T) {
	var a absolute
	a.add(50_000, 19.5, report{PerSecond: 50_000, ClientCPU: 4})
	if a.figures[0] != 50_000 || a.server[0] != 19.5 || a.client[0] != 4 || a.serverBusy[0] != 0.975 || a.clientBusy[0] != 0.2 {
		t.Errorf("got %+v", a)
	}
}
