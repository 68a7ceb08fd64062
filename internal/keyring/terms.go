package keyring

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// Terms are what a key may do. Keys of a namespace with equal ones share them, once
// a ring has them: they are never changed then.
type Terms struct {
	API Name
	// Err says why the key can't be used: requests with it are answered with 503.
	Err         error
	State       State
	Environment string
	Scopes      Scopes
	AllowedIPs  []netip.Prefix // empty: any
	Limit       ratelimit.Limit

	shared
	namespace string
	scopes    *scopeSet
	// scopesText are the scopes with commas between, once a ring has the terms.
	scopesText string
	blocks     *blockSet
}

// Holder is whom a key was issued to, and for what. It is shared like Terms; apart
// from them, because plans are few and customers many.
type Holder struct {
	DisplayName, Project  string
	OwnerName, OwnerEmail string
	Attributes            Attributes

	shared
}

// shared is what a pool knows of a value.
type shared struct {
	hash  uint64
	users int // 0 is none that a pool has
}

// pool holds each value once, as long as somebody uses it.
type pool[T any] struct {
	seed    maphash.Seed
	values  table[T]
	shared  func(*T) *shared
	sum     func(*T, *maphash.Hash)
	equal   func(a, b *T) bool
	compile func(*T)
}

func newTermsPool() pool[Terms] {
	share := func(t *Terms) *shared { return &t.shared }
	return pool[Terms]{
		seed: maphash.MakeSeed(), values: table[Terms]{hash: func(t *Terms) uint64 { return t.hash }},
		shared: share, sum: (*Terms).sum, equal: (*Terms).equal, compile: (*Terms).compile,
	}
}

func newHolderPool() pool[Holder] {
	share := func(o *Holder) *shared { return &o.shared }
	return pool[Holder]{
		seed: maphash.MakeSeed(), values: table[Holder]{hash: func(o *Holder) uint64 { return o.hash }},
		shared: share, sum: (*Holder).sum, equal: (*Holder).equal, compile: (*Holder).compile,
	}
}

// acquire returns the value that is equal to the given one, which may be nil, and
// has one more user now.
func (p *pool[T]) acquire(v *T) *T {
	if v == nil {
		v = new(T)
	}
	var h maphash.Hash
	h.SetSeed(p.seed)
	p.sum(v, &h)
	sum := h.Sum64()
	if have := p.values.find(sum, func(o *T) bool { return p.equal(o, v) }); have != nil {
		p.shared(have).users++
		return have
	}
	if p.shared(v).users > 0 { // it is another pool's
		v = new(*v)
	}
	*p.shared(v) = shared{hash: sum, users: 1}
	p.compile(v)
	p.values.add(sum, v)
	return v
}

// release says that one user less has a value.
func (p *pool[T]) release(v *T) {
	s := p.shared(v)
	if s.users--; s.users == 0 {
		p.values.remove(s.hash, v)
	}
}

func (t *Terms) sum(h *maphash.Hash) {
	maphash.WriteComparable(h, t.API)
	maphash.WriteComparable(h, t.State)
	sumStrings(h, t.namespace, t.Environment)
	sumStrings(h, t.Scopes...)
	for _, b := range t.AllowedIPs {
		maphash.WriteComparable(h, b)
	}
	maphash.WriteComparable(h, t.Limit)
	if t.Err != nil { // is equal to no other
		maphash.WriteComparable(h, t)
	}
}

// equal: errors are never equal, there is no telling.
func (t *Terms) equal(o *Terms) bool {
	return t == o || t.API == o.API && t.State == o.State && t.Err == nil && o.Err == nil &&
		t.namespace == o.namespace && t.Environment == o.Environment &&
		t.Limit == o.Limit && slices.Equal(t.Scopes, o.Scopes) && slices.Equal(t.AllowedIPs, o.AllowedIPs)
}

func (t *Terms) compile() {
	t.scopes, t.blocks, t.scopesText = newScopeSet(t.Scopes), newBlockSet(t.AllowedIPs), strings.Join(t.Scopes, ",")
}

func (o *Holder) sum(h *maphash.Hash) {
	sumStrings(h, o.DisplayName, o.Project, o.OwnerName, o.OwnerEmail)
	for _, a := range o.Attributes {
		sumStrings(h, a.Name, a.Value)
	}
}

func (o *Holder) equal(other *Holder) bool {
	return o.DisplayName == other.DisplayName && o.Project == other.Project && o.OwnerName == other.OwnerName &&
		o.OwnerEmail == other.OwnerEmail && slices.Equal(o.Attributes, other.Attributes)
}

// sumStrings hashes strings so that it makes a difference where one ends.
func sumStrings(h *maphash.Hash, all ...string) {
	for _, s := range all {
		maphash.WriteComparable(h, len(s))
		_, _ = h.WriteString(s)
	}
}

// compile puts the holder's strings in one piece of memory. The attributes are copied:
// whoever made the key may have them still.
func (o *Holder) compile() {
	own := []*string{&o.Project, &o.OwnerName, &o.OwnerEmail, &o.DisplayName}
	o.Attributes = slices.Clone(o.Attributes)
	for i := range o.Attributes {
		own = append(own, &o.Attributes[i].Name, &o.Attributes[i].Value)
	}
	pack(own...)
}
