package authn

import (
	"maps"
	"sync"
	"sync/atomic"
)

// memo remembers what was made for a few keys, to be read without a lock. Once it
// holds too many it starts anew.
type memo[K comparable, V any] struct {
	mu   sync.Mutex // guards changes
	made atomic.Pointer[map[K]V]
}

// maxMemo bounds a memo, and how many APIs it holds that were replaced meanwhile.
const maxMemo = 512

func (m *memo[K, V]) get(k K, make func() V) V {
	if made := m.made.Load(); made != nil {
		if v, ok := (*made)[k]; ok {
			return v
		}
	}
	v := make()
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[K]V{}
	if made := m.made.Load(); made != nil && len(*made) < maxMemo {
		next = maps.Clone(*made)
	}
	next[k] = v
	m.made.Store(&next)
	return v
}
