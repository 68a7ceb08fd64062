package ratelimit

import "math/bits"

// Exceeds reports whether there is a length of time within which, counted from the
// first request ever, more requests may pass under this limit than under the other.
// What each lets pass at most within a time t is
//
//	FixedWindow: Requests × (⌊t/Period⌋ + 1)
//	TokenBucket: Burst + ⌊t × Requests/Period⌋
//
// where both are held against each other at every t, without bound. A part of a
// nanosecond counts, though the limiter doesn't refill at any.
//
// It is a matter of how much may pass, not of which requests: one window after the
// other may be met by traffic in such a way that a lower limit, too, lets a request
// pass that the higher one denies.
func (l Limit) Exceeds(other Limit) bool {
	switch {
	case other.Unlimited():
		return false
	case l.Unlimited():
		return true
	case l.Algorithm == FixedWindow && other.Algorithm == FixedWindow:
		// The worst is the end of the other's first window: ⌈other/l⌉ of ours have begun.
		windows := (other.Period-1)/l.Period + 1
		return less(product(other.Requests, 1), product(l.Requests, int64(windows)))
	case other.Algorithm == FixedWindow:
		// The same; and in the long run.
		room := other.Requests - l.capacity()
		refilled, _ := mulDiv(int64(other.Period-1), l.Requests, int64(l.Period))
		return room < 0 || refilled > room || l.faster(other)
	default:
		// At once; and in the long run, which decides at each time in between.
		return l.capacity() > other.capacity() || l.faster(other)
	}
}

// faster compares requests per time.
func (l Limit) faster(other Limit) bool {
	return less(product(other.Requests, int64(l.Period)), product(l.Requests, int64(other.Period)))
}

// product is a × b, neither negative: its upper and its lower 64 bits.
func product(a, b int64) (p [2]uint64) {
	p[0], p[1] = bits.Mul64(uint64(a), uint64(b))
	return p
}

func less(a, b [2]uint64) bool { return a[0] < b[0] || a[0] == b[0] && a[1] < b[1] }
