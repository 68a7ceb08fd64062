package keyring_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
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
	k := keyring.NewKey()
	k.Name = keyring.Name{Namespace: fmt.Sprintf("team-%d", i%100), Name: fmt.Sprintf("shop-integration-%d", i)}
	k.UID = fmt.Sprintf("0f6b8d5e-9c57-4c39-8d3f-%012d", i)
	k.CreatedAt, k.ExpiresAt = keyring.At(now), keyring.At(now.Add(time.Hour))
	k.API = keyring.Name{Namespace: strings.Clone(shop.Namespace), Name: strings.Clone(shop.Name)}
	k.Versions = append(k.Versions, keyring.Version{Digest: seq(i), Hint: fmt.Sprintf("bk_live_%04x", i%0x10000)})
	k.Scopes = keyring.Scopes{strings.Clone("READ_BUDGETS"), strings.Clone("WRITE_BUDGETS")}
	k.Limit = ratelimit.Limit{Requests: 1000, Period: time.Hour}
	k.Project = strings.Clone("proj_abc123")
	return k
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// ringOf returns a ring of n keys, and what each of them takes in memory.
func ringOf(n int, key func(i int) *keyring.Key) (r *keyring.Ring, bytesPerKey float64) {
	before := heap()
	r = keyring.New(keyring.HostPolicy{})
	for i := range n {
		r.SetKey(key(i))
	}
	return r, float64(heap()-before) / float64(n)
}

// planNumber returns a key with everything that is checked, its terms those of a
// hundred others, its holder its own.
func planNumber(i int) *keyring.Key {
	k := keyNumber(i)
	plan := i / 100 % 1000
	k.Name.Namespace = fmt.Sprintf("team-%d", plan)
	k.Scopes, k.AllowedIPs = nil, nil
	for n := range 20 {
		k.Scopes = append(k.Scopes, fmt.Sprintf("resource-%d:read-%d", n, plan))
	}
	for n := range 10 {
		k.AllowedIPs = append(k.AllowedIPs, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), byte(plan), 0}), 24))
	}
	k.Limit = ratelimit.Limit{Requests: 1 << 40, Period: time.Second}
	k.Project, k.OwnerName, k.OwnerEmail = fmt.Sprintf("proj-%d", i), fmt.Sprintf("Customer %d", i), fmt.Sprintf("ops@customer-%d.example", i)
	k.DisplayName, k.Attributes = fmt.Sprintf("Integration %d", i), keyring.NewAttributes(map[string]string{"tier": fmt.Sprint("tier-", i%3)})
	return k
}

// digestsOf returns digests of n keys in an order that no cache foresees.
func digestsOf(n int) []key.Digest {
	digests := make([]key.Digest, 1<<16)
	for i := range digests {
		digests[i] = seq(i * 7919 % n)
	}
	return digests
}

// BenchmarkDecide asks of a key what a decision asks.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		if n > 10_000 && testing.Short() {
			continue
		}
		r, bytesPerKey := ringOf(n, planNumber)
		namespaces := map[string]bool{}
		for i := range 1000 {
			namespaces[fmt.Sprintf("team-%d", i)] = true
		}
		api := &keyring.API{Name: shop, Namespaces: namespaces}
		r.SetAPI(api)
		digests := digestsOf(n)
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i, allowed := 0, 0
			for b.Loop() {
				m, ok := r.Find(shop, digests[i&(1<<16-1)])
				k := m.Key
				if ok && api.Admits(k.Name.Namespace) && k.State == keyring.Active && k.Err == nil && !k.Ended(m.Version, now) &&
					k.AllowsIP(netip.AddrFrom4([4]byte{10, 9, byte(i), 1})) && !k.Grants("resource-19:read-") && k.TakeRequest(now).Allowed {
					r.MarkUsed(m.Version, now)
					allowed++
				}
				i++
			}
			b.ReportMetric(bytesPerKey, "B/key")
		})
		runtime.KeepAlive(r)
	}
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		if n > 10_000 && testing.Short() {
			continue
		}
		r, bytesPerKey := ringOf(n, keyNumber)
		digests := digestsOf(n)
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
	r, _ := ringOf(10_000, keyNumber)
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
