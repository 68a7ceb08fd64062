package presence

import (
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

const (
	// forgotten is how long a server is silent until nobody asks for it any more.
	forgotten = time.Hour
	// maxSkew is how far a server's clock may be off for its uses to be comparable
	// with ours.
	maxSkew = 2 * time.Minute
	// soonest is the least that Spread.Again says.
	soonest = 100 * time.Millisecond
)

// Roster knows the auth servers from their Leases. Whether one is still alive it
// judges, as leader election does, by its own clock and by when it saw the Lease
// change: clocks of servers count for nothing. It is safe for concurrent use.
type Roster struct {
	clock clock.PassiveClock

	mu      sync.Mutex // guards what follows
	servers map[string]*server
	uses    lastUses
}

// server is what is known of one, by the name of its Lease.
type server struct {
	report   Report // without its uses
	uid      types.UID
	revision string // of the Lease
	// asked are the latest revisions that Spread was asked of, by namespace where
	// report has namespaces, else under "".
	asked map[string]string
	// changed is when the last renewal was seen, and looked when the last list was
	// asked for that had none after it. Between the two there was none: time that
	// passed without a look is nobody's silence.
	changed, looked time.Time
	renewed         bool // changed was a renewal, and not the first sight
	skewed          bool // its clock is another
}

// Spread is how far a change has come.
type Spread struct {
	// Live is how many auth servers there are, and Seen how many have the change.
	Live, Seen int
	// Behind are those that don't have it. Silent are those that didn't when they
	// stopped to renew their Leases, so that they aren't waited for.
	Behind, Silent []string
	// Elsewhere are live ones that don't watch the namespace, and accept no key of it.
	// They aren't among the others.
	Elsewhere []string
	// Again is how soon one that is behind becomes silent if it doesn't renew its
	// Lease; 0 if nothing is waited for.
	Again time.Duration
}

// NewRoster returns a Roster that has seen no Lease yet.
func NewRoster(c clock.PassiveClock) *Roster {
	return &Roster{clock: c, servers: map[string]*server{}}
}

// Observe takes a complete list of Leases that was just read, from a cache too. One
// that isn't in it counts as deleted once it is certain that the list is the newer.
func (r *Roster) Observe(leases []coordinationv1.Lease) {
	newest := ""
	for i := range leases {
		if revision := leases[i].ResourceVersion; newest == "" || newer(revision, newest) {
			newest = revision
		}
	}
	r.observe(r.clock.Now(), leases, func(s *server) bool { return newer(newest, s.revision) }, func(*server) bool { return true })
}

// ObserveLive takes a list from the API server, and when it was asked for: however
// long the caller was held up since, no server is found silent by that.
func (r *Roster) ObserveLive(asked time.Time, list *coordinationv1.LeaseList) {
	r.observe(asked, list.Items,
		func(s *server) bool { return newer(list.ResourceVersion, s.revision) },
		func(s *server) bool { return !newer(s.revision, list.ResourceVersion) })
}

// observe takes a list, whether a server that isn't in it is gone by that, and
// whether the list was a look at it: one of before the server isn't.
func (r *Roster) observe(asked time.Time, leases []coordinationv1.Lease, gone, looked func(*server) bool) {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make(map[string]bool, len(leases))
	for i := range leases {
		l := &leases[i]
		names[l.Name] = true
		r.note(now, asked, l)
	}
	for name, s := range r.servers {
		if names[name] {
			continue
		}
		if looked(s) {
			s.looked = latest(s.looked, asked)
		}
		if gone(s) || s.silent(s.looked) {
			delete(r.servers, name)
		}
	}
}

// note takes one Lease. One that is older than what is known is of an older list,
// and no look.
func (r *Roster) note(now, asked time.Time, l *coordinationv1.Lease) {
	s := r.servers[l.Name]
	if s != nil && newer(s.revision, l.ResourceVersion) {
		return
	}
	if s != nil && s.revision == l.ResourceVersion && wellFormed(s.revision) {
		s.looked = latest(s.looked, asked)
		return
	}
	report := Read(l)
	for _, u := range report.Used {
		r.uses.add(u, now)
	}
	report.Used = nil
	switch {
	case s == nil:
		s = &server{changed: now, asked: map[string]string{}}
		r.servers[l.Name] = s
	case !report.Renewed.Equal(s.report.Renewed):
		s.changed, s.renewed = now, true
		s.skewed = now.Sub(report.Renewed).Abs() > maxSkew
	}
	s.report, s.uid, s.revision = report, l.UID, l.ResourceVersion
	s.looked = latest(s.looked, asked)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// silent reports whether a server was, at a time.
func (s *server) silent(at time.Time) bool { return at.Sub(s.changed) >= LeaseDuration }

func (s *server) forgotten() bool { return s.looked.Sub(s.changed) > forgotten }

// Spread says how far a change has come that made the resourceVersion of an APIKey
// of a namespace.
func (r *Roster) Spread(namespace, revision string) Spread {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var spread Spread
	for _, s := range r.servers {
		position, watched := s.report.in(namespace)
		if watched {
			s.ask(namespace, revision)
		}
		switch {
		case s.forgotten():
		case !watched && s.silent(s.looked):
		case !watched:
			spread.Elsewhere = append(spread.Elsewhere, s.report.Identity)
		case s.silent(s.looked) && reached(position, revision): // it had, and may be anywhere now
		case s.silent(s.looked):
			spread.Silent = append(spread.Silent, s.report.Identity)
		case reached(position, revision):
			spread.Live++
			spread.Seen++
		default:
			spread.Live++
			spread.Behind = append(spread.Behind, s.report.Identity)
			again := max(s.changed.Add(LeaseDuration).Sub(now), soonest)
			if spread.Again == 0 || again < spread.Again {
				spread.Again = again
			}
		}
	}
	slices.Sort(spread.Behind)
	slices.Sort(spread.Silent)
	slices.Sort(spread.Elsewhere)
	return spread
}

// ask notes of which revision Spread was asked.
func (s *server) ask(namespace, revision string) {
	if s.report.SeenIn == nil {
		namespace = ""
	}
	if before := s.asked[namespace]; wellFormed(revision) && (before == "" || newer(revision, before)) {
		s.asked[namespace] = revision
	}
}

// behind reports whether a server lacks what Spread was asked of.
func (s *server) behind() bool {
	if s.report.SeenIn == nil {
		return s.report.Seen == "" || s.asked[""] != "" && !reached(s.report.Seen, s.asked[""])
	}
	for namespace, position := range s.report.SeenIn {
		if asked := s.asked[namespace]; position == "" || asked != "" && !reached(position, asked) {
			return true
		}
	}
	return false
}

// Heed takes what one Lease says of use. That of a server which has just left is in
// no list any more.
func (r *Roster) Heed(l *coordinationv1.Lease) {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range Used(l) {
		r.uses.add(u, now)
	}
}

// LastUsed returns when any auth server, also one that is gone, last saw a digest
// used, as far as they have told.
func (r *Roster) LastUsed(digest string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.uses.of(Beginning(digest))
}

// Covers reports whether every auth server that watches a namespace has told of its
// uses since a time, so that what none has told of is unused. Without servers nothing
// is certain, nor with one that is silent or whose clock is another.
func (r *Roster) Covers(namespace string, since time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	covers := false
	for _, s := range r.servers {
		_, watched := s.report.in(namespace)
		switch {
		case s.forgotten(), !watched:
		case s.silent(s.looked), !s.renewed, s.skewed, s.changed.Before(since):
			return false
		default:
			covers = true
		}
	}
	return covers
}

// lease names a Lease in one state of it.
type lease struct {
	name     string
	uid      types.UID
	revision string
}

// dead returns the Leases that weren't renewed for a time. A roster that hasn't
// known them for so long takes their own word for it, once it ignores them anyway.
func (r *Roster) dead(age time.Duration) []lease {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var dead []lease
	for name, s := range r.servers {
		if s.forgotten() && (s.looked.Sub(s.changed) > age || now.Sub(s.report.Renewed) > age) {
			dead = append(dead, lease{name, s.uid, s.revision})
		}
	}
	return dead
}
