package keyring_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// seq is the digest of the i-th key: SHA-256 of its number.
func seq(i int) key.Digest {
	return key.NewRaw(string(binary.BigEndian.AppendUint64(nil, uint64(i)))).Digest()
}

// keyNumber returns a key as the feed compiles one, its strings its own.
func keyNumber(i int) *keyring.Key {
	return &keyring.Key{
		Name:      keyring.Name{Namespace: fmt.Sprintf("team-%d", i%100), Name: fmt.Sprintf("shop-integration-%d", i)},
		UID:       fmt.Sprintf("0f6b8d5e-9c57-4c39-8d3f-%012d", i),
		CreatedAt: now,
		API:       shop,
		Versions:  []keyring.Version{{Digest: seq(i), Hint: fmt.Sprintf("bk_live_%04x", i%0x10000)}},
		ExpiresAt: now.Add(time.Hour),
		Scopes:    keyring.Scopes{"READ_BUDGETS", "WRITE_BUDGETS"},
		Limit:     ratelimit.Limit{Requests: 1000, Period: time.Hour},
		Project:   "proj_abc123",
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// ringOf returns a ring of n keys, and what each of them takes in memory.
func ringOf(n int) (r *keyring.Ring, bytesPerKey float64) {
	before := heap()
	r = keyring.New(keyring.HostPolicy{})
	for i := range n {
		r.SetKey(keyNumber(i))
	}
	return r, float64(heap()-before) / float64(n)
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		if n > 10_000 && testing.Short() {
			continue
		}
		r, bytesPerKey := ringOf(n)
		// Digests in an order that no cache foresees.
		digests := make([]key.Digest, 1<<16)
		for i := range digests {
			digests[i] = seq(i * 7919 % n)
		}
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := r.Find(shop, digests[i&(1<<16-1)]); !ok {
					b.Fatal("not found")
				}
				i++
			}
			b.ReportMetric(bytesPerKey, "B/key")
		})
		b.Run(fmt.Sprintf("keys=%d/unknown", n), func(b *testing.B) {
			unknown := seq(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := r.Find(shop, unknown); ok {
					b.Fatal("found")
				}
			}
		})
		b.Run(fmt.Sprintf("keys=%d/parallel", n), func(b *testing.B) {
			b.RunParallel(func(p *testing.PB) {
				for i := 0; p.Next(); i++ {
					r.Find(shop, digests[i&(1<<16-1)])
				}
			})
		})
		runtime.KeepAlive(r)
	}
}

func BenchmarkSetKey(b *testing.B) {
	r, _ := ringOf(10_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r.SetKey(keyNumber(i % 10_000))
		i++
	}
}

func BenchmarkAPIForHost(b *testing.B) {
	r := keyring.New(keyring.HostPolicy{Grants: []keyring.Grant{{Namespace: "shop", Pattern: "*.shop.dev"}}})
	r.SetAPI(claim{name: "shop/api", hosts: []string{"*.shop.dev"}}.api())
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.APIForHost("x.y.shop.dev"); !ok {
			b.Fatal("not found")
		}
	}
}
