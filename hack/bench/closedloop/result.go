package closedloop

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Result is what was measured after the warm-up.
type Result struct {
	// Total is how many requests were answered, those in the warm-up and after the
	// end included. All answers were right.
	Total int
	// PeakInFlight is the sum of what was in flight at most on each connection: less
	// than was asked for if the server allows fewer streams.
	PeakInFlight int
	// Elapsed is how long was measured.
	Elapsed time.Duration
	// Latencies are those of all requests that were answered meanwhile, ascending.
	Latencies []time.Duration
}

// PerSecond is how many requests were answered per second.
func (r Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(len(r.Latencies)) / r.Elapsed.Seconds()
}

// Percentile returns the least latency that at least p percent of all didn't exceed:
// one that was measured, nothing in between (nearest rank). p counts to a thousandth
// of a percent. It returns an error without latencies, or if p isn't above 0 and at most 100.
func (r Result) Percentile(p float64) (time.Duration, error) {
	if !(p > 0 && p <= 100) {
		return 0, fmt.Errorf("percentile %v: want above 0 and at most 100", p)
	}
	if len(r.Latencies) == 0 {
		return 0, fmt.Errorf("percentile %v: no request was measured", p)
	}
	const all = 100_000
	part := int(math.Round(p * all / 100)) // whole numbers: the rank of 99.9 mustn't be a little more than it is
	rank := (len(r.Latencies)*part + all - 1) / all
	return r.Latencies[max(rank, 1)-1], nil
}

// tally is what one connection has measured. No other touches it during the run.
type tally struct {
	clock
	limit, share   int // of requests: at all, and in flight
	total, started int
	inFlight, peak int
	latencies      []time.Duration
	last           time.Time
}

// clock is when a run is measured.
type clock struct{ from, until time.Time }

// more reports whether another request may start.
func (t *tally) more(now time.Time) bool {
	return t.started < t.limit && t.inFlight < t.share && now.Before(t.until)
}

// start notes that a request has started.
func (t *tally) start() {
	t.started++
	t.inFlight++
	t.peak = max(t.peak, t.inFlight)
}

// done notes that a request was answered.
func (t *tally) done(started, now time.Time) {
	t.total++
	t.inFlight--
	if now.Before(t.from) || now.After(t.until) {
		return
	}
	t.latencies = append(t.latencies, now.Sub(started))
	t.last = now
}

// result is what all connections have measured.
func (c clock) result(tallies []*tally) Result {
	r := Result{Elapsed: c.until.Sub(c.from)}
	var last time.Time
	var ended bool // by the number of requests
	for _, t := range tallies {
		r.Total += t.total
		r.PeakInFlight += t.peak
		r.Latencies = append(r.Latencies, t.latencies...)
		ended = ended || t.started == t.limit
		if t.last.After(last) {
			last = t.last
		}
	}
	if ended && !last.IsZero() {
		r.Elapsed = last.Sub(c.from)
	}
	slices.Sort(r.Latencies)
	return r
}
