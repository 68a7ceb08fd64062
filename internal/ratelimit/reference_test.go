package ratelimit_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// plainState and what takes from it say what a Limit does, with times as they are
// and numbers without bounds.
type plainState struct {
	used int64
	at   time.Time
}

func (s *plainState) take(l ratelimit.Limit, now time.Time) ratelimit.Result {
	if l.Unlimited() {
		return ratelimit.Result{Allowed: true, Remaining: math.MaxInt64}
	}
	if s.used > 0 && now.Before(s.at) {
		now = s.at
	}
	if l.Algorithm == ratelimit.TokenBucket {
		return s.takeToken(l, now)
	}
	if s.used == 0 || now.Sub(s.at) >= l.Period {
		*s = plainState{at: now}
	}
	reset := l.Period - now.Sub(s.at)
	if s.used >= l.Requests {
		return ratelimit.Result{Reset: reset, RetryAfter: reset}
	}
	s.used++
	return ratelimit.Result{Allowed: true, Remaining: l.Requests - s.used, Reset: reset}
}

func (s *plainState) takeToken(l ratelimit.Limit, now time.Time) ratelimit.Result {
	left := *s
	left.used = min(left.used, burst(l)+l.Requests-1)
	back := int64(math.MaxInt64)
	if left.used > 0 {
		back = share(now.Sub(s.at), l.Requests, l.Period, 0)
	}
	if back >= left.used {
		left = plainState{at: now}
	} else {
		left.used -= back
		left.at = left.at.Add(timeOf(l, back))
	}
	since := now.Sub(left.at)
	if missing := left.used - burst(l) + 1; missing > 0 {
		return ratelimit.Result{Reset: timeOf(l, left.used) - since, RetryAfter: timeOf(l, missing) - since}
	}
	left.used++
	*s = left
	return ratelimit.Result{Allowed: true, Remaining: burst(l) - left.used, Reset: timeOf(l, left.used) - since}
}

// timeOf is how long it takes until so many tokens are back, rounded up.
func timeOf(l ratelimit.Limit, tokens int64) time.Duration {
	return time.Duration(share(l.Period, tokens, time.Duration(l.Requests), l.Requests-1))
}

// share is (a × b + more) / c.
func share(a time.Duration, b int64, c time.Duration, more int64) int64 {
	n := new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(b))
	n.Add(n, big.NewInt(more))
	n.Div(n, big.NewInt(int64(c)))
	if !n.IsInt64() {
		return math.MaxInt64
	}
	return n.Int64()
}

func randomLimit(random *rand.Rand) ratelimit.Limit {
	l := ratelimit.Limit{
		Requests: 1 + random.Int64N(30), Period: time.Duration(1 + random.Int64N(int64(time.Hour))),
		Algorithm: ratelimit.Algorithm(random.IntN(2)), Burst: random.Int64N(40),
	}
	switch random.IntN(10) {
	case 0:
		l.Requests = 1 + random.Int64N(1_000_000_000)
	case 1:
		l.Period = time.Duration(1 + random.Int64N(20))
	case 2:
		l.Period = 720 * time.Hour
	case 3:
		l.Requests = 0
	}
	return l
}

// Sequences of requests under limits that are edited, by a clock that goes back at
// times, or far away: as a Limiter, and as the plain description.
func TestAgainstPlainState(t *testing.T) {
	clocks := map[string]time.Time{
		"wall clock":      start,
		"monotonic clock": time.Now(),
		"long ago":        time.Date(1850, 2, 3, 4, 5, 6, 7, time.UTC),
		"far ahead":       time.Date(2200, 2, 3, 4, 5, 6, 7, time.UTC),
		"another zone":    start.In(time.FixedZone("", -5*3600)),
	}
	for name, now := range clocks {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(300) {
				sequence(t, seed, now)
			}
		})
	}
}

func sequence(t *testing.T, seed uint64, now time.Time) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 5))
	var limiter ratelimit.Limiter
	var state ratelimit.State
	var plain plainState
	limit := randomLimit(random)
	for i := range 300 {
		switch random.IntN(20) {
		case 0:
			limit = randomLimit(random)
		case 1:
			now = now.Add(-time.Duration(random.Int64N(int64(time.Minute))))
		case 2, 3, 4:
			now = now.Add(time.Duration(random.Int64N(2*int64(limit.Period) + 1)))
		case 5, 6, 7, 8:
			now = now.Add(limit.Period / time.Duration(max(limit.Requests, 1)))
		case 9:
			now = now.Add(time.Duration(random.IntN(3)))
		}
		want := plain.take(limit, now)
		var got ratelimit.Result
		state, got = limit.Take(state, now)
		if guarded := limiter.Take(limit, now); got != want || guarded != want {
			t.Fatalf("seed %d, request %d under %+v:\n got %+v, of a Limiter %+v\nwant %+v", seed, i, limit, got, guarded, want)
		}
	}
}

// Times beyond what is told apart deny nobody for longer than one period, and let
// no more pass at once than the limit.
func TestTimesOutOfRange(t *testing.T) {
	for _, limit := range []ratelimit.Limit{window(2, time.Hour), bucket(2, time.Hour, 2)} {
		for _, times := range [][2]time.Time{
			{{}, start}, {{}, {}}, {start, time.Unix(1<<60, 0)}, {time.Unix(1<<60, 0), time.Unix(1<<60, 1)}, {{}, time.Unix(1<<60, 0)}, {time.Unix(-1<<60, 0), {}},
		} {
			var limiter ratelimit.Limiter
			for range 2 {
				if got := limiter.Take(limit, times[0]); !got.Allowed {
					t.Errorf("%+v at %v: got %+v, want it allowed", limit, times[0], got)
				}
			}
			if got := limiter.Take(limit, times[0]); got.Allowed || got.RetryAfter > limit.Period {
				t.Errorf("%+v at %v: got %+v, want it denied for a period at most", limit, times[0], got)
			}
			if got := limiter.Take(limit, times[1]); got.RetryAfter > limit.Period || got.Reset > limit.Period {
				t.Errorf("%+v at %v, then %v: got %+v, want no more than a period", limit, times[0], times[1], got)
			}
		}
	}
}

// There is a Limiter for each of a million keys.
func TestLimiterIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(ratelimit.Limiter{}); size > 24 {
		t.Errorf("it takes %d bytes, want 24 at most", size)
	}
}
