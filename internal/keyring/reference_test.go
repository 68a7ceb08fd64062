package keyring_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// plainRing is what a Ring is meant to do, as plainly as it can be said.
type plainRing struct {
	keys map[keyring.Name]*keyring.Key
	apis map[keyring.Name]*keyring.API
}

func (p *plainRing) keep(namespace string, names map[keyring.Name]bool) {
	for name := range p.keys {
		if !names[name] && (namespace == "" || namespace == name.Namespace) {
			delete(p.keys, name)
		}
	}
}

// find returns the key that a digest belongs to, and which of its versions it is.
func (p *plainRing) find(api keyring.Name, d key.Digest) (*keyring.Key, int) {
	type match struct {
		key     *keyring.Key
		version int
	}
	var found []match
	for _, k := range p.keys {
		for i, v := range k.Versions {
			if v.Digest == d && k.API == api {
				found = append(found, match{k, i})
			}
		}
	}
	if len(found) == 0 {
		return nil, 0
	}
	rank := func(m match) int {
		byHash := 0
		if m.key.Versions[m.version].ByHash {
			byHash = 2
		}
		switch m.key.State {
		case keyring.Deleted:
			return 4
		case keyring.Revoked:
			return byHash
		default:
			return 1 + byHash
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.key.CreatedAt, b.key.CreatedAt),
			cmp.Compare(a.key.Name.Namespace, b.key.Name.Namespace), cmp.Compare(a.key.Name.Name, b.key.Name.Name), cmp.Compare(a.version, b.version))
	})
	if a := p.apis[api]; a != nil {
		for _, m := range found {
			if a.Admits(m.key.Name.Namespace) {
				return m.key, m.version
			}
		}
	}
	return found[0].key, found[0].version
}

// TestRingAgainstThePlainOne changes both at random: few names, digests and APIs, so
// that all of them meet.
func TestRingAgainstThePlainOne(t *testing.T) {
	apis := []keyring.Name{keyring.DefaultAPI, shop, billing}
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		digests := 2 + rnd.IntN(60) // from many duplicates to few
		r, p := keyring.New(keyring.HostPolicy{}), &plainRing{map[keyring.Name]*keyring.Key{}, map[keyring.Name]*keyring.API{}}
		for step := range 400 {
			name := keyring.Name{Namespace: fmt.Sprint("n", rnd.IntN(3)), Name: fmt.Sprint("k", rnd.IntN(12))}
			switch rnd.IntN(12) {
			case 0, 1:
				r.DeleteKey(name)
				delete(p.keys, name)
			case 2:
				if rnd.IntN(5) > 0 {
					break
				}
				namespace, names := []string{"", "n0", "n1"}[rnd.IntN(3)], map[keyring.Name]bool{}
				for name := range p.keys {
					names[name] = rnd.IntN(3) > 0
				}
				r.KeepKeys(namespace, names)
				p.keep(namespace, names)
			case 3:
				api := &keyring.API{Name: apis[1+rnd.IntN(2)], Namespaces: map[string]bool{"n0": rnd.IntN(2) == 0, "n1": rnd.IntN(2) == 0}}
				r.SetAPI(api)
				p.apis[api.Name] = api
			case 4:
				r.DeleteAPI(shop)
				delete(p.apis, shop)
			default:
				k := randomKey(rnd, name, apis[rnd.IntN(3)], digests)
				r.SetKey(k.Clone())
				p.keys[name] = k
			}
			for _, api := range apis {
				for i := range digests {
					d := seq(i)
					m, ok := r.Find(api, d)
					want, version := p.find(api, d)
					if ok != (want != nil) || ok && (!sameKey(m.Key, want) || m.Version != &m.Key.Versions[version]) {
						t.Fatalf("seed %d, step %d: digest %d of %s: found %+v, want version %d of %+v", seed, step, i, api, m.Key, version, want)
					}
				}
			}
			if r.Len() != len(p.keys) {
				t.Fatalf("seed %d, step %d: %d keys, want %d", seed, step, r.Len(), len(p.keys))
			}
		}
	}
}

func randomKey(rnd *rand.Rand, name keyring.Name, api keyring.Name, digests int) *keyring.Key {
	k := keyring.NewKey()
	k.Name, k.API, k.UID = name, api, fmt.Sprint(name.Name, " ", rnd.IntN(2))
	k.CreatedAt = keyring.At(now.Add(time.Duration(rnd.IntN(3))))
	k.State = []keyring.State{keyring.Active, keyring.Active, keyring.Suspended, keyring.Revoked, keyring.Deleted}[rnd.IntN(5)]
	for range rnd.IntN(4) {
		k.Versions = append(k.Versions, keyring.Version{Digest: seq(rnd.IntN(digests)), Hint: fmt.Sprint("h", rnd.IntN(9)), ByHash: rnd.IntN(3) == 0})
	}
	if rnd.IntN(2) == 0 {
		k.Scopes, k.Project, k.Limit.Requests = keyring.Scopes{"a", "b"}[:rnd.IntN(3)], fmt.Sprint("p", rnd.IntN(2)), int64(rnd.IntN(2))
	}
	if rnd.IntN(4) == 0 {
		k.Attributes = keyring.NewAttributes(map[string]string{"team": fmt.Sprint(rnd.IntN(2))})
	}
	return k
}

// sameKey compares what was compiled.
func sameKey(a, b *keyring.Key) bool {
	text := func(k *keyring.Key) string {
		var versions []string
		for _, v := range k.Versions {
			versions = append(versions, fmt.Sprint(v.Digest, v.Hint, v.NotAfter, v.ByHash))
		}
		return fmt.Sprint(k.Name, k.UID, k.CreatedAt, k.ExpiresAt, versions, k.API, k.State, k.Err, k.Environment, k.Scopes, k.AllowedIPs, k.Limit,
			k.DisplayName, k.Project, k.OwnerName, k.OwnerEmail, k.Attributes)
	}
	return text(a) == text(b)
}

// set returns a key as a ring has it, where scopes and blocks are compiled.
func set(scopes keyring.Scopes, blocks []netip.Prefix) *keyring.Key {
	k := newKey("k", "raw")
	k.Scopes, k.AllowedIPs = scopes, blocks
	keyring.New(keyring.HostPolicy{}).SetKey(k)
	return k
}

func TestGrantsAgainstScopes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var s strings.Builder
		for range rnd.IntN(6) {
			s.WriteByte("aab::*"[rnd.IntN(6)])
		}
		return s.String()
	}
	for range 3000 {
		var scopes keyring.Scopes
		for range rnd.IntN(12) {
			scopes = append(scopes, text())
		}
		k := set(scopes, nil)
		for range 30 {
			if want := text(); k.Grants(want) != scopes.Grant(want) {
				t.Fatalf("%q grant %q: %v", scopes, want, k.Grants(want))
			}
		}
	}
}

func TestAllowsIPAgainstContains(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	addr := func() netip.Addr {
		b := [16]byte{15: byte(rnd.IntN(4)), 14: byte(rnd.IntN(2)) * 0xff, 7: byte(rnd.IntN(2)), 8: byte(rnd.IntN(2)) * 0x80, 0: byte(rnd.IntN(2)) * 0x20}
		switch rnd.IntN(8) {
		case 0:
			return netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: 10, 15: byte(rnd.IntN(4))})
		case 1:
			return netip.AddrFrom16(b).WithZone("eth0")
		case 2:
			return netip.Addr{}
		case 3, 4:
			return netip.AddrFrom16(b)
		default:
			return netip.AddrFrom4([4]byte{byte(rnd.IntN(2)) * 0xff, 0, byte(rnd.IntN(2)), byte(rnd.IntN(4))})
		}
	}
	for range 3000 {
		var blocks []netip.Prefix
		for range rnd.IntN(14) {
			a := addr().WithZone("")
			blocks = append(blocks, netip.PrefixFrom(a, rnd.IntN(a.BitLen()+1)))
		}
		k := set(nil, blocks)
		for range 30 {
			a := addr()
			want := len(blocks) == 0 || slices.ContainsFunc(blocks, func(b netip.Prefix) bool { return b.Contains(a) })
			if got := k.AllowsIP(a); got != want {
				t.Fatalf("%v allow %v: %v", blocks, a, got)
			}
		}
	}
}

// A key that no ring has answers as well, and one with nothing grants nothing.
func TestKeysOfNoRing(t *testing.T) {
	inside, outside := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	terms := &keyring.Terms{Scopes: keyring.Scopes{"a", "b", "c", "d", "e", "f:*"}, Limit: ratelimit.Limit{Requests: 1, Period: time.Hour}}
	for _, b := range []string{"192.0.2.0/24", "203.0.113.0/24", "203.0.113.7/32"} {
		terms.AllowedIPs = append(terms.AllowedIPs, netip.MustParsePrefix(b))
	}
	tests := map[string]struct {
		key                          *keyring.Key
		e, f, g, inside, outside, on bool
	}{
		"terms":   {&keyring.Key{Terms: terms}, true, true, false, true, false, false},
		"nothing": {&keyring.Key{}, false, false, false, true, true, false},
		"new":     {keyring.NewKey(), false, false, false, true, true, false},
	}
	for name, tt := range tests {
		k := tt.key
		_, on := k.Value(keyring.Binding{Field: keyring.Environment})
		got := []bool{k.Grants("e"), k.Grants("f:x"), k.Grants("g"), k.AllowsIP(inside), k.AllowsIP(outside), on}
		if want := []bool{tt.e, tt.f, tt.g, tt.inside, tt.outside, tt.on}; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
