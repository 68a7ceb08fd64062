package ratelimit

import (
	"math"
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
	// started then, or the tokens missing from the bucket.
	used float64
	at   time.Time
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
		return State{}, Result{Allowed: true, Remaining: math.MaxInt64}
	}
	if now.Before(s.at) {
		now = s.at
	}
	if l.Algorithm == TokenBucket {
		return l.takeToken(s, now)
	}
	return l.takeFromWindow(s, now)
}

func (l Limit) takeFromWindow(s State, now time.Time) (State, Result) {
	if s.used <= 0 || now.Sub(s.at) >= l.Period {
		s = State{at: now}
	}
	// A bucket's fraction of a token counts as a whole request.
	used := int64(math.Ceil(s.used))
	reset := l.Period - now.Sub(s.at)
	if used >= l.Requests {
		return s, Result{Reset: reset, RetryAfter: reset}
	}
	used++
	return State{used: float64(used), at: s.at}, Result{Allowed: true, Remaining: l.Requests - used, Reset: reset}
}

func (l Limit) takeToken(s State, now time.Time) (State, Result) {
	perToken := float64(l.Period) / float64(l.Requests)
	used := max(0, s.used-float64(now.Sub(s.at))/perToken)
	if free := float64(l.capacity()) - used; free < 1 {
		return State{used: used, at: now}, Result{
			Reset:      ceilNanos(used * perToken),
			RetryAfter: ceilNanos((1 - free) * perToken),
		}
	}
	used++
	return State{used: used, at: now}, Result{
		Allowed:   true,
		Remaining: int64(float64(l.capacity()) - used),
		Reset:     ceilNanos(used * perToken),
	}
}

func ceilNanos(nanos float64) time.Duration {
	if nanos >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(math.Ceil(nanos))
}

// Limiter is a State for concurrent use.
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
