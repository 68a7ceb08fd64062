package presence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// cosmos is an API server, auth servers and a controller in a time of its own. Each
// has a clock that is off and runs a little faster or slower, and anything may take
// long, get lost, or come late.
type cosmos struct {
	*testing.T
	random  *rand.Rand
	elapsed time.Duration

	revision  int
	leases    map[string]*coordinationv1.Lease
	published []publication
	delivered map[int]bool
	late      []func() // requests that nobody waits for any more

	servers    []*simulated
	controller *clocktesting.FakeClock
	pace       float64
	roster     *Roster
	cache      *coordinationv1.LeaseList // the controller's, of a little while ago
	busy       bool                      // the controller is
	depth      int
	old        bool // the controller doesn't know of servers that watch some namespaces
	calm       bool // nothing goes wrong any more
	log        []string
}

// publication is that of a key.
type publication struct {
	namespace string
	revision  int
}

// territories are what a server may watch: all namespaces, or some by themselves.
var territories = [][]string{{""}, {""}, {"m", "n"}, {"n"}}

// simulated is an auth server: a Reporter, and a feed that a simulation moves.
type simulated struct {
	*Reporter
	cosmos *cosmos
	clock  *clocktesting.FakeClock
	off    time.Duration
	pace   float64
	busy   bool

	cut      bool // from the API server
	readings []*simulatedReading
}

// simulatedReading is a feed's of a namespace, or of all.
type simulatedReading struct {
	namespace string
	stuck     bool // is a watch that delivers nothing
	position  string
	listing   bool
	read      int // how many publications it has read over
}

func (r *simulatedReading) holds(p publication) bool {
	return r.namespace == "" || r.namespace == p.namespace
}

func (s *simulated) Start(context.Context) error { return nil }
func (s *simulated) Moved() <-chan struct{}      { return nil }

func (s *simulated) Position() string {
	least := s.readings[0].position
	for _, r := range s.readings[1:] {
		if r.position == "" || newer(least, r.position) {
			least = r.position
		}
	}
	return least
}

func (s *simulated) Positions() map[string]string {
	if s.readings[0].namespace == "" {
		return nil
	}
	positions := map[string]string{}
	for _, r := range s.readings {
		positions[r.namespace] = r.position
	}
	return positions
}

func (s *simulated) Relist() {
	for _, r := range s.readings {
		r.position, r.listing = "", true
	}
}

// lacks reports whether it watches the namespace of a key that it doesn't know.
func (s *simulated) lacks(i int) bool {
	for _, r := range s.readings {
		if r.holds(s.cosmos.published[i]) {
			return r.read <= i
		}
	}
	return false
}

// read is the feed's: a list that is consistent, or a watch that may lag.
func (s *simulated) read(r *simulatedReading) {
	c := s.cosmos
	next := r.read
	for next < len(c.published) && !r.holds(c.published[next]) {
		next++
	}
	switch {
	case s.cut:
	case r.listing:
		r.read, r.position, r.listing = len(c.published), strconv.Itoa(c.revision), false
	case r.stuck || r.position == "":
	case next < len(c.published) && (c.calm || c.random.IntN(3) > 0):
		r.read = next + 1
		r.position = strconv.Itoa(c.published[next].revision)
	case next == len(c.published) && c.random.IntN(9) == 0:
		r.read, r.position = next, strconv.Itoa(c.revision) // a bookmark
	}
}

func newCosmos(t *testing.T, seed uint64) *cosmos {
	c := &cosmos{T: t, random: rand.New(rand.NewPCG(seed, 7)), leases: map[string]*coordinationv1.Lease{}, delivered: map[int]bool{}, revision: 1000}
	c.old = seed%4 == 3
	c.controller, c.pace = clocktesting.NewFakeClock(start), c.drift()
	c.roster, c.cache = NewRoster(c.controller), c.snapshot()
	c.join()
	return c
}

// drift is how fast a clock runs.
func (c *cosmos) drift() float64 { return 0.98 + 0.04*c.random.Float64() }

// join adds a server.
func (c *cosmos) join() {
	s := &simulated{cosmos: c, clock: clocktesting.NewFakeClock(start), pace: c.drift(), off: time.Duration(c.random.IntN(7200)-3600) * time.Second}
	s.tick()
	c.servers = append(c.servers, s)
	s.begin(fmt.Sprint("server-", len(c.servers)))
}

// begin is what a process of a server begins with, that watches what it has never
// watched before.
func (s *simulated) begin(identity string) {
	c := s.cosmos
	s.readings = nil
	for _, namespace := range territories[c.random.IntN(len(territories))] {
		s.readings = append(s.readings, &simulatedReading{namespace: namespace})
	}
	s.Reporter = NewReporter(ReporterOptions{
		Identity: identity, Namespace: "system", Leases: s, Feed: s, Clock: s.clock,
		Uses: func(int) []keyring.Use { return nil },
	}, prometheus.NewRegistry())
	c.say("%s begins, with %v", identity, s.Positions())
	s.busy = true
	s.report(c.Context())
	s.busy = false
	for _, r := range s.readings {
		r.listing = true // Run starts the feed
	}
}

func (s *simulated) tick() {
	s.clock.SetTime(start.Add(s.off + time.Duration(float64(s.cosmos.elapsed)*s.pace)))
}

// pass lets time pass for all.
func (c *cosmos) pass(d time.Duration) {
	c.elapsed += d
	c.controller.SetTime(start.Add(time.Duration(float64(c.elapsed) * c.pace)))
	for _, s := range c.servers {
		s.tick()
	}
	c.check()
}

// check is what all of it is for.
func (c *cosmos) check() {
	c.Helper()
	for _, s := range c.servers {
		for i := range c.delivered {
			if s.Reporter != nil && s.lacks(i) && s.Current() {
				for _, line := range c.log {
					c.Log(line)
				}
				c.Fatalf("at %v %s would answer 401 for key %d, which was delivered", c.elapsed, s.Identity, i)
			}
		}
	}
}

func (c *cosmos) say(format string, args ...any) {
	c.log = append(c.log, fmt.Sprintf("%8v ", c.elapsed)+fmt.Sprintf(format, args...))
}

var errLost = errors.New("connection lost")

// request carries out a request of a server. While it is under way the controller
// acts.
func (s *simulated) request(apply func() (*coordinationv1.Lease, error)) (*coordinationv1.Lease, error) {
	c := s.cosmos
	if c.calm {
		return apply()
	}
	wait := func() { c.meanwhile(time.Duration(c.random.IntN(1500)) * time.Millisecond) }
	wait()
	switch fate := c.random.IntN(10); {
	case s.cut && fate < 8, fate == 0:
		return nil, errLost
	case s.cut || fate == 1: // arrives when nobody counts on it
		c.late = append(c.late, func() { _, _ = apply() })
		return nil, errLost
	case fate == 2:
		_, _ = apply()
		wait()
		return nil, errLost
	}
	lease, err := apply()
	wait()
	return lease, err
}

func (s *simulated) write(l *coordinationv1.Lease, create bool) func() (*coordinationv1.Lease, error) {
	c := s.cosmos
	return func() (*coordinationv1.Lease, error) {
		resource := schema.GroupResource{Resource: "leases"}
		old, ok := c.leases[l.Name]
		switch {
		case create && ok:
			return nil, apierrors.NewAlreadyExists(resource, l.Name)
		case !create && !ok:
			return nil, apierrors.NewNotFound(resource, l.Name)
		case !create && old.ResourceVersion != l.ResourceVersion:
			return nil, apierrors.NewConflict(resource, l.Name, nil)
		}
		c.revision++
		written := l.DeepCopy()
		written.ResourceVersion = strconv.Itoa(c.revision)
		c.leases[l.Name] = written
		return written, nil
	}
}

// Create implements Leases, as the following.
func (s *simulated) Create(_ context.Context, l *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	return s.request(s.write(l, true))
}

func (s *simulated) Update(_ context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	return s.request(s.write(l, false))
}

func (s *simulated) Get(_ context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	return s.request(func() (*coordinationv1.Lease, error) {
		if l, ok := s.cosmos.leases[name]; ok {
			return l, nil
		}
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "leases"}, name)
	})
}

func (s *simulated) Delete(context.Context, string, metav1.DeleteOptions) error { return nil }

// list is a live list, during which time may pass.
func (c *cosmos) list() *coordinationv1.LeaseList {
	c.pause()
	list := c.snapshot()
	c.pause()
	return list
}

func (c *cosmos) snapshot() *coordinationv1.LeaseList {
	list := &coordinationv1.LeaseList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(c.revision)}}
	for _, l := range c.leases {
		if l = l.DeepCopy(); c.old {
			delete(l.Annotations, seenInAnnotation)
		}
		list.Items = append(list.Items, *l)
	}
	return list
}

// pause is a controller that is held up, now and then for long.
func (c *cosmos) pause() {
	if !c.calm && c.random.IntN(8) == 0 {
		c.meanwhile(time.Duration(c.random.IntN(40)) * time.Second)
	}
}

// control is one turn of the controller: it publishes a key, or delivers the last
// one if all servers that are waited for have it.
func (c *cosmos) control() {
	if c.busy {
		return
	}
	c.busy = true
	defer func() { c.busy = false }()
	last := len(c.published) - 1
	if last < 0 || c.delivered[last] {
		if c.calm || c.random.IntN(3) > 0 {
			return
		}
		c.revision++
		c.published = append(c.published, publication{namespace: []string{"m", "n", "n", "n"}[c.random.IntN(4)], revision: c.revision})
		c.say("key %d is published as %v", last+1, c.published[last+1])
		return
	}
	asked := c.controller.Now()
	c.roster.ObserveLive(asked, c.list())
	c.pause()
	if c.random.IntN(2) == 0 {
		c.roster.Observe(c.cache.Items) // another worker
	}
	if spread := c.roster.Spread(c.published[last].namespace, strconv.Itoa(c.published[last].revision)); spread.Seen == spread.Live {
		c.pause()
		c.delivered[last] = true
		c.say("key %d is delivered: %+v", last, spread)
		c.check()
	}
}

// meanwhile lets time pass in which all that aren't busy act, but no deeper than
// that one of them waits for another.
func (c *cosmos) meanwhile(d time.Duration) {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > 2 {
		c.pass(d)
		return
	}
	for end := c.elapsed + d; c.elapsed < end; {
		c.pass(min(end-c.elapsed, time.Duration(1+c.random.IntN(1000))*time.Millisecond))
		c.act()
	}
}

// act lets everybody do something who isn't busy.
func (c *cosmos) act() {
	for _, s := range c.servers {
		if !s.busy && (c.calm || c.random.IntN(2) == 0) {
			s.act()
			c.check()
		}
	}
	if c.random.IntN(3) == 0 {
		c.cache = c.snapshot()
	}
	c.control()
}

func (s *simulated) act() {
	s.busy = true
	defer func() { s.busy = false }()
	for _, r := range s.readings {
		s.read(r)
	}
	if s.due(s.clock.Now()) <= 0 {
		s.report(s.cosmos.Context())
	}
}

// turn lets something happen, and time pass.
func (c *cosmos) turn() {
	if !c.calm {
		s := c.servers[c.random.IntN(len(c.servers))]
		switch n := c.random.IntN(40); {
		case n == 0 && len(c.servers) < 4:
			c.join()
		case n == 1:
			s.cut = !s.cut
			c.say("%s is cut off: %v", s.Identity, s.cut)
		case n == 4:
			r := s.readings[c.random.IntN(len(s.readings))]
			r.stuck = !r.stuck
			c.say("%s has a watch of %q that is stuck: %v", s.Identity, r.namespace, r.stuck)
		case n == 5 && !s.busy && c.random.IntN(3) == 0:
			s.begin(s.Identity) // after a crash
		case n == 2 && len(c.late) > 0:
			c.late[0]()
			c.late = c.late[1:]
		case n == 3:
			c.pass(time.Duration(c.random.IntN(30)) * time.Second) // nobody gets to run
		}
	}
	c.meanwhile(time.Duration(c.random.IntN(1000)) * time.Millisecond)
}

// Whoever is given a key is let in, or told to try again: never 401, whatever is
// slow, cut off or lost. And once all is well, all is known.
func TestNoServerDeniesAKeyThatWasDelivered(t *testing.T) {
	total, fenced := 0, 0
	for seed := range uint64(60) {
		c := newCosmos(t, seed)
		for range 200 {
			c.turn()
			for _, s := range c.servers {
				if !s.Current() {
					fenced++
				}
			}
		}
		c.calm = true
		for _, s := range c.servers {
			s.cut = false
			for _, r := range s.readings {
				r.stuck = false
			}
		}
		for range 100 {
			c.turn()
		}
		total += len(c.delivered)
		if len(c.delivered) != len(c.published) {
			t.Fatalf("seed %d: %d of %d keys were delivered in the end", seed, len(c.delivered), len(c.published))
		}
		for _, s := range c.servers {
			for i := range c.published {
				if !s.Current() || s.lacks(i) {
					t.Fatalf("seed %d: in the end %s is current: %v, and lacks key %d: %v", seed, s.Identity, s.Current(), i, s.lacks(i))
				}
			}
		}
	}
	t.Logf("%d keys were delivered", total)
	if total < 500 || fenced < 2000 {
		t.Errorf("%d keys were delivered, and %d times a server was fenced: too little to show anything", total, fenced)
	}
}
