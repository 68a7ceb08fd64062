package keyring

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// State is what spec wants of a key.
type State uint8

// The states of a key. Deleted is an APIKey that is being deleted.
const (
	Active State = iota
	Suspended
	Revoked
	Deleted
)

// Version is one issued raw key.
type Version struct {
	Digest   key.Digest
	NotAfter Instant // 0: as long as the key
	ByHash   bool    // the APIKey brought no more than the digest

	// contested is 1 if others hold the digest too. It is read and written
	// atomically, but a version stays a plain value that may be copied.
	contested uint32
	key       *Key
	mark      *mark

	Hint string
}

// Key is a compiled APIKey: what is its own, and what it shares with others. Neither
// may be nil when a field of theirs is read; a ring sees to it for its keys.
//
// What a decision reads stands together: with the one version that most keys have it
// is 192 bytes, of which two cache lines are read.
type Key struct {
	UID       string
	CreatedAt Instant
	Versions  []Version
	Name      Name
	ExpiresAt Instant // 0: never

	*Terms
	*Holder

	live *live
}

// live is what stays of a key through all edits.
type live struct {
	limiter ratelimit.Limiter
	first   mark // of the first version that it had
}

// NewKey returns a key without any right, in one piece with room for a version.
func NewKey() *Key {
	k := new(struct {
		Key
		first [1]Version
	})
	k.Versions, k.Terms, k.Holder = k.first[:0], new(Terms), new(Holder)
	return &k.Key
}

// Clone returns a key that may be changed, in place of one that a ring may have.
func (k *Key) Clone() *Key {
	c := NewKey()
	versions, terms, holder := append(c.Versions, k.Versions...), c.Terms, c.Holder //nolint:gocritic // they stand beside the key
	if k.Terms != nil {
		*terms = *k.Terms
		terms.forget()
		terms.Scopes, terms.AllowedIPs = slices.Clone(k.Scopes), slices.Clone(k.AllowedIPs)
	}
	if k.Holder != nil {
		*holder = *k.Holder
		holder.shared = shared{}
		holder.Attributes = slices.Clone(k.Attributes)
	}
	*c = *k
	c.Versions, c.Terms, c.Holder, c.live = versions, terms, holder, nil
	return c
}

// forget takes back what a pool did.
func (t *Terms) forget() {
	t.shared, t.namespace, t.scopes, t.blocks, t.scopesText = shared{}, "", nil, nil, ""
}

// Value returns what the key holds in the field that a binding compares with,
// and whether it holds anything there.
func (k *Key) Value(b Binding) (string, bool) {
	var v string
	switch {
	case b.Field == Environment && k.Terms != nil:
		v = k.Environment
	case k.Holder == nil:
	case b.Field == Project:
		v = k.Project
	case b.Field == OwnerName:
		v = k.OwnerName
	case b.Field == OwnerEmail:
		v = k.OwnerEmail
	case b.Field == Attribute:
		v = k.Attributes.Get(b.Attribute)
	}
	return v, v != ""
}

// Grants reports whether the key's scopes include the wanted one. That none means
// all is its API's to say.
func (k *Key) Grants(scope string) bool {
	t := k.Terms
	switch {
	case t == nil:
		return false
	case t.scopes != nil:
		return t.scopes.grant(scope)
	default:
		return t.Scopes.Grant(scope)
	}
}

// ScopesText returns the scopes with commas between them.
func (k *Key) ScopesText() string {
	switch {
	case k.Terms == nil:
		return ""
	case k.scopesText == "":
		return strings.Join(k.Scopes, ",")
	default:
		return k.scopesText
	}
}

// AllowsIP reports whether the key may be used from an address. One that isn't known
// is in no block, but then a key without blocks may be used from anywhere.
func (k *Key) AllowsIP(addr netip.Addr) bool {
	t := k.Terms
	switch {
	case t == nil || len(t.AllowedIPs) == 0:
		return true
	case t.blocks != nil:
		return t.blocks.contains(addr)
	}
	for _, b := range t.AllowedIPs {
		if b.Contains(addr) {
			return true
		}
	}
	return false
}

// Ended reports whether the key or this version of it has come to its end.
func (k *Key) Ended(v *Version, now time.Time) bool {
	at := At(now)
	return k.ExpiresAt.passed(at) || v.NotAfter.passed(at)
}

// TakeRequest counts one request at time now. What was used stays with the
// APIKey through edits and rotations.
func (k *Key) TakeRequest(now time.Time) ratelimit.Result {
	return k.live.limiter.Take(k.Limit, now)
}

// adopt makes k the key of a ring: it takes over what the one that it replaces, the
// zero Key for none, has of the same APIKey.
func (k *Key) adopt(old *Key) {
	if k.live != nil { // a ring has its versions
		k.Versions = slices.Clone(k.Versions)
	}
	k.live = new(live)
	if old.sameAs(k) {
		k.live = old.live
	}
	k.pack()
	for i := range k.Versions {
		v := &k.Versions[i]
		v.key, v.contested = k, 0
	}
}

// sameAs reports whether a key that a ring has, or had, is of the same APIKey.
func (k *Key) sameAs(o *Key) bool { return k.live != nil && k.UID == o.UID }

// pack puts the key's own strings in one piece of memory.
func (k *Key) pack() {
	own := append(make([]*string, 0, 4), &k.Name.Name, &k.UID)
	for i := range k.Versions {
		own = append(own, &k.Versions[i].Hint)
	}
	pack(own...)
}

// pack puts strings in one piece of memory.
func pack(strs ...*string) {
	n := 0
	for _, s := range strs {
		n += len(*s)
	}
	var all strings.Builder
	all.Grow(n)
	for _, s := range strs {
		all.WriteString(*s)
	}
	rest := all.String()
	for _, s := range strs {
		*s, rest = rest[:len(*s)], rest[len(*s):]
	}
}

// holds reports whether one of the versions has a digest.
func holds(versions []Version, d key.Digest) bool {
	return slices.ContainsFunc(versions, func(v Version) bool { return v.Digest == d })
}
