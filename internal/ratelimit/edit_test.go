package ratelimit_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// What was used survives a change of the limit, of its period and of its
// algorithm.
func TestEdits(t *testing.T) {
	var none ratelimit.Limit
	all := ratelimit.Result{Allowed: true, Remaining: math.MaxInt64}
	tests := map[string][]step{
		"window raised: the difference in the same window": {
			{0, window(1, 10*second), allowed(0, 10*second)},
			{second, window(3, 10*second), allowed(1, 9*second)},
			{second, window(3, 10*second), allowed(0, 9*second)},
			{second, window(3, 10*second), denied(9*second, 9*second)},
		},
		"window lowered: nothing until it ends, then the new limit": {
			{0, window(5, 10*second), allowed(4, 10*second)},
			{0, window(5, 10*second), allowed(3, 10*second)},
			{0, window(5, 10*second), allowed(2, 10*second)},
			{second, window(2, 10*second), denied(9*second, 9*second)},
			{10 * second, window(2, 10*second), allowed(1, 10*second)},
		},
		"window lowered and raised again": {
			{0, window(2, 10*second), allowed(1, 10*second)},
			{0, window(1, 10*second), denied(10*second, 10*second)},
			{0, window(2, 10*second), allowed(0, 10*second)},
			{0, window(2, 10*second), denied(10*second, 10*second)},
		},
		"window made longer": {
			{0, window(1, 10*second), allowed(0, 10*second)},
			{9 * second, window(1, 20*second), denied(11*second, 11*second)},
			{19 * second, window(1, 20*second), denied(second, second)},
			{20 * second, window(1, 20*second), allowed(0, 20*second)},
		},
		"window made shorter": {
			{0, window(1, 10*second), allowed(0, 10*second)},
			{4 * second, window(1, 5*second), denied(second, second)},
			{5 * second, window(1, 5*second), allowed(0, 5*second)},
		},
		"burst raised": {
			{0, bucket(10, 10*second, 1), allowed(0, second)},
			{0, bucket(10, 10*second, 3), allowed(1, 2*second)},
			{0, bucket(10, 10*second, 3), allowed(0, 3*second)},
			{0, bucket(10, 10*second, 3), denied(second, 3*second)},
		},
		"burst lowered": {
			{0, bucket(10, 10*second, 3), allowed(2, second)},
			{0, bucket(10, 10*second, 3), allowed(1, 2*second)},
			{0, bucket(10, 10*second, 1), denied(2*second, 2*second)},
			{2 * second, bucket(10, 10*second, 1), allowed(0, second)},
		},
		"bucket made slower: a token takes longer from the last one on": {
			{0, bucket(2, 2*second, 2), allowed(1, second)},
			{0, bucket(2, 2*second, 2), allowed(0, 2*second)},
			{second, bucket(2, 20*second, 2), denied(9*second, 19*second)},
			{10 * second, bucket(2, 20*second, 2), allowed(0, 20*second)},
		},
		"bucket made faster": {
			{0, bucket(1, 20*second, 1), allowed(0, 20*second)},
			{second, bucket(1, 2*second, 1), denied(second, second)},
			{2 * second, bucket(1, 2*second, 1), allowed(0, 2*second)},
		},
		"bucket lowered by far: a request is allowed again after one period": {
			{0, bucket(3, 3*second, 3), allowed(2, second)},
			{0, bucket(3, 3*second, 3), allowed(1, 2*second)},
			{0, bucket(3, 3*second, 3), allowed(0, 3*second)},
			{0, bucket(1, 3*second, 1), denied(3*second, 3*second)},
			{3*second - 1, bucket(1, 3*second, 1), denied(1, 1)},
			{3 * second, bucket(1, 3*second, 1), allowed(0, 3*second)},
		},
		"window to bucket": {
			{0, window(3, 3*second), allowed(2, 3*second)},
			{0, window(3, 3*second), allowed(1, 3*second)},
			{0, window(3, 3*second), allowed(0, 3*second)},
			{0, bucket(3, 3*second, 3), denied(second, 3*second)},
			{second, bucket(3, 3*second, 3), allowed(0, 3*second)},
		},
		"window to bucket of a smaller burst": {
			{0, window(3, 3*second), allowed(2, 3*second)},
			{0, window(3, 3*second), allowed(1, 3*second)},
			{0, window(3, 3*second), allowed(0, 3*second)},
			{0, bucket(3, 3*second, 1), denied(3*second, 3*second)},
			{3 * second, bucket(3, 3*second, 1), allowed(0, second)},
		},
		"bucket to window": {
			{0, bucket(3, 3*second, 2), allowed(1, second)},
			{0, bucket(3, 3*second, 2), allowed(0, 2*second)},
			{0, window(3, 3*second), allowed(0, 3*second)},
			{0, window(3, 3*second), denied(3*second, 3*second)},
			{3 * second, window(3, 3*second), allowed(2, 3*second)},
		},
		"bucket to window: a part of a token counts as a whole request": {
			{0, bucket(3, 3*second, 3), allowed(2, second)},
			{500 * time.Millisecond, bucket(3, 3*second, 3), allowed(1, 1500*time.Millisecond)},
			{500 * time.Millisecond, window(3, 3*second), allowed(0, 2500*time.Millisecond)},
			{500 * time.Millisecond, window(3, 3*second), denied(2500*time.Millisecond, 2500*time.Millisecond)},
		},
		"there and back": {
			{0, window(2, 10*second), allowed(1, 10*second)},
			{0, bucket(2, 10*second, 2), allowed(0, 10*second)},
			{0, window(2, 10*second), denied(10*second, 10*second)},
			{0, bucket(2, 10*second, 2), denied(5*second, 10*second)},
		},
		"window taken away and given back": {
			{0, window(1, 10*second), allowed(0, 10*second)},
			{second, none, all},
			{2 * second, window(1, 10*second), denied(8*second, 8*second)},
		},
		"bucket taken away and given back": {
			{0, bucket(1, 10*second, 1), allowed(0, 10*second)},
			{second, none, all},
			{2 * second, bucket(1, 10*second, 1), denied(8*second, 8*second)},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) { run(t, steps) })
	}
}

// Whatever was edited, a denied request is allowed when it was told to come back,
// and that is no more than one period away.
func TestEditsNeverLockOut(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 4))
		var state ratelimit.State
		now := start
		for range 300 {
			limit := window(1+random.Int64N(50), time.Duration(1000+random.Int64N(int64(time.Hour))))
			if random.IntN(2) == 0 {
				limit = randomBucket(random)
			}
			for range random.IntN(100) {
				state, _ = limit.Take(state, now)
			}
			before := state
			var got ratelimit.Result
			state, got = limit.Take(state, now)
			if got.RetryAfter > limit.Period || got.Remaining < 0 || got.Reset < got.RetryAfter {
				t.Fatalf("seed %d, %+v: %+v", seed, limit, got)
			}
			if !got.Allowed && state != before {
				t.Fatalf("seed %d, %+v: a denied request changed %+v to %+v", seed, limit, before, state)
			}
			if _, then := limit.Take(state, now.Add(got.RetryAfter)); !got.Allowed && !then.Allowed {
				t.Fatalf("seed %d, %+v: %+v, but then %+v", seed, limit, got, then)
			}
			now = now.Add(time.Duration(random.Int64N(int64(limit.Period))))
		}
	}
}

// The bounds of the schema: up to 1e9 requests and burst, 1s to 720h.
func TestExtremes(t *testing.T) {
	const most = 1_000_000_000
	month := 720 * time.Hour
	tests := map[string][]step{
		"most in a second":         {{0, bucket(most, second, most), allowed(most-1, 1)}},
		"most in a month":          {{0, bucket(most, month, 0), allowed(most-1, month/most)}},
		"one in a month":           {{0, bucket(1, month, most), allowed(most-1, month)}, {month, bucket(1, month, most), allowed(most-1, month)}},
		"window, most in a month":  {{0, window(most, month), allowed(most-1, month)}},
		"the clock starts at zero": {{-start.Sub(time.Time{}), bucket(1, month, 1), allowed(0, month)}},
		"and ends": {
			{0, bucket(1, second, 1), allowed(0, second)},
			{math.MaxInt64, bucket(1, second, 1), allowed(0, second)},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) { run(t, steps) })
	}
}
