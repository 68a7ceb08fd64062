package authn

import (
	"hash/maphash"
	"sync/atomic"
)

// memo remembers what was made for some keys, and is read and written without locks.
// Where two fall on the same slot, or what a key stands for is gone, what was made is
// made again: that bounds its memory, and costs no more than not to have it.
type memo[K comparable, V any] struct {
	slots [1024]atomic.Pointer[made[K, V]]
}

type made[K comparable, V any] struct {
	key   K
	value V
}

var memoSeed = maphash.MakeSeed()

func (m *memo[K, V]) get(k K, make func() V) V {
	slot := &m.slots[maphash.Comparable(memoSeed, k)%uint64(len(m.slots))]
	if s := slot.Load(); s != nil && s.key == k {
		return s.value
	}
	s := &made[K, V]{k, make()}
	slot.Store(s)
	return s.value
}
