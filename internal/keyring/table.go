package keyring

import (
	"math/bits"
	"sync/atomic"
)

const (
	// shardCount bounds what growing costs: the shard that is full is copied, never
	// the whole table. At a million entries that is a thousand.
	shardCount = 1024
	// perBucket entries and one word about them fill a cache line.
	perBucket = 7
	// lowBytes has a one in each byte.
	lowBytes = 0x0101010101010101
	// Each of the entries has a byte of the word, the highest is the overflow's.
	tagBits  = 0x0080808080808080
	overflow = 8 * perBucket
)

// table is a hash set of pointers: open addressing in shards, read without locks
// while one goroutine at a time changes it. An entry that stays is found at any
// time: it moves only when its shard is copied.
//
// It takes about 14 bytes an entry. A lookup costs one cache line of the table, and
// reads an entry other than the right one once in a hundred times.
type table[E any] struct {
	hash   func(*E) uint64
	shards [shardCount]atomic.Pointer[shard[E]]
	size   int // for those who change it, as shard.used
}

type shard[E any] struct {
	buckets []bucket[E]
	used    int
}

// bucket holds entries whose hash leads to it, or to one before it that was full.
type bucket[E any] struct {
	// tags has for each entry a byte of its hash, 0 where there is none, and above
	// them the number of entries that found the bucket full: 0 ends a search. 255
	// stays, as nobody knows how many there were.
	tags    atomic.Uint64
	entries [perBucket]atomic.Pointer[E]
}

// The lowest bits of a hash choose the shard, the next 32 the bucket, the highest 8
// are the tag.

func shardOf(h uint64) int { return int(h % shardCount) }

func tagOf(h uint64) uint64 { return max(h>>56, 1) }

func (s *shard[E]) home(h uint64) int {
	return int(uint64(uint32(h>>10)) * uint64(len(s.buckets)) >> 32)
}

// find returns the entry with a hash that is the one looked for, or nil.
func (t *table[E]) find(h uint64, is func(*E) bool) *E {
	s := t.shards[shardOf(h)].Load()
	if s == nil {
		return nil
	}
	tag := tagOf(h) * lowBytes
	i := s.home(h)
	for range s.buckets {
		b := &s.buckets[i]
		tags := b.tags.Load()
		// Zero bytes of x are equal tags, and rarely one above such a byte is taken for
		// another.
		x := tags ^ tag
		for m := (x - lowBytes) &^ x & tagBits; m != 0; m &= m - 1 {
			if e := b.entries[bits.TrailingZeros64(m)/8].Load(); e != nil && is(e) {
				return e
			}
		}
		if tags>>overflow == 0 {
			return nil
		}
		if i++; i == len(s.buckets) {
			i = 0
		}
	}
	return nil
}

// add adds an entry that isn't there.
func (t *table[E]) add(h uint64, e *E) {
	p := &t.shards[shardOf(h)]
	s := p.Load()
	if s == nil || (s.used+1)*5 > len(s.buckets)*perBucket*4 {
		s = t.resize(p, s)
	}
	s.add(h, e)
	t.size++
}

// resize copies a shard to where there is room for half as many entries more than
// it has.
func (t *table[E]) resize(p *atomic.Pointer[shard[E]], old *shard[E]) *shard[E] {
	s := &shard[E]{}
	if old != nil {
		s.buckets = make([]bucket[E], (old.used+old.used/2)/(perBucket-1)+1)
		old.each(func(e *E) { s.add(t.hash(e), e) })
	} else {
		s.buckets = make([]bucket[E], 1)
	}
	p.Store(s)
	return s
}

func (s *shard[E]) add(h uint64, e *E) {
	s.used++
	for i := s.home(h); ; i = (i + 1) % len(s.buckets) {
		b := &s.buckets[i]
		tags := b.tags.Load()
		for at := range perBucket {
			if tags>>(8*at)&0xff == 0 {
				b.entries[at].Store(e)
				b.tags.Store(tags | tagOf(h)<<(8*at))
				return
			}
		}
		if tags>>overflow < 0xff {
			b.tags.Store(tags + 1<<overflow)
		}
	}
}

// replace puts an entry in the place of another with the same hash.
func (t *table[E]) replace(h uint64, old, e *E) {
	if b, at, _ := t.place(h, old); b != nil {
		b.entries[at].Store(e)
	}
}

// remove takes an entry out, and gives memory back when few are left.
func (t *table[E]) remove(h uint64, e *E) {
	b, at, passed := t.place(h, e)
	if b == nil {
		return
	}
	b.tags.Store(b.tags.Load() &^ (0xff << (8 * at)))
	b.entries[at].Store(nil)
	p := &t.shards[shardOf(h)]
	s := p.Load()
	for i := s.home(h); passed > 0; passed-- {
		full := &s.buckets[i]
		if tags := full.tags.Load(); tags>>overflow < 0xff {
			full.tags.Store(tags - 1<<overflow)
		}
		i = (i + 1) % len(s.buckets)
	}
	s.used--
	t.size--
	switch {
	case s.used == 0:
		p.Store(nil)
	case s.used*4 < len(s.buckets)*perBucket && len(s.buckets) > 2:
		t.resize(p, s)
	}
}

// place returns where an entry is, and how many buckets its hash led past.
func (t *table[E]) place(h uint64, e *E) (b *bucket[E], at, passed int) {
	s := t.shards[shardOf(h)].Load()
	if s == nil {
		return nil, 0, 0
	}
	for i := s.home(h); passed < len(s.buckets); passed++ {
		b := &s.buckets[i]
		for at := range b.entries {
			if b.entries[at].Load() == e {
				return b, at, passed
			}
		}
		i = (i + 1) % len(s.buckets)
	}
	return nil, 0, 0
}

// each calls a function with every entry of the shard.
func (s *shard[E]) each(f func(*E)) {
	for i := range s.buckets {
		for at := range perBucket {
			if e := s.buckets[i].entries[at].Load(); e != nil {
				f(e)
			}
		}
	}
}
