package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

const (
	// firstRevision is that of the first key. All have eight digits.
	firstRevision = 10_000_000
	// maxRevision ends changes, after days of them.
	maxRevision = 99_999_999
	// maxRate bounds the changes per second.
	maxRate = 100_000
)

// store holds the APIKeys, not as objects but as what differs in them.
type store struct {
	edits []*template
	rate  atomic.Int64 // of changes per second
	sent  atomic.Int64 // changes that were written to watches

	mu       sync.Mutex // guards what follows
	keys     []filling
	edited   []uint8 // which of edits a key has
	revision int     // of everything here, Leases included
	log      []change
	more     chan struct{} // closed when there is another change
	next     int           // key to change
}

// change is one edit of one key.
type change struct {
	key, version int
	edit         uint8
}

func newStore(n int) (*store, error) {
	raws, err := checkrequest.Keys(n)
	if err != nil {
		return nil, err
	}
	s := &store{keys: make([]filling, n), edited: make([]uint8, n), revision: firstRevision + n, more: make(chan struct{})}
	if s.edits, err = edits(); err != nil {
		return nil, err
	}
	prefix := len(checkrequest.Format.Prefix + "_" + checkrequest.Format.Environment + "_")
	for i, raw := range raws {
		s.keys[i] = filling{number: i, version: firstRevision + i, digest: key.NewRaw(raw).Digest()}
		copy(s.keys[i].hint[:], raw[prefix:])
	}
	return s, nil
}

// appendKey appends a key as it is now.
func (s *store) appendKey(out []byte, i int) []byte {
	s.mu.Lock()
	f, edit := s.keys[i], s.edited[i]
	s.mu.Unlock()
	return s.edits[edit].appendTo(out, &f)
}

// appendChange appends a key as it was after a change.
// Of keys only the version is ever written, which is not read here.
func (s *store) appendChange(out []byte, c change) []byte {
	f := filling{number: c.key, version: c.version, hint: s.keys[c.key].hint, digest: s.keys[c.key].digest}
	return s.edits[c.edit].appendTo(out, &f)
}

// now is the latest revision.
func (s *store) now() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision
}

// advance returns a revision for something else than a key.
func (s *store) advance() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision++
	return s.revision
}

// since returns what has changed after a revision, and what is closed when there is more.
func (s *store) since(revision int) ([]change, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := slices.BinarySearchFunc(s.log, revision+1, func(c change, r int) int { return c.version - r })
	return s.log[at:len(s.log):len(s.log)], s.more
}

// setRate sets how many keys change per second.
func (s *store) setRate(n int) error {
	if n < 0 || n > maxRate {
		return fmt.Errorf("rate %d: want 0 to %d", n, maxRate)
	}
	s.rate.Store(int64(n))
	return nil
}

// run changes keys until the context ends, one by one and each in its turn.
func (s *store) run(ctx context.Context) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	var due float64
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		due = min(due+now.Sub(last).Seconds()*float64(s.rate.Load()), maxRate)
		last = now
		if due >= 1 {
			s.change(int(due))
			due -= float64(int(due))
		}
	}
}

// change edits the next n keys.
func (s *store) change(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		if s.revision >= maxRevision {
			break
		}
		// A step that has no divisor in common with the number of keys.
		s.next = (s.next + stride(len(s.keys))) % len(s.keys)
		s.revision++
		k := s.next
		s.edited[k] = (s.edited[k] + 1) % uint8(len(s.edits))
		s.keys[k].version = s.revision
		s.log = append(s.log, change{key: k, version: s.revision, edit: s.edited[k]})
	}
	close(s.more)
	s.more = make(chan struct{})
}

// stride is a step with which every one of n keys has its turn, and none its neighbour's.
func stride(n int) int {
	for step := 7919; ; step++ {
		if gcd(step, n) == 1 {
			return step
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
