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
			s := o.roster.Spread(revision)
			delivers := s.Live > 0 && s.Seen == s.Live
			if f.Delivers(revision) != delivers || f.Covers(revision) != (delivers && len(s.Silent) == 0) {
				t.Errorf("%s: of %q: delivers %v, covers %v, and the spread is %+v", step, revision, f.Delivers(revision), f.Covers(revision), s)
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
