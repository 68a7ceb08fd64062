package keyring

import (
	"math/rand/v2"
	"sync"
	"testing"
)

type entry struct{ hash, id uint64 }

func newEntries() *table[entry] {
	return &table[entry]{hash: func(e *entry) uint64 { return e.hash }}
}

func (e *entry) in(t *table[entry]) bool {
	return t.find(e.hash, func(o *entry) bool { return o.id == e.id }) != nil
}

// hashOf spreads over two shards, a few buckets and tags, so that buckets overflow.
func hashOf(rnd *rand.Rand) uint64 {
	return rnd.Uint64N(2) | rnd.Uint64()<<10>>16&0x3fffffffc00 | rnd.Uint64N(3)<<56
}

func TestTableAgainstAMap(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		x, want, removed := newEntries(), map[uint64]*entry{}, map[uint64]*entry{}
		grow := true
		for step := range 6000 {
			if len(want) == 0 || len(want) > 900 {
				grow = len(want) == 0
			}
			id := rnd.Uint64N(1000)
			e := want[id]
			switch {
			case e == nil && (grow || rnd.IntN(4) == 0):
				e = &entry{hashOf(rnd), id}
				x.add(e.hash, e)
				want[id] = e
			case e != nil && (!grow || rnd.IntN(4) == 0):
				x.remove(e.hash, e)
				x.remove(e.hash, e) // what isn't there is left alone
				removed[id] = e
				delete(want, id)
			case e != nil:
				again := &entry{e.hash, id}
				x.replace(e.hash, e, again)
				want[id] = again
			}
			if e := want[id]; e != nil && !e.in(x) || x.size != len(want) {
				t.Fatalf("seed %d, step %d: %d of %d entries, %v isn't there", seed, step, x.size, len(want), e)
			}
		}
		for id := range uint64(1000) {
			if e := want[id]; e != nil && !e.in(x) {
				t.Fatalf("seed %d: %v isn't there", seed, e)
			} else if was := removed[id]; e == nil && was != nil && was.in(x) {
				t.Fatalf("seed %d: %v is there still", seed, was)
			}
		}
		for _, e := range want {
			x.remove(e.hash, e)
		}
		for i := range x.shards {
			if x.shards[i].Load() != nil {
				t.Fatalf("seed %d: a shard is left", seed)
			}
		}
	}
}

// Entries that stay are found at any time while others come and go around them, and
// shards grow and shrink.
func TestTableWhileItChanges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 8))
	x := newEntries()
	stay := make([]*entry, 30)
	for i := range stay {
		stay[i] = &entry{hashOf(rnd), uint64(i)}
		x.add(stay[i].hash, stay[i])
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, e := range stay {
					if !e.in(x) {
						t.Errorf("%v isn't there", e)
						return
					}
					if (&entry{e.hash, 1 << 40}).in(x) {
						t.Error("found what never was there")
						return
					}
				}
			}
		})
	}
	for range 20 {
		var others []*entry
		for i := range uint64(400) {
			e := &entry{hashOf(rnd), 1000 + i}
			others = append(others, e)
			x.add(e.hash, e)
		}
		for _, e := range others {
			x.remove(e.hash, e)
		}
	}
	close(done)
	readers.Wait()
}

// BenchmarkGrow is what the longest step of growing costs at a million entries: a
// shard is copied, which keeps no reader waiting.
func BenchmarkGrow(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 9))
	x := newEntries()
	for range 1000 {
		e := &entry{rnd.Uint64() &^ (shardCount - 1), 0}
		x.add(e.hash, e)
	}
	old := x.shards[0].Load()
	for b.Loop() {
		x.resize(&x.shards[0], old)
	}
}
