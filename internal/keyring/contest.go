package keyring

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// contest is a digest that more than one version has, which is rare. It is replaced,
// never changed.
type contest struct {
	reference
	versions []*Version // best first
}

func (v *Version) isContested() bool { return atomic.LoadUint32(&v.contested) != 0 }

// judge returns the match of a digest that is contested.
func (r *Ring) judge(h uint64, ref reference) (Match, bool) {
	if c := r.contest(h, ref); c != nil {
		return r.admitted(c), true
	}
	// The contest has ended since the look at its digest.
	r.mu.Lock()
	defer r.mu.Unlock()
	if held := r.held(h, ref); len(held) > 0 {
		return r.admitted(&contest{ref, held}), true
	}
	return Match{}, false
}

// admitted returns the best match that the API admits, or else the best. Whom it
// admits changes with labels of namespaces, so that only the rest is sorted.
func (r *Ring) admitted(c *contest) Match {
	if api, ok := r.API(c.api); ok {
		for _, v := range c.versions {
			if api.Admits(v.key.Name.Namespace) {
				return Match{Key: v.key, Version: v}
			}
		}
	}
	return Match{Key: c.versions[0].key, Version: c.versions[0]}
}

func (r *Ring) contest(h uint64, ref reference) *contest {
	return r.contests.find(h, func(c *contest) bool { return c.reference == ref })
}

// first returns the version by which a digest is found, nil if it isn't.
func (r *Ring) first(h uint64, ref reference) *Version {
	return r.digests.find(h, func(v *Version) bool { return v.Digest == ref.digest && v.key.API == ref.api })
}

// held returns the versions that have a digest, the best first.
func (r *Ring) held(h uint64, ref reference) []*Version {
	if c := r.contest(h, ref); c != nil {
		return c.versions
	}
	if v := r.first(h, ref); v != nil {
		return []*Version{v}
	}
	return nil
}

// hold lets a key, nil for none, have a digest in place of the key that it replaces.
func (r *Ring) hold(k *Key, ref reference, replaced *Key) {
	h := r.hash(ref.api, &ref.digest)
	first := r.first(h, ref)
	held := make([]*Version, 0, 1)
	for _, v := range r.held(h, ref) {
		if v.key != replaced && v.key != k {
			held = append(held, v)
		}
	}
	if k != nil {
		for i := range k.Versions {
			if v := &k.Versions[i]; v.Digest == ref.digest {
				held = insert(held, v)
			}
		}
	}
	before := r.contest(h, ref)
	if len(held) > 1 {
		r.setContest(h, before, &contest{ref, held})
	}
	switch {
	case len(held) == 0:
		if first != nil {
			r.digests.remove(h, first)
		}
	case first == nil:
		r.digests.add(h, held[0])
	case !slices.Contains(held, first):
		r.digests.replace(h, first, held[0])
	}
	if before != nil && len(held) < 2 {
		if len(held) == 1 {
			atomic.StoreUint32(&held[0].contested, 0)
		}
		r.contests.remove(h, before)
	}
}

// setContest puts a contest in the place of the one before, nil for none. Those who
// see that a version is contested find the contest.
func (r *Ring) setContest(h uint64, before, c *contest) {
	if before == nil {
		r.contests.add(h, c)
	} else {
		r.contests.replace(h, before, c)
	}
	for _, v := range c.versions {
		if !v.isContested() {
			atomic.StoreUint32(&v.contested, 1)
		}
	}
}

// insert puts a version in its place among others, after those that are as good. They
// aren't sorted again: anybody may bring a digest by many APIKeys.
func insert(held []*Version, v *Version) []*Version {
	at, _ := slices.BinarySearchFunc(held, v, func(a, b *Version) int { return cmp.Or(compare(a, b), -1) })
	return slices.Insert(held, at, v)
}

// compare orders versions that hold the same digest, the best first.
func compare(a, b *Version) int {
	return cmp.Or(
		cmp.Compare(a.rank(), b.rank()),
		cmp.Compare(a.key.CreatedAt, b.key.CreatedAt), a.key.Name.compare(b.key.Name),
	)
}

// rank orders keys that hold the same digest: a revoked one beats all, but for one
// that knows the digest only, which anybody may have read; and one that is being
// deleted leaves the digest to the others.
func (v *Version) rank() int {
	rank := 1
	switch v.key.State {
	case Deleted:
		return 4
	case Revoked:
		rank = 0
	default:
	}
	if v.ByHash {
		rank += 2
	}
	return rank
}
