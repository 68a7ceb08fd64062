package ratelimit_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// start is not aligned to any period.
var start = time.Date(2026, 11, 3, 9, 41, 7, 123456789, time.UTC)

const second = time.Second

// step is one request, so long after start, and all that is to be known of it.
type step struct {
	at    time.Duration
	limit ratelimit.Limit
	want  ratelimit.Result
}

func run(t *testing.T, steps []step) {
	t.Helper()
	var state ratelimit.State
	for i, s := range steps {
		var got ratelimit.Result
		state, got = s.limit.Take(state, start.Add(s.at))
		if got != s.want {
			t.Errorf("request %d, at %v under %+v:\n got %+v\nwant %+v", i+1, s.at, s.limit, got, s.want)
		}
	}
}

func allowed(remaining int64, reset time.Duration) ratelimit.Result {
	return ratelimit.Result{Allowed: true, Remaining: remaining, Reset: reset}
}

func denied(retryAfter, reset time.Duration) ratelimit.Result {
	return ratelimit.Result{Reset: reset, RetryAfter: retryAfter}
}

func window(requests int64, period time.Duration) ratelimit.Limit {
	return ratelimit.Limit{Requests: requests, Period: period, Algorithm: ratelimit.FixedWindow}
}

func TestFixedWindow(t *testing.T) {
	three, one := window(3, 10*second), window(1, time.Hour)
	tests := map[string][]step{
		"exactly Requests in a window, denied ones use nothing": {
			{0, three, allowed(2, 10*second)},
			{0, three, allowed(1, 10*second)},
			{0, three, allowed(0, 10*second)},
			{0, three, denied(10*second, 10*second)},
			{0, three, denied(10*second, 10*second)},
			{10 * second, three, allowed(2, 10*second)},
			{10 * second, three, allowed(1, 10*second)},
			{10 * second, three, allowed(0, 10*second)},
			{10 * second, three, denied(10*second, 10*second)},
		},
		"the window starts at its first request": {
			{3 * second, three, allowed(2, 10*second)},
			{12 * second, three, allowed(1, second)},
			{13*second - 1, three, allowed(0, 1)},
			{13*second - 1, three, denied(1, 1)},
			{13 * second, three, allowed(2, 10*second)},
		},
		"the next one starts at the next request, not where the last has ended": {
			{0, one, allowed(0, time.Hour)},
			{time.Hour + 59*time.Minute, one, allowed(0, time.Hour)},
			{2 * time.Hour, one, denied(59*time.Minute, 59*time.Minute)},
			{2*time.Hour + 59*time.Minute - 1, one, denied(1, 1)},
			{2*time.Hour + 59*time.Minute, one, allowed(0, time.Hour)},
		},
		"a denied request neither starts nor extends a window": {
			{0, one, allowed(0, time.Hour)},
			{30 * time.Minute, one, denied(30*time.Minute, 30*time.Minute)},
			{time.Hour - 1, one, denied(1, 1)},
			{time.Hour, one, allowed(0, time.Hour)},
		},
		"a clock that went back doesn't open a window": {
			{10 * second, three, allowed(2, 10*second)},
			{0, three, allowed(1, 10*second)},
			{10 * second, three, allowed(0, 10*second)},
			{-time.Hour, three, denied(10*second, 10*second)},
			{20*second - 1, three, denied(1, 1)},
			{20 * second, three, allowed(2, 10*second)},
		},
		"burst is the bucket's": {
			{0, ratelimit.Limit{Requests: 1, Period: second, Burst: 100}, allowed(0, second)},
			{0, ratelimit.Limit{Requests: 1, Period: second, Burst: 100}, denied(second, second)},
		},
		"one a nanosecond": {
			{0, window(1, 1), allowed(0, 1)},
			{0, window(1, 1), denied(1, 1)},
			{1, window(1, 1), allowed(0, 1)},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) { run(t, steps) })
	}
}

func TestUnlimited(t *testing.T) {
	all := ratelimit.Result{Allowed: true, Remaining: math.MaxInt64}
	for _, limit := range []ratelimit.Limit{
		{},
		{Algorithm: ratelimit.TokenBucket},
		{Algorithm: ratelimit.TokenBucket, Burst: 5},
		{Period: time.Hour},
		{Requests: 5},
		{Requests: -1, Period: time.Hour},
		{Requests: 5, Period: -time.Hour},
	} {
		if !limit.Unlimited() {
			t.Errorf("%+v isn't unlimited", limit)
		}
		run(t, []step{{0, limit, all}, {0, limit, all}, {-time.Hour, limit, all}, {time.Hour, limit, all}})
	}
	if (ratelimit.Limit{Requests: 1, Period: 1}).Unlimited() {
		t.Error("one request a nanosecond is unlimited")
	}
}

// Billoget: at most 1000 an hour. Every window has room for exactly that many,
// whenever the requests come.
func TestFixedWindowUnderRandomArrivals(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		limit := window(1+random.Int64N(20), time.Duration(1+random.Int64N(int64(time.Minute))))
		var state ratelimit.State
		var opened time.Time
		var used int64
		now := start
		for range 2000 {
			now = now.Add(time.Duration(random.Int64N(int64(limit.Period)/limit.Requests + 1)))
			if used == 0 || now.Sub(opened) >= limit.Period {
				opened, used = now, 0
			}
			left := limit.Period - now.Sub(opened)
			want := denied(left, left)
			if used < limit.Requests {
				used++
				want = allowed(limit.Requests-used, left)
			}
			var got ratelimit.Result
			state, got = limit.Take(state, now)
			if got != want {
				t.Fatalf("seed %d, %+v, at %v: got %+v, want %+v", seed, limit, now.Sub(start), got, want)
			}
		}
	}
}
