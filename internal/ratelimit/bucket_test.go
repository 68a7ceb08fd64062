package ratelimit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

func bucket(requests int64, period time.Duration, burst int64) ratelimit.Limit {
	return ratelimit.Limit{Requests: requests, Period: period, Algorithm: ratelimit.TokenBucket, Burst: burst}
}

func TestTokenBucket(t *testing.T) {
	// A token each second.
	small, wide, unset := bucket(10, 10*second, 2), bucket(2, 2*second, 5), bucket(3, 3*second, 0)
	tests := map[string][]step{
		"burst at once, then one each time a token is there": {
			{0, small, allowed(1, second)},
			{0, small, allowed(0, 2*second)},
			{0, small, denied(second, 2*second)},
			{second - 1, small, denied(1, second+1)},
			{second, small, allowed(0, 2*second)},
			{second, small, denied(second, 2*second)},
			{2500 * time.Millisecond, small, allowed(0, 1500*time.Millisecond)},
			{2500 * time.Millisecond, small, denied(500*time.Millisecond, 1500*time.Millisecond)},
		},
		"burst may be more than requests": {
			{0, wide, allowed(4, second)},
			{0, wide, allowed(3, 2*second)},
			{0, wide, allowed(2, 3*second)},
			{0, wide, allowed(1, 4*second)},
			{0, wide, allowed(0, 5*second)},
			{0, wide, denied(second, 5*second)},
			{second, wide, allowed(0, 5*second)},
		},
		"burst unset is requests": {
			{0, unset, allowed(2, second)},
			{0, unset, allowed(1, 2*second)},
			{0, unset, allowed(0, 3*second)},
			{0, unset, denied(second, 3*second)},
		},
		"it holds no more than burst, however long nothing comes": {
			{0, small, allowed(1, second)},
			{24 * time.Hour, small, allowed(1, second)},
			{24 * time.Hour, small, allowed(0, 2*second)},
			{24 * time.Hour, small, denied(second, 2*second)},
		},
		"a full bucket gathers no part of a token": {
			{0, small, allowed(1, second)},
			{1500 * time.Millisecond, small, allowed(1, second)},
			{1500 * time.Millisecond, small, allowed(0, 2*second)},
			{2 * second, small, denied(500*time.Millisecond, 1500*time.Millisecond)},
		},
		"a part of a token is not a request that remains": {
			{0, small, allowed(1, second)},
			{500 * time.Millisecond, small, allowed(0, 1500*time.Millisecond)},
			{500 * time.Millisecond, small, denied(500*time.Millisecond, 1500*time.Millisecond)},
			{750 * time.Millisecond, small, denied(250*time.Millisecond, 1250*time.Millisecond)},
			{second, small, allowed(0, 2*second)},
		},
		"denied requests use nothing": {
			{0, bucket(1, second, 1), allowed(0, second)},
			{250 * time.Millisecond, bucket(1, second, 1), denied(750*time.Millisecond, 750*time.Millisecond)},
			{500 * time.Millisecond, bucket(1, second, 1), denied(500*time.Millisecond, 500*time.Millisecond)},
			{second - 1, bucket(1, second, 1), denied(1, 1)},
			{second, bucket(1, second, 1), allowed(0, second)},
		},
		"a clock that went back neither gives nor takes": {
			{10 * second, small, allowed(1, second)},
			{0, small, allowed(0, 2*second)},
			{-time.Hour, small, denied(second, 2*second)},
			{10 * second, small, denied(second, 2*second)},
			{11 * second, small, allowed(0, 2*second)},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) { run(t, steps) })
	}
}

// arrivals yields times that are now dense, now sparse.
func arrivals(random *rand.Rand, limit ratelimit.Limit, n int) []time.Time {
	now, times := start, make([]time.Time, n)
	perToken := int64(limit.Period) / limit.Requests
	for i := range times {
		switch random.IntN(10) {
		case 0:
			now = now.Add(time.Duration(random.Int64N(2 * int64(limit.Period))))
		case 1, 2, 3, 4:
			now = now.Add(time.Duration(random.Int64N(2*perToken + 1)))
		case 5: // a token's time to the nanosecond
			now = now.Add(time.Duration(perToken))
		}
		times[i] = now
	}
	return times
}

func randomBucket(random *rand.Rand) ratelimit.Limit {
	return bucket(1+random.Int64N(50), time.Duration(1000+random.Int64N(int64(time.Hour))), random.Int64N(60))
}

func burst(l ratelimit.Limit) int64 {
	if l.Burst == 0 {
		return l.Requests
	}
	return l.Burst
}

// At most burst + requests in any one period, wherever it starts.
func TestTokenBucketBound(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 2))
		limit := randomBucket(random)
		most := int(burst(limit) + limit.Requests)
		var state ratelimit.State
		var passed []time.Time
		for _, now := range arrivals(random, limit, 2000) {
			var got ratelimit.Result
			if state, got = limit.Take(state, now); got.Allowed {
				passed = append(passed, now)
			}
		}
		for i := range len(passed) - most {
			if took := passed[i+most].Sub(passed[i]); took < limit.Period {
				t.Fatalf("seed %d, %+v: %d requests passed within %v", seed, limit, most+1, took)
			}
		}
	}
}

// What a client is told is true: so many more pass now, none passes before
// RetryAfter, one does then, and all do after Reset. A nanosecond is lost to
// rounding.
func TestTokenBucketTellsTheTruth(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		limit := randomBucket(random)
		var state ratelimit.State
		for _, now := range arrivals(random, limit, 500) {
			var got ratelimit.Result
			state, got = limit.Take(state, now)
			if n := passing(limit, state, now); n != got.Remaining {
				t.Fatalf("seed %d, %+v: %+v, but %d more pass", seed, limit, got, n)
			}
			if n := passing(limit, state, now.Add(got.Reset)); n != burst(limit) {
				t.Fatalf("seed %d, %+v: %+v, but %d pass then", seed, limit, got, n)
			}
			if got.Allowed != (got.RetryAfter == 0) {
				t.Fatalf("seed %d, %+v: %+v", seed, limit, got)
			}
			if got.Allowed {
				continue
			}
			early, then := passing(limit, state, now.Add(got.RetryAfter-2)), passing(limit, state, now.Add(got.RetryAfter))
			if early != 0 || then != 1 {
				t.Fatalf("seed %d, %+v: %+v, but %d pass before and %d then", seed, limit, got, early, then)
			}
		}
	}
}

// passing returns how many requests pass at one time.
func passing(limit ratelimit.Limit, state ratelimit.State, now time.Time) int64 {
	for n := int64(0); ; n++ {
		var got ratelimit.Result
		if state, got = limit.Take(state, now); !got.Allowed {
			return n
		}
	}
}
