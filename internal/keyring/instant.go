package keyring

import (
	"math"
	"time"
)

// Instant is a time in a third of the memory: nanoseconds of Unix time, 0 for none.
// What is before the year 1678 or after 2262 is taken for the end of that range.
type Instant int64

const nano = int64(time.Second)

// At returns the Instant of a time, 0 for the zero Time only.
func At(t time.Time) Instant {
	switch s := t.Unix(); {
	case t.IsZero():
		return 0
	case s <= math.MinInt64/nano:
		return math.MinInt64
	case s >= math.MaxInt64/nano:
		return math.MaxInt64
	case s == 0 && t.Nanosecond() == 0:
		return 1 // a deadline of 1970 has passed: it isn't none
	default:
		return Instant(s*nano + int64(t.Nanosecond()))
	}
}

// IsZero reports whether there is none.
func (i Instant) IsZero() bool { return i == 0 }

// Time returns the time, the zero Time for none.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

// String writes it as a time.
func (i Instant) String() string { return i.Time().String() }

// passed reports whether a deadline has come, if there is one.
func (i Instant) passed(now Instant) bool { return i != 0 && i <= now }
