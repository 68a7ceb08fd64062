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
	minute atomic.Uint32 // 0 is never
	// news is when TakeUses last returned it, and whether it is queued; guarded by
	// uses.mu.
	news uint32
}

// The upper bits of news. What is left is enough for minutes until the year 4011.
const (
	queuedEnding = 1 << 31
	queuedOther  = 1 << 30
	queuedBits   = queuedEnding | queuedOther
)

func (m *mark) told() uint32 { return m.news &^ queuedBits }

// uses are the marks that TakeUses has to tell of, the oldest news first.
type uses struct {
	mu             sync.Mutex
	ending, others []queued
}

type queued struct {
	mark   *mark
	digest [8]byte
}

// MarkUsed notes that a request with a key version was let through. Within a
// minute only the first one costs more than a look.
func (r *Ring) MarkUsed(v *Version, now time.Time) {
	minute := uint32(now.Unix()/60) &^ queuedBits
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
	take := func(from *[]queued, bit uint32) {
		for len(*from) > 0 && len(taken) < n {
			q := (*from)[0]
			*from = (*from)[1:]
			q.mark.news &^= bit
			if minute := q.mark.minute.Load(); minute != q.mark.told() { // else it was in both
				q.mark.news = q.mark.news&queuedBits | minute
				taken = append(taken, Use{Digest: q.digest, At: time.Unix(int64(minute)*60, 0), Ends: bit == queuedEnding})
			}
		}
		if len(*from) == 0 {
			*from = nil
		}
	}
	take(&r.uses.ending, queuedEnding)
	take(&r.uses.others, queuedOther)
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
	case minute == m.told():
	case !v.NotAfter.IsZero():
		u.ending = m.queue(u.ending, v, queuedEnding)
	case m.told() == 0 || minute-m.told() >= newsAfter:
		u.others = m.queue(u.others, v, queuedOther)
	}
}

func (m *mark) queue(to []queued, v *Version, bit uint32) []queued {
	if m.news&bit != 0 {
		return to
	}
	m.news |= bit
	return append(to, queued{m, [8]byte(v.Digest[:8])})
}

// adopt gives the versions of a key their marks: those that they had as versions of
// the same APIKey, or new ones.
func (u *uses) adopt(k, old *Key) {
	same := old.sameAs(k)
	for i := range k.Versions {
		v := &k.Versions[i]
		v.mark = nil
		if same {
			v.mark = old.markOf(v.Digest)
		}
		switch {
		case v.mark != nil:
			u.mu.Lock()
			u.add(v) // it may be one that ends now
			u.mu.Unlock()
		case i == 0 && !same:
			v.mark = &k.live.first
		default:
			v.mark = new(mark)
		}
	}
}

// markOf returns the mark of a version, nil if the key doesn't hold it.
func (k *Key) markOf(d key.Digest) *mark {
	for i := range k.Versions {
		if k.Versions[i].Digest == d {
			return k.Versions[i].mark
		}
	}
	return nil
}
