package keyring

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// shardCount spreads lookups and changes over that many locks, by the digest's
// first byte.
const shardCount = 256

// Ring is the index of keys and APIs. Any number of goroutines may read it while
// others change it, one after the other.
type Ring struct {
	policy HostPolicy

	mu   sync.Mutex // guards changes
	keys map[Name]*Key

	catalog atomic.Pointer[catalog]
	shards  [shardCount]shard
	uses    uses
}

// catalog is everything known of APIs; a change makes a new one.
type catalog struct {
	apis  map[Name]*API
	hosts *HostTable
}

type shard struct {
	mu      sync.RWMutex
	matches map[reference][]Match // best first
}

type reference struct {
	api    Name
	digest key.Digest
}

// Match is what a digest was found to be.
type Match struct {
	Key     *Key
	Version *Version
}

// New returns a ring that knows the default API only.
func New(policy HostPolicy) *Ring {
	r := &Ring{policy: policy, keys: map[Name]*Key{}}
	for i := range r.shards {
		r.shards[i].matches = map[reference][]Match{}
	}
	r.setCatalog(map[Name]*API{DefaultAPI: NewDefaultAPI()})
	return r
}

// API returns the API of a name. One that can't be used is returned with its Err.
func (r *Ring) API(name Name) (*API, bool) {
	api, ok := r.catalog.Load().apis[name]
	return api, ok
}

// APIForHost returns the API that a normal host leads to.
func (r *Ring) APIForHost(host string) (*API, bool) {
	return r.catalog.Load().hosts.Find(host)
}

// Find returns the key that a digest belongs to within one API. If it belongs to
// more than one, those count whose namespaces the API admits: anybody could take
// the digest from status and revoke it elsewhere. Of these a revoked one wins, then
// the older.
func (r *Ring) Find(api Name, d key.Digest) (Match, bool) {
	s := &r.shards[d[0]]
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch found := s.matches[reference{api, d}]; len(found) {
	case 0:
		return Match{}, false
	case 1:
		return found[0], true
	default:
		return r.admitted(api, found), true
	}
}

// admitted returns the best match that the API admits, or else the best. Whom it
// admits changes with labels of namespaces, so that only the rest is sorted.
func (r *Ring) admitted(name Name, found []Match) Match {
	if api, ok := r.API(name); ok {
		for _, m := range found {
			if api.Admits(m.Key.Name.Namespace) {
				return m
			}
		}
	}
	return found[0]
}

// Len returns the number of keys.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}

// SetAPI adds an API or replaces the one of its name.
func (r *Ring) SetAPI(api *API) {
	r.mu.Lock()
	defer r.mu.Unlock()
	apis := maps.Clone(r.catalog.Load().apis)
	apis[api.Name] = api
	r.setCatalog(apis)
}

// DeleteAPI takes an API out. Its keys stay and open nothing.
func (r *Ring) DeleteAPI(name Name) {
	r.mu.Lock()
	defer r.mu.Unlock()
	apis := maps.Clone(r.catalog.Load().apis)
	delete(apis, name)
	r.setCatalog(apis)
}

func (r *Ring) setCatalog(apis map[Name]*API) {
	claimants := make([]*API, 0, len(apis))
	for name, api := range apis {
		if name != DefaultAPI {
			claimants = append(claimants, api)
		}
	}
	hosts, _ := r.policy.Assign(claimants, apis[DefaultAPI])
	r.catalog.Store(&catalog{apis: apis, hosts: hosts})
}

// SetKey adds a key or replaces the one of its name. The same APIKey (by uid)
// keeps what it used of its rate limit, and when its versions were last used.
func (r *Ring) SetKey(k *Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.keys[k.Name]
	if old != nil && old.UID == k.UID {
		k.limiter = old.limiter
		r.uses.adopt(k, old)
	} else {
		k.limiter = new(ratelimit.Limiter)
		r.uses.adopt(k, nil)
	}
	r.keys[k.Name] = k
	// First in, then out: a digest that stays is never missing in between.
	for i := range k.Versions {
		v := &k.Versions[i]
		r.put(reference{k.API, v.Digest}, Match{Key: k, Version: v}, old)
	}
	if old != nil {
		r.dropVersions(old, k)
	}
}

// DeleteKey takes a key out.
func (r *Ring) DeleteKey(name Name) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.keys[name]; old != nil {
		delete(r.keys, name)
		r.dropVersions(old, nil)
	}
}

// KeepKeys takes out all keys of a namespace, "" for all of every one, but those of
// the names.
func (r *Ring) KeepKeys(namespace string, names map[Name]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, old := range r.keys {
		if !names[name] && (namespace == "" || namespace == name.Namespace) {
			delete(r.keys, name)
			r.dropVersions(old, nil)
		}
	}
}

// put adds a match in place of the replaced key's.
func (r *Ring) put(ref reference, m Match, replaced *Key) {
	s := &r.shards[ref.digest[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	found := without(s.matches[ref], replaced)
	found = append(found, m)
	slices.SortStableFunc(found, func(a, b Match) int {
		return cmp.Or(
			cmp.Compare(a.rank(), b.rank()),
			older(a.Key.CreatedAt, b.Key.CreatedAt, a.Key.Name, b.Key.Name),
		)
	})
	s.matches[ref] = found
}

// dropVersions takes out what is left of a key that was replaced or deleted.
func (r *Ring) dropVersions(old, replacement *Key) {
	for _, v := range old.Versions {
		if replacement != nil && replacement.API == old.API && replacement.holds(v.Digest) {
			continue
		}
		ref := reference{old.API, v.Digest}
		s := &r.shards[v.Digest[0]]
		s.mu.Lock()
		if left := without(s.matches[ref], old); len(left) > 0 {
			s.matches[ref] = left
		} else {
			delete(s.matches, ref)
		}
		s.mu.Unlock()
	}
}

func without(matches []Match, k *Key) []Match {
	left := make([]Match, 0, len(matches)+1)
	for _, m := range matches {
		if m.Key != k {
			left = append(left, m)
		}
	}
	return left
}

func (k *Key) holds(d key.Digest) bool {
	return slices.ContainsFunc(k.Versions, func(v Version) bool { return v.Digest == d })
}

// rank orders keys that hold the same digest: a revoked one beats all, but for one
// that knows the digest only, which anybody may have read; and one that is being
// deleted leaves the digest to the others.
func (m Match) rank() int {
	rank := 1
	switch m.Key.State {
	case Deleted:
		return 4
	case Revoked:
		rank = 0
	default:
	}
	if m.Version.ByHash {
		rank += 2
	}
	return rank
}

// older orders by creation, then by name.
func older(a, b time.Time, an, bn Name) int {
	if c := a.Compare(b); c != 0 {
		return c
	}
	switch {
	case an.before(bn):
		return -1
	case bn.before(an):
		return 1
	default:
		return 0
	}
}
