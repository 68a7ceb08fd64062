package presence

import (
	"testing"
	"time"
)

// TestFloor: it says of every revision what Spread says of one.
func TestFloor(t *testing.T) {
	o := newOffice(t)
	check := func(step string) {
		t.Helper()
		f := o.roster.Floor()
		for _, revision := range []string{"98", "99", "100", "101", "120", "", "x"} {
			s := o.roster.Spread("n", revision)
			delivers := s.Live > 0 && s.Seen == s.Live
			if f.Delivers("n", revision) != delivers || f.Covers("n", revision) != (delivers && len(s.Silent) == 0) {
				t.Errorf("%s: of %q: delivers %v, covers %v, and the spread is %+v", step, revision, f.Delivers("n", revision), f.Covers("n", revision), s)
			}
		}
	}
	check("nobody")
	o.report("a", "100")
	o.observe()
	check("one")
	o.report("b", "99")
	o.report("c", "120")
	o.observe()
	check("three")
	o.report("d", "")
	o.observe()
	check("one joins")
	o.later(LeaseDuration - time.Second)
	o.report("a", "120")
	o.report("d", "101")
	o.observe()
	o.later(time.Second)
	o.observe()
	check("two are silent")
	o.later(2 * time.Hour)
	o.observe()
	check("all are forgotten")
}

// TestFloorOfNamespaces: of servers that watch some namespaces, and one that watches
// all, too.
func TestFloorOfNamespaces(t *testing.T) {
	o := newOffice(t)
	check := func(step string) {
		t.Helper()
		f := o.roster.Floor()
		for _, namespace := range []string{"m", "n", "o"} {
			for _, revision := range []string{"98", "99", "100", "101", "120", "", "x"} {
				s := o.roster.Spread(namespace, revision)
				delivers := s.Live > 0 && s.Seen == s.Live
				if f.Delivers(namespace, revision) != delivers || f.Covers(namespace, revision) != (delivers && len(s.Silent) == 0) || f.Anybody(namespace) != (s.Live > 0) {
					t.Errorf("%s: of %s in %s: delivers %v, covers %v, and the spread is %+v", step, revision, namespace, f.Delivers(namespace, revision), f.Covers(namespace, revision), s)
				}
			}
		}
	}
	o.reportIn("a", map[string]string{"m": "100", "n": "99"})
	o.reportIn("b", map[string]string{"n": "120"})
	o.observe()
	check("two of some")
	o.report("c", "101")
	o.observe()
	check("one of all")
	o.reportIn("a", map[string]string{"m": "", "n": ""})
	o.observe()
	check("one joins")
	o.later(LeaseDuration - time.Second)
	o.reportIn("b", map[string]string{"n": "120"})
	o.observe()
	o.later(time.Second)
	o.observe()
	check("two are silent")
	o.reportIn("c", map[string]string{"o": "101"})
	o.observe()
	check("one has started again, with other namespaces")
}
