package ratelimit_test

import (
	"math"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

func TestExceeds(t *testing.T) {
	hour, most := time.Hour, int64(math.MaxInt64)
	var none ratelimit.Limit
	for _, row := range []struct {
		name     string
		l, other ratelimit.Limit
		want     bool
	}{
		{"none, of none", none, none, false},
		{"none, of one", none, window(most, hour), true},
		{"one, of none", window(most, 1), none, false},

		{"window, itself", window(10, hour), window(10, hour), false},
		{"window, more requests", window(11, hour), window(10, hour), true},
		{"window, fewer requests", window(9, hour), window(10, hour), false},
		{"window, shorter", window(10, hour-1), window(10, hour), true},
		{"window, longer", window(10, 24*hour), window(10, hour), false},
		{"window, half of it in half the time", window(5, hour/2), window(10, hour), false},
		{"window, half of it in a bit less than half the time", window(5, hour/2-1), window(10, hour), true},
		{"window, a third of it in a bit less than half the time", window(3, hour/2-1), window(10, hour), false},
		{"window, more in a longer time", window(11, 24*hour), window(10, hour), true},

		{"bucket, itself", bucket(10, hour, 3), bucket(10, hour, 3), false},
		{"bucket, burst as by default", bucket(10, hour, 0), bucket(10, hour, 10), false},
		{"bucket, without its smaller burst", bucket(10, hour, 0), bucket(10, hour, 9), true},
		{"bucket, higher burst", bucket(10, hour, 4), bucket(10, hour, 3), true},
		{"bucket, faster", bucket(11, hour, 3), bucket(10, hour, 3), true},
		{"bucket, slower", bucket(9, hour, 3), bucket(10, hour, 3), false},
		{"bucket, as fast", bucket(240, 24*hour, 3), bucket(10, hour, 3), false},
		{"bucket, a bit faster", bucket(240, 24*hour-1, 3), bucket(10, hour, 3), true},
		{"bucket, faster but of a lower burst", bucket(11, hour, 1), bucket(10, hour, 3), true},

		{"bucket to window", window(10, hour), bucket(10, hour, 10), false},
		{"bucket to window, more at once", window(10, hour), bucket(10, hour, 9), true},
		{"bucket to window, faster", window(10, hour-1), bucket(10, hour, 10), true},
		{"bucket to window, slower", window(9, hour), bucket(10, hour, 20), false},

		{"window to bucket", bucket(10, hour, 10), window(10, hour), true},
		{"window to bucket, together as much", bucket(5, hour, 6), window(10, hour), false}, // the fifth comes with the next window
		{"window to bucket, together a bit more", bucket(6, hour, 6), window(10, hour), true},
		{"window to bucket, half as fast", bucket(5, hour, 5), window(10, hour), false},
		{"window to bucket, more at once", bucket(1, hour, 11), window(10, hour), true},
		{"window to bucket, all at once", bucket(1, hour, 10), window(10, hour), false}, // the next comes with the next window
		{"window to bucket, so fast that a nanosecond counts", bucket(3, 10, 1), window(1, 4), true},

		{"the highest window, itself", window(most, 1), window(most, 1), false},
		{"the highest window, twice as long", window(most, 1), window(most, 2), true},
		{"the highest bucket, itself", bucket(most, 1, most), bucket(most, 1, most), false},
		{"the highest bucket, of the lowest", bucket(most, 1, most), bucket(1, math.MaxInt64, 1), true},
		{"the lowest bucket, of the highest", bucket(1, math.MaxInt64, 1), bucket(most, 1, most), false},
		{"the highest bucket, of the highest window", bucket(most, 1, most), window(most, 1), false},
		{"the highest bucket, of the longest window", bucket(most, 1, 1), window(most, math.MaxInt64), true},
		{"the longest window, of the shortest", window(most, math.MaxInt64), window(most, 1), false},
		{"the shortest window, of the longest", window(1, 1), window(most, math.MaxInt64), false},
		{"the shortest window of two, of the longest", window(2, 1), window(most, math.MaxInt64), true},
	} {
		if got := row.l.Exceeds(row.other); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// TestExceedsIsWhatPasses compares every two of all small limits with what the limiter
// itself lets pass at most.
func TestExceedsIsWhatPasses(t *testing.T) {
	var limits []ratelimit.Limit
	for period := time.Duration(1); period <= 6; period++ {
		for requests := int64(1); requests <= 4; requests++ {
			limits = append(limits, window(requests, period))
			for burst := int64(1); burst <= 4; burst++ {
				limits = append(limits, bucket(requests, period, burst))
			}
		}
	}
	curves := make([][]int64, len(limits))
	for i, l := range limits {
		curves[i] = mostBy(l, 200)
	}
	answers := map[bool]int{}
	for i, l := range limits {
		for j, other := range limits {
			passes, at := false, 0
			for at = range curves[i] {
				if passes = curves[i][at] > curves[j][at]; passes {
					break
				}
			}
			answers[passes]++
			got := l.Exceeds(other)
			if got && (!even(l) || !even(other)) {
				continue // a token that comes after a part of a nanosecond is handed out after a whole one
			}
			if got != passes {
				t.Fatalf("%+v exceeds %+v: %v; but after %d ns at most %d requests have passed, of the other %d", l, other, got, at, curves[i][at], curves[j][at])
			}
		}
	}
	if answers[true] < 1000 || answers[false] < 1000 {
		t.Errorf("answers are lopsided: %v", answers)
	}
}

// even reports whether a bucket's tokens come after whole nanoseconds.
func even(l ratelimit.Limit) bool {
	return l.Algorithm == ratelimit.FixedWindow || int64(l.Period)%l.Requests == 0
}

// mostBy returns, for each nanosecond from the first request on, how many requests
// have passed at most under any traffic: it tries all.
func mostBy(l ratelimit.Limit, nanoseconds int) []int64 {
	states := map[ratelimit.State]int64{{}: 0}
	curve := make([]int64, nanoseconds)
	for i := range curve {
		now := start.Add(time.Duration(i))
		next := map[ratelimit.State]int64{}
		for state, passed := range states {
			for {
				next[state] = max(next[state], passed)
				curve[i] = max(curve[i], passed)
				var got ratelimit.Result
				if state, got = l.Take(state, now); !got.Allowed {
					break
				}
				passed++
			}
		}
		states = next
	}
	return curve
}
