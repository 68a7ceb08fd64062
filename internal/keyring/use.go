package keyring

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

// Use is when a key version was last used.
type Use struct {
	// Digest is the beginning of the version's, enough to tell it from others.
	Digest [8]byte
	At     time.Time // to the minute
	// Ends holds for a version with an end of its own: somebody may wait for its
	// last use.
	Ends bool
}

// The uses of versions without an end of their own are news only so often.
const newsAfter = 60 // minutes

// mark is when a key version was last used, in minutes of Unix time. It stays with
// the version through edits of its APIKey.
type mark struct {
	digest [8]byte
	minute atomic.Uint32 // 0 is never
	told   uint32        // when TakeUses last returned it; guarded by uses.mu, as the following
	ending bool          // is in uses.ending
	other  bool          // is in uses.others
}

// uses are the marks that TakeUses has to tell of, the oldest news first.
type uses struct {
	mu             sync.Mutex
	ending, others []*mark
}

// MarkUsed notes that a request with a key version was let through. Within a
// minute only the first one costs more than a look.
func (r *Ring) MarkUsed(v *Version, now time.Time) {
	minute := uint32(now.Unix() / 60) // which overflow in the year 10136
	if v.mark != nil && v.mark.minute.Load() < minute {
		r.uses.advance(v, minute)
	}
}

// TakeUses returns up to n uses that are news since they were taken last: those of
// versions that end whenever they advanced, and others that advanced by an hour.
func (r *Ring) TakeUses(n int) []Use {
	r.uses.mu.Lock()
	defer r.uses.mu.Unlock()
	var taken []Use
	take := func(from *[]*mark, ends bool) {
		for len(*from) > 0 && len(taken) < n {
			m := (*from)[0]
			*from = (*from)[1:]
			if ends {
				m.ending = false
			} else {
				m.other = false
			}
			if minute := m.minute.Load(); minute != m.told { // else it was in both
				m.told = minute
				taken = append(taken, Use{Digest: m.digest, At: time.Unix(int64(minute)*60, 0), Ends: ends})
			}
		}
	}
	take(&r.uses.ending, true)
	take(&r.uses.others, false)
	return taken
}

func (u *uses) advance(v *Version, minute uint32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if v.mark.minute.Load() < minute { // else somebody was faster
		v.mark.minute.Store(minute)
		u.add(v)
	}
}

// add lets TakeUses tell of a version's last use, if it is news.
func (u *uses) add(v *Version) {
	m := v.mark
	minute := m.minute.Load()
	switch {
	case minute == m.told:
	case !v.NotAfter.IsZero():
		if !m.ending {
			m.ending, u.ending = true, append(u.ending, m)
		}
	case m.told == 0 || minute-m.told >= newsAfter:
		if !m.other {
			m.other, u.others = true, append(u.others, m)
		}
	}
}

// adopt gives the versions of a key their marks: those that they had as versions of
// the same APIKey, or new ones.
func (u *uses) adopt(k, old *Key) {
	for i := range k.Versions {
		v := &k.Versions[i]
		if v.mark = old.markOf(v.Digest); v.mark == nil {
			v.mark = &mark{digest: [8]byte(v.Digest[:8])}
			continue
		}
		u.mu.Lock()
		u.add(v) // it may be one that ends now
		u.mu.Unlock()
	}
}

// markOf returns the mark of a version, nil if the key (nil is none) doesn't hold it.
func (k *Key) markOf(d key.Digest) *mark {
	if k == nil {
		return nil
	}
	for _, v := range k.Versions {
		if v.Digest == d {
			return v.mark
		}
	}
	return nil
}
