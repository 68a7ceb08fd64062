package presence

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
)

// office is a controller, and Leases as a test wants them.
type office struct {
	*testing.T
	clock    *clocktesting.FakePassiveClock
	roster   *Roster
	leases   map[string]coordinationv1.Lease
	revision int
}

func newOffice(t *testing.T) *office {
	o := &office{T: t, clock: clocktesting.NewFakePassiveClock(start), leases: map[string]coordinationv1.Lease{}}
	o.roster = NewRoster(o.clock)
	return o
}

// report lets a server renew its Lease, by a clock that is an hour behind.
func (o *office) report(server, seen string, used ...Use) {
	o.reportAt(o.clock.Now().Add(-time.Hour), server, seen, used...)
}

func (o *office) reportAt(renewed time.Time, server, seen string, used ...Use) {
	o.put(Report{Identity: server, Renewed: renewed, Seen: seen, Used: used})
}

// reportIn lets one that watches some namespaces renew its Lease. What it says of all
// is nothing.
func (o *office) reportIn(server string, seen map[string]string) {
	o.put(Report{Identity: server, Renewed: o.clock.Now(), SeenIn: seen})
}

func (o *office) put(r Report) {
	o.revision++
	l := r.Lease("system")
	l.ResourceVersion = strconv.Itoa(o.revision)
	o.leases[r.Identity] = *l
}

func (o *office) later(d time.Duration) { o.clock.SetTime(o.clock.Now().Add(d)) }

func (o *office) list() []coordinationv1.Lease { return slices.Collect(maps.Values(o.leases)) }

func (o *office) observe() { o.roster.Observe(o.list()) }

func (o *office) live() *coordinationv1.LeaseList {
	o.revision++
	return &coordinationv1.LeaseList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(o.revision)}, Items: o.list()}
}

func (o *office) want(revision string, want Spread) {
	o.Helper()
	if got := o.roster.Spread("n", revision); !reflect.DeepEqual(got, want) {
		o.Errorf("of %s: got %+v, want %+v", revision, got, want)
	}
}

func TestSpread(t *testing.T) {
	o := newOffice(t)
	o.observe()
	o.want("100", Spread{})
	o.report("c", "100")
	o.report("b", "99")
	o.report("a", "")
	o.observe()
	o.want("99", Spread{Live: 3, Seen: 2, Behind: []string{"a"}, Again: LeaseDuration})
	o.want("100", Spread{Live: 3, Seen: 1, Behind: []string{"a", "b"}, Again: LeaseDuration})
	o.want("", Spread{Live: 3, Behind: []string{"a", "b", "c"}, Again: LeaseDuration})
	o.want("x", Spread{Live: 3, Behind: []string{"a", "b", "c"}, Again: LeaseDuration})

	o.later(9 * time.Second)
	o.report("a", "120")
	o.observe()
	o.want("100", Spread{Live: 3, Seen: 2, Behind: []string{"b"}, Again: 6 * time.Second})
	o.later(6 * time.Second)
	o.want("100", Spread{Live: 3, Seen: 2, Behind: []string{"b"}, Again: soonest}) // until somebody has looked
	o.observe()
	o.want("100", Spread{Live: 1, Seen: 1, Silent: []string{"b"}}) // c had seen it
	o.want("101", Spread{Live: 1, Seen: 1, Silent: []string{"b", "c"}})
	o.report("b", "100")
	o.observe()
	o.want("120", Spread{Live: 2, Seen: 1, Behind: []string{"b"}, Silent: []string{"c"}, Again: LeaseDuration})
	o.later(time.Hour)
	o.observe()
	o.want("101", Spread{Silent: []string{"b"}}) // a is forgotten
	o.later(time.Second)
	o.observe()
	o.want("101", Spread{})
	o.report("c", "100")
	o.observe()
	o.want("100", Spread{Live: 1, Seen: 1})
}

// TestSpreadInANamespace: a key waits for the servers that watch its namespace.
func TestSpreadInANamespace(t *testing.T) {
	o := newOffice(t)
	want := func(namespace, revision string, want Spread) {
		t.Helper()
		if got := o.roster.Spread(namespace, revision); !reflect.DeepEqual(got, want) {
			t.Errorf("of %s in %s: got %+v, want %+v", revision, namespace, got, want)
		}
	}
	o.report("all", "100")
	o.reportIn("both", map[string]string{"idle": "7", "busy": "100"})
	o.reportIn("joins", map[string]string{"busy": ""})
	o.observe()
	want("busy", "100", Spread{Live: 3, Seen: 2, Behind: []string{"joins"}, Again: LeaseDuration})
	want("idle", "7", Spread{Live: 2, Seen: 2, Elsewhere: []string{"joins"}})
	want("idle", "100", Spread{Live: 2, Seen: 1, Behind: []string{"both"}, Elsewhere: []string{"joins"}, Again: LeaseDuration})
	want("other", "100", Spread{Live: 1, Seen: 1, Elsewhere: []string{"both", "joins"}})

	// Instead of the one that watches all there is one under its name that doesn't.
	o.reportIn("all", map[string]string{"idle": "", "busy": ""})
	o.observe()
	want("busy", "100", Spread{Live: 3, Seen: 1, Behind: []string{"all", "joins"}, Again: LeaseDuration})
	want("idle", "7", Spread{Live: 2, Seen: 1, Behind: []string{"all"}, Elsewhere: []string{"joins"}, Again: LeaseDuration})
	want("other", "100", Spread{Elsewhere: []string{"all", "both", "joins"}})

	o.later(LeaseDuration)
	o.report("new", "120")
	o.observe()
	want("busy", "100", Spread{Live: 1, Seen: 1, Silent: []string{"all", "joins"}})
	want("idle", "7", Spread{Live: 1, Seen: 1, Silent: []string{"all"}})
	want("other", "120", Spread{Live: 1, Seen: 1})
	o.later(time.Hour + time.Second)
	o.observe()
	want("busy", "100", Spread{})
}

// TestARolloutOfNamespaces: while auth servers are replaced by ones that watch other
// namespaces, a key waits for everyone that watches its own, old or new.
func TestARolloutOfNamespaces(t *testing.T) {
	all, some := map[string]string(nil), map[string]string{"n": "100"}
	for name, tt := range map[string]struct{ old, new map[string]string }{
		"all to some": {all, some}, "some to all": {some, all}, "some to others": {some, map[string]string{"m": "1", "n": "100"}},
	} {
		o := newOffice(t)
		report := func(server string, in map[string]string, reads bool) {
			switch {
			case in == nil && reads:
				o.report(server, "100")
			case in == nil:
				o.report(server, "")
			case reads:
				o.reportIn(server, in)
			default:
				o.reportIn(server, map[string]string{"n": ""})
			}
			o.observe()
		}
		want := func(step string, live, seen int) {
			t.Helper()
			if s := o.roster.Spread("n", "100"); s.Live != live || s.Seen != seen || len(s.Silent)+len(s.Elsewhere) > 0 {
				t.Errorf("%s, %s: got %+v, want %d of %d", name, step, s, seen, live)
			}
		}
		report("old-1", tt.old, true)
		report("old-2", tt.old, true)
		want("before", 2, 2)
		for i, surge := range []string{"new-1", "new-2"} {
			report(surge, tt.new, false)
			want("one more joins", 3, 2)
			report(surge, tt.new, true)
			want("it has joined", 3, 3)
			delete(o.leases, fmt.Sprint("old-", i+1))
			o.roster.ObserveLive(o.clock.Now(), o.live())
			want("an old one has left", 2, 2)
		}
	}
}

// Only renewals keep a server alive, not edits of its Lease by others.
func TestWhatKeepsAServerAlive(t *testing.T) {
	tests := map[string]struct {
		edit  func(o *office)
		alive bool
	}{
		"nothing":                  {func(*office) {}, false},
		"a renewal":                {func(o *office) { o.report("a", "100") }, true},
		"one by a clock set back":  {func(o *office) { o.reportAt(start.Add(-24*time.Hour), "a", "100") }, true},
		"one by a clock far ahead": {func(o *office) { o.reportAt(start.Add(24*time.Hour), "a", "100") }, true},
		"somebody's annotation":    {func(o *office) { o.reportAt(start.Add(-time.Hour), "a", "100") }, false},
		"it is in a list again":    {func(o *office) { o.observe() }, false},
	}
	for name, tt := range tests {
		o := newOffice(t)
		o.report("a", "100")
		o.observe()
		o.later(LeaseDuration - time.Second)
		tt.edit(o)
		o.observe()
		o.later(time.Second)
		o.observe()
		if got := o.roster.Spread("n", "101"); got.Live == 1 != tt.alive || len(got.Silent) == 1 == tt.alive {
			t.Errorf("%s: got %+v, alive is %v", name, got, tt.alive)
		}
	}
}

// A controller that was held up between its look and its decision knows nobody to
// be silent by that.
func TestTimeWithoutALookIsNobodysSilence(t *testing.T) {
	o := newOffice(t)
	o.report("a", "")
	o.observe()
	o.later(time.Minute)
	o.want("100", Spread{Live: 1, Behind: []string{"a"}, Again: soonest})

	list, asked := o.live(), o.clock.Now() // it is renewed right after
	o.later(time.Minute)
	o.report("a", "")
	o.roster.ObserveLive(asked.Add(-time.Minute), list)
	o.want("100", Spread{Live: 1, Behind: []string{"a"}, Again: soonest})
	o.observe()
	o.want("100", Spread{Live: 1, Behind: []string{"a"}, Again: LeaseDuration})
}

func TestLeasesThatAreGone(t *testing.T) {
	behind := Spread{Live: 1, Behind: []string{"a"}, Again: LeaseDuration}
	tests := map[string]struct {
		observe func(o *office)
		want    Spread
	}{
		"a list that may be of before": {func(o *office) { o.roster.Observe(nil) }, behind},
		"one that is": {func(o *office) {
			list := o.live()
			list.ResourceVersion = "1"
			o.roster.ObserveLive(o.clock.Now(), list)
		}, behind},
		"one of after": {func(o *office) { o.roster.ObserveLive(o.clock.Now(), o.live()) }, Spread{}},
		"one with another, renewed later": {func(o *office) {
			o.report("b", "100")
			o.observe()
		}, Spread{Live: 1, Seen: 1}},
		"one with another, renewed before": {func(o *office) {
			o.roster.Observe([]coordinationv1.Lease{{ObjectMeta: metav1.ObjectMeta{Name: namePrefix + "b", ResourceVersion: "1", Annotations: map[string]string{seenAnnotation: "100"}}}})
		}, Spread{Live: 2, Seen: 1, Behind: []string{"a"}, Again: LeaseDuration}},
		"none of its kind until it is silent": {func(o *office) {
			o.later(LeaseDuration)
			o.roster.Observe(nil)
		}, Spread{}},
	}
	for name, tt := range tests {
		o := newOffice(t)
		o.revision = 50
		o.report("a", "")
		o.observe()
		delete(o.leases, "a")
		tt.observe(o)
		if got := o.roster.Spread("n", "100"); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

// A list of a cache that is behind takes nothing back.
func TestListsOfBefore(t *testing.T) {
	o := newOffice(t)
	o.report("a", "100")
	before := o.list()
	o.later(14 * time.Second)
	o.report("a", "")
	o.report("b", "")
	o.observe()
	o.later(14 * time.Second)
	o.roster.Observe(before)
	o.want("100", Spread{Live: 2, Behind: []string{"a", "b"}, Again: time.Second})
}

func TestLastUsed(t *testing.T) {
	digest := func(i int) string { return "sha256:" + useOf(i, 0).Beginning + "ffff" }
	o := newOffice(t)
	want := func(i int, minute int) {
		t.Helper()
		at, ok := o.roster.LastUsed(digest(i))
		if want := start.Add(time.Duration(minute) * time.Minute); !ok || !at.Equal(want) {
			t.Errorf("%d was last used at %v %v, want %v", i, at, ok, want)
		}
	}
	if _, ok := o.roster.LastUsed(digest(1)); ok {
		t.Error("a use that nobody told of")
	}
	o.later(time.Hour + 30*time.Second)
	o.report("a", "", useOf(1, 7), useOf(2, 8))
	o.report("b", "", useOf(1, 9))
	o.observe()
	want(1, 9)
	want(2, 8)
	o.report("b", "", useOf(1, 3), useOf(3, 5000))
	o.observe()
	want(1, 9)  // not taken back
	want(3, 60) // no later than now
	clear(o.leases)
	o.later(2 * LeaseDuration)
	o.observe()
	want(2, 8) // by one that is gone
	for _, digest := range []string{"", "sha256:", "sha256:ffff"} {
		if _, ok := o.roster.LastUsed(digest); ok {
			t.Errorf("%q was used", digest)
		}
	}
}

func TestMemoryOfUsesIsBounded(t *testing.T) {
	var uses lastUses
	now := start.Add(time.Hour)
	for i := range 5 * maxGeneration {
		uses.add(useOf(i, 1), now)
		uses.add(useOf(0, 1), now)
	}
	if n := len(uses.newer) + len(uses.older); n > 2*maxGeneration {
		t.Errorf("%d uses are remembered", n)
	}
	for _, i := range []int{0, 5*maxGeneration - 1, 4*maxGeneration + 1} {
		if _, ok := uses.of(useOf(i, 1).Beginning); !ok {
			t.Errorf("%d, which was told of lately, is forgotten", i)
		}
	}
}

func TestCovers(t *testing.T) {
	since := start.Add(time.Minute)
	at := func(o *office, second int) { o.clock.SetTime(since.Add(time.Duration(second) * time.Second)) }
	report := func(o *office, second int, servers ...string) {
		at(o, second)
		for _, s := range servers {
			o.reportAt(o.clock.Now(), s, "")
		}
		o.observe()
	}
	tests := map[string]struct {
		happens func(o *office)
		want    bool
	}{
		"no server":               {func(*office) {}, false},
		"seen for the first time": {func(o *office) { report(o, 1, "a") }, false},
		"has reported since":      {func(o *office) { report(o, -9, "a"); report(o, 1, "a") }, true},
		"hasn't yet":              {func(o *office) { report(o, -9, "a"); report(o, -1, "a") }, false},
		"all have":                {func(o *office) { report(o, -9, "a", "b"); report(o, 1, "a", "b") }, true},
		"not all have":            {func(o *office) { report(o, -9, "a", "b"); report(o, -1, "a", "b"); report(o, 1, "a") }, false},
		"one is new":              {func(o *office) { report(o, -9, "a"); report(o, 1, "a", "b") }, false},
		"one is silent":           {func(o *office) { report(o, -9, "a", "b"); report(o, -1, "a", "b"); report(o, 14, "a") }, false},
		"it was forgotten":        {func(o *office) { report(o, -4000, "a", "b"); report(o, -1, "a"); report(o, 1, "a") }, true},
		"one has another clock":   {func(o *office) { report(o, -9, "a"); at(o, 1); o.report("a", ""); o.observe() }, false},
		"one watches elsewhere": {func(o *office) {
			report(o, -9, "a")
			o.reportIn("b", map[string]string{"m": ""})
			report(o, 1, "a")
		}, true},
		"all do": {func(o *office) {
			o.reportIn("b", map[string]string{"m": ""})
			o.observe()
			at(o, 1)
			o.reportIn("b", map[string]string{"m": ""})
			o.observe()
		}, false},
		"it watches here, too": {func(o *office) {
			o.reportIn("b", map[string]string{"m": "", "n": ""})
			report(o, -9, "a")
			report(o, 1, "a")
		}, false},
		"it has gone, as it should": {func(o *office) { report(o, -9, "a", "b"); delete(o.leases, "b"); report(o, 1, "a") }, true},
	}
	for name, tt := range tests {
		o := newOffice(t)
		tt.happens(o)
		if got := o.roster.Covers("n", since); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	o := newOffice(t)
	want := func(live, behind, silent int) {
		t.Helper()
		if got, want := fmt.Sprint(o.roster.count()), fmt.Sprint(map[string]int{"live": live, "behind": behind, "silent": silent}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	want(0, 0, 0)
	o.report("a", "")
	o.report("b", "90")
	o.report("c", "120")
	o.observe()
	want(2, 1, 0)
	o.roster.Spread("n", "100")
	o.roster.Spread("n", "80")
	o.roster.Spread("n", "")
	want(1, 2, 0)
	o.later(LeaseDuration) // without a look
	want(0, 0, 3)
	o.report("a", "100")
	o.observe()
	want(1, 0, 2)
	o.later(time.Hour + time.Second)
	want(0, 0, 0)

	// One that watches some namespaces is one server, and behind if it is in any.
	o.reportIn("a", map[string]string{"n": "100", "idle": "7"})
	o.observe()
	want(1, 0, 0)
	o.roster.Spread("n", "100")
	o.roster.Spread("other", "200")
	want(1, 0, 0)
	o.roster.Spread("idle", "8")
	want(0, 1, 0)
	o.reportIn("a", map[string]string{"n": "100", "idle": "8"})
	o.observe()
	want(1, 0, 0)
	o.reportIn("a", map[string]string{"n": "100", "idle": ""})
	o.observe()
	want(0, 1, 0)
}

func TestDeadLeases(t *testing.T) {
	day := 24 * time.Hour
	o := newOffice(t)
	o.reportAt(start.Add(-2*day), "crashed before this controller", "")
	o.reportAt(start.Add(2*day), "and with a clock that is ahead", "")
	o.reportAt(start, "crashes now", "")
	o.reportAt(start.Add(-2*day), "with a clock that is behind", "")
	o.observe()
	want := func(after time.Duration, names ...string) {
		t.Helper()
		o.clock.SetTime(start.Add(after))
		o.reportAt(o.clock.Now().Add(-2*day), "with a clock that is behind", "")
		o.observe()
		var got []string
		for _, l := range o.roster.dead(day) {
			got = append(got, l.name[len(namePrefix):])
		}
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Errorf("after %v dead are %q, want %q", after, got, names)
		}
	}
	want(0)
	want(time.Hour)
	want(time.Hour+time.Second, "crashed before this controller")
	want(day, "crashed before this controller")
	want(day+time.Second, "and with a clock that is ahead", "crashed before this controller", "crashes now")
}
