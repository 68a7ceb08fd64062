package closedloop

import (
	"math/rand/v2"
	"testing"
	"time"
)

// from is when the runs of these tests are measured from.
var from = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestPercentilesAreExact(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	thousand := make([]time.Duration, 1000)
	for i := range thousand {
		thousand[i] = time.Duration(i + 1)
	}
	for _, row := range []struct {
		what      string
		latencies []time.Duration
		percent   float64
		want      time.Duration
	}{
		{"median of one", []time.Duration{7}, 50, 7},
		{"p99 of one", []time.Duration{7}, 99, 7},
		{"median of an even number: the lower", []time.Duration{1, 2, 3, 4}, 50, 2},
		{"median of an odd number", []time.Duration{1, 2, 30}, 50, 2},
		{"p50 of 100", hundred, 50, 50},
		{"p99 of 100", hundred, 99, 99},
		{"p99.9 of 100", hundred, 99.9, 100},
		{"p99.9 of 1000", thousand, 99.9, 999},
		{"p29 of 100", hundred, 29, 29},
		{"least", hundred, 0.0001, 1},
		{"most", hundred, 100, 100},
	} {
		got, err := Result{Latencies: row.latencies}.Percentile(row.percent)
		if err != nil || got != row.want {
			t.Errorf("%s: got %v, %v, want %v", row.what, got, err, row.want)
		}
	}
	for _, percent := range []float64{0, -1, 100.1} {
		if got, err := (Result{Latencies: hundred}).Percentile(percent); err == nil {
			t.Errorf("percentile %v: got %v", percent, got)
		}
	}
	if got, err := (Result{}).Percentile(50); err == nil {
		t.Errorf("nothing was measured: got %v", got)
	}
}

// Requests of the warm-up and those after the end aren't measured, the others all are.
func TestWhatIsMeasured(t *testing.T) {
	c := clock{from: from, until: from.Add(time.Second)}
	tallies := []*tally{{clock: c, limit: 1000, share: 2}, {clock: c, limit: 1000, share: 1}}
	ask := func(t *tally, started, answered time.Duration) {
		t.start()
		t.done(from.Add(started), from.Add(answered))
	}
	ask(tallies[0], -2, -1)
	ask(tallies[0], -1, 5)
	ask(tallies[1], 1, 2)
	ask(tallies[1], 999_999_999, time.Second)
	ask(tallies[1], 999_999_999, time.Second+1)
	r := c.result(tallies)
	if r.Total != 5 || r.Elapsed != time.Second || r.PerSecond() != 3 || r.PeakInFlight != 2 ||
		len(r.Latencies) != 3 || r.Latencies[0] != 1 || r.Latencies[1] != 1 || r.Latencies[2] != 6 {
		t.Errorf("got %+v", r)
	}
}

// A run that ends by its number of requests took as long as they did.
func TestElapsedOfARunThatEndsEarly(t *testing.T) {
	c := clock{from: from, until: from.Add(time.Minute)}
	one := &tally{clock: c, limit: 2, share: 1}
	for i := range 2 {
		one.start()
		one.done(from, from.Add(time.Duration(i+1)*time.Second))
	}
	if r := c.result([]*tally{one}); r.Elapsed != 2*time.Second || r.PerSecond() != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestShares(t *testing.T) {
	for range 1000 {
		several := 1 + rand.IntN(20)
		n, sum := rand.IntN(1000), 0
		for i := range several {
			part := share(n, i, several)
			if part < n/several || part > n/several+1 {
				t.Fatalf("%d of %d: part %d is %d", n, several, i, part)
			}
			sum += part
		}
		if sum != n {
			t.Fatalf("%d in %d parts are %d", n, several, sum)
		}
	}
}
