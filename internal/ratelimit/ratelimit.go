package ratelimit

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

// Algorithm is how requests are counted.
type Algorithm uint8

const (
	// FixedWindow allows at most Requests per window of one Period. A window
	// starts at the first request after the one before has ended.
	FixedWindow Algorithm = iota
	// TokenBucket refills evenly at Requests per Period and holds at most Burst
	// tokens.
	TokenBucket
)

// Limit is how many requests are allowed. The zero Limit allows all.
type Limit struct {
	Requests  int64
	Period    time.Duration
	Algorithm Algorithm
	Burst     int64 // TokenBucket only; 0 means Requests
}

// Unlimited reports whether the limit allows all requests.
func (l Limit) Unlimited() bool { return l.Requests <= 0 || l.Period <= 0 }

// capacity is how many requests may come at once.
func (l Limit) capacity() int64 {
	if l.Algorithm == TokenBucket && l.Burst > 0 {
		return l.Burst
	}
	return l.Requests
}

// State is what was used of a limit. The zero State has used nothing.
type State struct {
	// used is how many requests count at time at: those of the window that
	// started then, or the tokens missing from the bucket, of which the next comes
	// back one token's time later. Without any, at means nothing.
	used int64
	at   instant
}

// instant is a time in nanoseconds since the epoch.
type instant int64

// epoch has a monotonic reading: between times that have one, too, a step of the
// wall clock makes no difference. Of others the wall clock counts.
var epoch = time.Now()

// instantOf is off for times more than 292 years away: they count as that far.
func instantOf(t time.Time) instant { return instant(t.Sub(epoch)) }

// since returns how long it is from an earlier time.
func (i instant) since(earlier instant) time.Duration {
	if d := i - earlier; d >= 0 {
		return time.Duration(d)
	}
	return math.MaxInt64 // over 292 years
}

// Result is the decision about one request, and what a client is told of it.
type Result struct {
	Allowed bool
	// Remaining is how many more requests would be allowed now.
	Remaining int64
	// Reset is how long until all of the limit is there again.
	Reset time.Duration
	// RetryAfter is how long until a request would be allowed; 0 if one is now.
	RetryAfter time.Duration
}

// Take decides about one request at time now and returns the state after it. A
// denied request uses nothing. A clock that went back neither gives nor takes.
func (l Limit) Take(s State, now time.Time) (State, Result) {
	if l.Unlimited() {
		return s, Result{Allowed: true, Remaining: math.MaxInt64}
	}
	at := instantOf(now)
	if s.used == 0 {
		s.at = at
	}
	at = max(at, s.at)
	if l.Algorithm == TokenBucket {
		return l.takeToken(s, at)
	}
	return l.takeFromWindow(s, at)
}

func (l Limit) takeFromWindow(s State, now instant) (State, Result) {
	passed := now.since(s.at)
	if passed >= l.Period {
		s, passed = State{at: now}, 0
	}
	reset := l.Period - passed
	if s.used >= l.Requests {
		return s, Result{Reset: reset, RetryAfter: reset}
	}
	s.used++
	return s, Result{Allowed: true, Remaining: l.Requests - s.used, Reset: reset}
}

func (l Limit) takeToken(s State, now instant) (State, Result) {
	left := l.refill(s, now)
	sinceToken := now.since(left.at)
	if missing := left.used - l.capacity() + 1; missing > 0 {
		return s, Result{Reset: l.refillTime(left.used) - sinceToken, RetryAfter: l.refillTime(missing) - sinceToken}
	}
	left.used++
	return left, Result{Allowed: true, Remaining: l.capacity() - left.used, Reset: l.refillTime(left.used) - sinceToken}
}

// refill puts back the tokens that came since s. More than the bucket holds is
// missing after an edit only, and then a request is allowed again after one
// period, as it would be in a window.
func (l Limit) refill(s State, now instant) State {
	if s.used-l.capacity() >= l.Requests {
		s.used = l.capacity() + l.Requests - 1
	}
	back, _ := mulDiv(int64(now.since(s.at)), l.Requests, int64(l.Period))
	switch {
	case back >= s.used:
		return State{at: now}
	case back == 0:
		return s
	default:
		return State{used: s.used - back, at: s.at + instant(l.refillTime(back))}
	}
}

// refillTime is how long it takes until so many tokens are back, rounded up.
func (l Limit) refillTime(tokens int64) time.Duration {
	nanos, exact := mulDiv(tokens, int64(l.Period), l.Requests)
	if !exact && nanos < math.MaxInt64 {
		nanos++
	}
	return time.Duration(nanos)
}

// mulDiv returns a*b/c rounded down, and whether nothing was rounded. None may be
// negative; what int64 can't hold is its maximum.
func mulDiv(a, b, c int64) (quotient int64, exact bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		return math.MaxInt64, false
	}
	q, r := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, math.MaxInt64)), r == 0
}

// Limiter is a State for concurrent use, in 24 bytes: each key has one.
type Limiter struct {
	mu    sync.Mutex
	state State
}

// Take decides about one request at time now under the limit of this moment.
func (m *Limiter) Take(l Limit, now time.Time) Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	var r Result
	m.state, r = l.Take(m.state, now)
	return r
}
