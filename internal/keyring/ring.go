package keyring

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

// Ring is the index of keys and APIs. Any number of goroutines may read it, and
// never wait, while others change it, one after the other.
type Ring struct {
	policy HostPolicy
	// seed makes hashes that nobody can foresee: who imports a key by its hash chooses
	// the digest.
	seed maphash.Seed

	catalog  atomic.Pointer[catalog]
	digests  table[Version] // any one of those that hold a digest
	contests table[contest] // all of them, if there is more than one
	uses     uses

	mu      sync.Mutex // guards changes, and what follows
	names   table[Key]
	terms   pool[Terms]
	holders pool[Holder]
}

// catalog is everything known of APIs; a change makes a new one.
type catalog struct {
	apis  map[Name]*API
	hosts *HostTable
}

// reference is what a digest is looked up by: a key of one API never opens another.
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
	r := &Ring{policy: policy, seed: maphash.MakeSeed(), terms: newTermsPool(), holders: newHolderPool()}
	r.digests.hash = func(v *Version) uint64 { return r.hash(v.key.API, &v.Digest) }
	r.contests.hash = func(c *contest) uint64 { return r.hash(c.api, &c.digest) }
	r.names.hash = func(k *Key) uint64 { return maphash.Comparable(r.seed, k.Name) }
	r.setCatalog(map[Name]*API{DefaultAPI: NewDefaultAPI()})
	return r
}

func (r *Ring) hash(api Name, d *key.Digest) uint64 {
	return maphash.Comparable(r.seed, reference{api, *d})
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
	h := r.hash(api, &d)
	v := r.digests.find(h, func(v *Version) bool { return v.Digest == d && v.key.API == api })
	if v == nil {
		return Match{}, false
	}
	if v.isContested() {
		return r.judge(h, reference{api, d})
	}
	return Match{Key: v.key, Version: v}, true
}

// Len returns the number of keys.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names.size
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
//
// The key is the ring's from then on and must not be changed, nor its Terms and
// Holder, in whose place those of an equal key may come: Clone makes one for edits.
func (r *Ring) SetKey(k *Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := maphash.Comparable(r.seed, k.Name)
	old := r.names.find(h, func(o *Key) bool { return o.Name == k.Name })
	var was Key // old may be k
	if old != nil {
		was = *old
	}
	k.adopt(&was)
	r.uses.adopt(k, &was)
	r.share(k)
	if old == nil {
		r.names.add(h, k)
	} else {
		r.names.replace(h, old, k)
	}
	// First in, then out: a digest that stays is never missing in between.
	for i := range k.Versions {
		if d := k.Versions[i].Digest; !holds(k.Versions[:i], d) {
			r.hold(k, reference{k.API, d}, old)
		}
	}
	if old != nil {
		r.drop(&was, old, k)
	}
}

// share lets a key have its terms and holder in common with others.
func (r *Ring) share(k *Key) {
	t := k.Terms
	if t == nil {
		t = new(Terms)
	}
	if t.namespace != k.Name.Namespace {
		if t.users > 0 {
			t = new(*t)
			t.forget()
		}
		t.namespace = k.Name.Namespace
	}
	k.Terms, k.Holder = r.terms.acquire(t), r.holders.acquire(k.Holder)
	k.Name.Namespace = k.namespace
}

// DeleteKey takes a key out.
func (r *Ring) DeleteKey(name Name) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.names.find(maphash.Comparable(r.seed, name), func(o *Key) bool { return o.Name == name }); old != nil {
		r.delete(old)
	}
}

// KeepKeys takes out all keys of a namespace, "" for all of every one, but those of
// the names.
func (r *Ring) KeepKeys(namespace string, names map[Name]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var others []*Key
	for i := range r.names.shards {
		s := r.names.shards[i].Load()
		if s == nil {
			continue
		}
		others = others[:0]
		s.each(func(k *Key) {
			if !names[k.Name] && (namespace == "" || namespace == k.Name.Namespace) {
				others = append(others, k)
			}
		})
		for _, k := range others {
			r.delete(k)
		}
	}
}

func (r *Ring) delete(k *Key) {
	r.names.remove(maphash.Comparable(r.seed, k.Name), k)
	r.drop(k, k, nil)
}

// drop takes out what is left of a key that was replaced or deleted. It says what
// the key was, old where it is.
func (r *Ring) drop(was, old, replacement *Key) {
	for i := range was.Versions {
		d := was.Versions[i].Digest
		if replacement == nil || replacement.API != was.API || !holds(replacement.Versions, d) {
			r.hold(nil, reference{was.API, d}, old)
		}
	}
	r.terms.release(was.Terms)
	r.holders.release(was.Holder)
}
