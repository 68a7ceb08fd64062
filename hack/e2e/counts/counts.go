package counts

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Counts are of all calls from the first on that got an answer.
type Counts struct {
	// Waited are the calls before that: a new Service takes a moment to be there.
	Waited  int `json:"waited"`
	Total   int `json:"total"`
	Allowed int `json:"allowed"`
	// Denied are the answers other than 200, by status.
	Denied map[int]int `json:"denied"`
	// Errors are calls without an answer, for want of a key or of a connection.
	Errors    int    `json:"errors"`
	LastError string `json:"lastError,omitempty"`
	// Keys are by digest, as in an APIKey's status.
	Keys map[string]Use `json:"keys"`
	// LongestCall is from the reading of the key to the end of the answer, and
	// LongestGap from the start of one call to that of the next.
	LongestCall time.Duration `json:"longestCall"`
	LongestGap  time.Duration `json:"longestGap"`
}

// Use is how one key was used, and came off.
type Use struct {
	Calls       int       `json:"calls"`
	Allowed     int       `json:"allowed"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	LastAllowed time.Time `json:"lastAllowed,omitzero"`
	FirstDenied time.Time `json:"firstDenied,omitzero"`
}

// NotAllowed is the number of calls that weren't.
func (c Counts) NotAllowed() int { return c.Total - c.Allowed }

// Call is one call and what came of it.
type Call struct {
	Key        string
	Status     int
	Err        error
	Start, End time.Time
}

// Tally counts calls. It holds digests of keys, and no key.
type Tally struct {
	mu   sync.Mutex
	c    Counts
	last time.Time
}

// New returns a tally of no calls.
func New() *Tally {
	return &Tally{c: Counts{Denied: map[int]int{}, Keys: map[string]Use{}}}
}

// Add counts a call.
func (t *Tally) Add(call Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.c.Total == 0 && call.Err != nil {
		t.c.Waited++
		t.c.LastError = call.Err.Error()
		return
	}
	t.c.Total++
	t.c.LongestCall = max(t.c.LongestCall, call.End.Sub(call.Start))
	if !t.last.IsZero() {
		t.c.LongestGap = max(t.c.LongestGap, call.Start.Sub(t.last))
	}
	t.last = call.Start

	digest := Digest(call.Key)
	use := t.c.Keys[digest]
	if use.Calls == 0 {
		use.First = call.Start
	}
	use.Calls++
	use.Last = call.Start
	switch {
	case call.Err != nil:
		t.c.Errors++
		t.c.LastError = call.Err.Error()
	case call.Status == 200:
		t.c.Allowed++
		use.Allowed++
		use.LastAllowed = call.Start
	default:
		t.c.Denied[call.Status]++
		if use.FirstDenied.IsZero() {
			use.FirstDenied = call.End
		}
	}
	t.c.Keys[digest] = use
}

// Snapshot is a copy of the counts.
func (t *Tally) Snapshot() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.c
	c.Denied, c.Keys = maps.Clone(c.Denied), maps.Clone(c.Keys)
	return c
}

// Digest names a key as an APIKey's status does.
func Digest(key string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(key))) }
