package throttle

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	// Addresses is how many a Table knows at once, in 1 114 112 bytes.
	Addresses = sets * ways

	// An address belongs to one set, and a set holds so many.
	sets = 8192
	ways = 8
)

// Table holds what addresses owe. It is safe for concurrent use; a nil Table lets
// everything pass.
type Table struct {
	// seed makes it unknown which addresses share a set, so that nobody can choose
	// them.
	seed maphash.Seed
	// interval is how long one takes to be paid back, and budget so long for all
	// that an address may owe; both in nanoseconds.
	interval, budget int64
	sets             []set
}

type set struct {
	mu      sync.Mutex
	entries [ways]entry
}

type entry struct {
	block uint64
	// clear is when nothing is owed any more, in nanoseconds since 1970.
	clear int64
}

// New returns a Table in which each address may take so many per minute, and as
// many at once. It is nil, which is no limit, for 0 and less.
func New(perMinute int) *Table {
	return newTable(perMinute, sets)
}

func newTable(perMinute, sets int) *Table {
	if perMinute <= 0 {
		return nil
	}
	interval := int64(time.Minute) / int64(perMinute)
	return &Table{seed: maphash.MakeSeed(), interval: interval, budget: interval * int64(perMinute), sets: make([]set, sets)}
}

// Take takes one from an address's budget and returns 0. If nothing is left it takes
// nothing, and returns how long until there is one, at most a minute. An address that
// isn't valid has no budget, and takes nothing. A clock that went back costs an
// address at most its budget.
func (t *Table) Take(addr netip.Addr, now time.Time) (wait time.Duration) {
	if t == nil || !addr.IsValid() {
		return 0
	}
	block, at := blockOf(addr), now.UnixNano()
	s := &t.sets[maphash.Comparable(t.seed, block)%uint64(len(t.sets))]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(block, at+t.budget)
	next := max(e.clear, at) + t.interval
	if wait := next - at - t.budget; wait > 0 {
		return time.Duration(wait)
	}
	e.clear = next
	return 0
}

// entry returns the entry of a block, in place of the one that owes least if it has
// none. Nobody owes beyond latest: that would be from before the clock went back.
func (s *set) entry(block uint64, latest int64) *entry {
	var own *entry
	least := &s.entries[0]
	for i := range s.entries {
		e := &s.entries[i]
		e.clear = min(e.clear, latest)
		if e.block == block {
			own = e
		}
		if e.clear < least.clear {
			least = e
		}
	}
	if own == nil {
		own = least
		*own = entry{block: block}
	}
	return own
}

// Owing returns how many addresses owe something. It looks at the whole table, which
// takes a fraction of a millisecond.
func (t *Table) Owing(now time.Time) int {
	if t == nil {
		return 0
	}
	n, at := 0, now.UnixNano()
	for i := range t.sets {
		s := &t.sets[i]
		s.mu.Lock()
		for _, e := range s.entries {
			if e.clear > at {
				n++
			}
		}
		s.mu.Unlock()
	}
	return n
}

// multicast is where no client can be: IPv4 stands there among the blocks of IPv6.
const multicast = 0xffff_ffff << 32

// blockOf is what an address is counted as: its /64, or itself if it is IPv4.
func blockOf(addr netip.Addr) uint64 {
	if addr = addr.Unmap(); addr.Is4() {
		four := addr.As4()
		return multicast | uint64(binary.BigEndian.Uint32(four[:]))
	}
	sixteen := addr.As16()
	return binary.BigEndian.Uint64(sixteen[:8])
}
