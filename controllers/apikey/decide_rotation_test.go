package apikey

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
)

// turn is a row about rotation: what is there, and what follows. Of the keys in the
// notation, all were issued 48 hours ago; there are three auth servers.
type turn struct {
	name     string
	spec     []edit
	defaults *v1alpha1.RotationDefaults // of the API, when the key was issued
	keys     string
	triggers string // observed, with spaces in between
	phase    v1alpha1.SecretPhase
	target   Held
	previous Held
	problem  *Problem
	refused  bool          // the last write of a Secret was
	hand     string        // the key in our hands
	waited   time.Duration // for how long it has been
	behind   int           // auth servers that haven't seen the last write
	used     string        // versions and when: "k1 5m"
	unknown  bool          // not every auth server reports
	want     turned
}

// turned is what follows. A Settle is followed until it settles.
type turned struct {
	step     Step
	keys     string
	ready    string
	says     string // reasons of the other conditions that stand, but Propagated=True
	phase    v1alpha1.SecretPhase
	triggers string
	next     string // the next rotation, from now
	again    string
}

func rotation(r v1alpha1.Rotation) edit {
	return func(s *v1alpha1.APIKeySpec) { s.Rotation = &r }
}

func deletedAfter(d v1alpha1.Duration) edit {
	return func(s *v1alpha1.APIKeySpec) { s.Secret = &v1alpha1.SecretTemplate{DeleteAfter: d} }
}

func (r turn) observed(t *testing.T) Observed {
	t.Helper()
	ready := ""
	if r.keys != "" {
		ready = "True Issued"
	}
	o := rule{spec: r.spec, keys: r.keys, ready: ready, target: r.target, previous: r.previous, problem: r.problem}.observed(t)
	s := &o.Key.Status
	if r.phase != "" {
		s.SecretPhase, s.SecretName = r.phase, ""
		s.DeliveredSecret = templateDigest(o.Key)
	}
	if r.defaults != nil {
		s.Effective = &v1alpha1.EffectiveDefaults{Rotation: r.defaults}
	}
	s.ObservedTriggers = strings.Fields(r.triggers)
	for i := range s.Keys {
		if s.Keys[i].Phase == v1alpha1.KeyCurrent {
			s.Keys[i].DeliveredAt = &earlier
		}
	}
	o.Spread, o.ChangedAt = presence.Spread{Live: 3, Seen: 3 - r.behind}, start
	for i := range r.behind {
		o.Spread.Behind = append(o.Spread.Behind, string(rune('a'+i)))
	}
	if r.hand != "" {
		o.Hand = Hand{Digest: digestOf(r.hand).String(), Spread: o.Spread, Waited: r.waited}
	}
	if r.refused {
		o.Refused = refusal403
	}
	o.Use = Use{Known: !r.unknown, Last: map[string]time.Time{}}
	for one := range strings.SplitSeq(r.used, ", ") {
		if name, ago, ok := strings.Cut(one, " "); ok {
			d, err := time.ParseDuration(ago)
			if err != nil {
				t.Fatal(err)
			}
			o.Use.Last[digestOf(name).String()] = start.Add(-d)
		}
	}
	return o
}

func (r turn) check(t *testing.T) { r.checkPlan(t, r.observed(t)) }

func (r turn) checkPlan(t *testing.T, o Observed) {
	t.Helper()
	p := Decide(o)
	for range 3 {
		if p.Step != Settle || p.settles(o) {
			break
		}
		o.Key = o.Key.DeepCopy()
		o.Key.Status = p.Status
		p = Decide(o)
	}
	if diff := cmp.Diff(r.want, turnedBy(p), cmp.AllowUnexported(turned{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p.Step == Settle && o.Refused == nil {
		o.Key = o.Key.DeepCopy()
		o.Key.Status = p.Status
		if diff := cmp.Diff(p, Decide(o)); diff != "" {
			t.Errorf("decided again, it is another plan (-first +second):\n%s", diff)
		}
	}
}

func turnedBy(p Plan) turned {
	s := p.Status
	out := turned{
		step: p.Step, keys: notation(s.Keys), ready: readyOf(s), phase: s.SecretPhase,
		triggers: strings.Join(s.ObservedTriggers, " "), says: strings.Join(saidBy(s), " "),
	}
	if s.NextRotationAt != nil {
		out.next = short(s.NextRotationAt.Sub(start))
	}
	if p.Again != 0 {
		out.again = short(p.Again)
	}
	return out
}

// saidBy are the reasons of all conditions but Ready, Stalled and what is as it
// should be.
func saidBy(s v1alpha1.APIKeyStatus) []string {
	var said []string
	for _, c := range s.Conditions {
		if c.Type == v1alpha1.ConditionReady || c.Type == v1alpha1.ConditionStalled || c.Reason == v1alpha1.ReasonPropagated {
			continue
		}
		said = append(said, c.Reason)
	}
	slices.Sort(said)
	return said
}

func turns(t *testing.T, rows []turn) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, r.check)
	}
}

// TestRotationIsDue: by age, by a trigger that is new, never without a cause.
func TestRotationIsDue(t *testing.T) {
	still := func(triggers, next, again string) turned {
		return turned{Settle, "k1 Current", "True Issued", "", v1alpha1.SecretPresent, triggers, next, again}
	}
	issues := func(triggers, next string) turned {
		return turned{Issue, "k1 Current", "True Issued", "Propagating", v1alpha1.SecretPresent, triggers, next, ""}
	}
	every := func(d v1alpha1.Duration) edit { return rotation(v1alpha1.Rotation{Interval: d}) }
	trigger := func(v string) edit { return rotation(v1alpha1.Rotation{Trigger: v}) }
	sixteen := "a b c d e f g h i j k l m n o p"
	rows := []turn{
		{name: "no rotation", want: still("", "", "")},
		{name: "younger than interval", spec: []edit{every("72h")}, want: still("", "24h", "24h")},
		{name: "as old as interval", spec: []edit{every("48h")}, want: issues("", "48h")},
		{name: "older than interval", spec: []edit{every("10h")}, want: issues("", "10h")},
		{name: "the API's default interval", defaults: &v1alpha1.RotationDefaults{Interval: "24h"}, want: issues("", "24h")},
		{
			name: "a trigger of its own keeps the default interval", defaults: &v1alpha1.RotationDefaults{Interval: "72h"},
			spec: []edit{trigger("a")}, triggers: "a", want: still("a", "24h", "24h"),
		},
		{name: "its own interval wins", defaults: &v1alpha1.RotationDefaults{Interval: "24h"}, spec: []edit{every("72h")}, want: still("", "24h", "24h")},
		{name: "not after it has ended", spec: []edit{every("72h"), expires(20 * time.Hour)}, want: still("", "", "20h")},
		{name: "a new trigger", spec: []edit{trigger("b")}, triggers: "a", want: issues("a b", "")},
		{name: "the first trigger", spec: []edit{trigger("a")}, want: issues("a", "")},
		{name: "an observed trigger", spec: []edit{trigger("a")}, triggers: "a b", want: still("a b", "", "")},
		{name: "no trigger any more", triggers: "a", want: still("a", "", "")},
		{name: "the last 16 are remembered", spec: []edit{trigger("q")}, triggers: sixteen, want: issues("b c d e f g h i j k l m n o p q", "")},
		{name: "both at once are one", spec: []edit{rotation(v1alpha1.Rotation{Interval: "24h", Trigger: "b"})}, want: issues("b", "24h")},
		{name: "suspended keys don't rotate", spec: []edit{trigger("b"), suspended}, want: turned{Settle, "k1 Current", "True Suspended", "", v1alpha1.SecretPresent, "", "", ""}},
		{name: "expired keys don't rotate", spec: []edit{trigger("b"), expires(-time.Hour)}, want: turned{Settle, "k1 Current", "False Expired", "", v1alpha1.SecretPresent, "", "", ""}},
		{
			name: "an API that is gone", spec: []edit{trigger("b")}, problem: noAPI,
			want: turned{Settle, "k1 Current", "False APINotFound", "NotReady", v1alpha1.SecretPresent, "", "", ""},
		},
	}
	for i := range rows {
		rows[i].keys, rows[i].target = "k1 Current", holds("k1")
	}
	turns(t, rows)
}

// TestRotationSteps: published, accepted by all, delivered, and only then is the
// one before retired.
func TestRotationSteps(t *testing.T) {
	now := rotation(v1alpha1.Rotation{Trigger: "a", Overlap: "2h"})
	turns(t, []turn{{
		name: "in hand, and not all auth servers accept it", spec: []edit{now}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2", behind: 1,
		want: turned{Settle, "k2 Pending, k1 Current", "True Issued", "AwaitingAuthServers Propagating", "Present", "a", "", "30s"},
	}, {
		name: "as long as that takes: the current key works", spec: []edit{now}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2", behind: 1, waited: 24 * time.Hour,
		want: turned{Settle, "k2 Pending, k1 Current", "True Issued", "AwaitingAuthServers Propagating", "Present", "a", "", "30s"},
	}, {
		name: "all accept it", spec: []edit{now}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2",
		want: turned{Deliver, "k2 Pending, k1 Current", "True Issued", "", "Present", "a", "", ""},
	}, {
		name: "it is in the Secret", spec: []edit{now}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k2"), hand: "k2",
		want: turned{Record, "k2 Current, k1 Retiring 2h", "True Issued", "Propagating", "Present", "a", "", ""},
	}, {
		name: "overlap 0: the one before has ended", spec: []edit{rotation(v1alpha1.Rotation{Overlap: "0s"})},
		keys: "k2 Pending, k1 Current", target: holds("k2"), hand: "k2",
		want: turned{Record, "k2 Current", "True Issued", "Propagating", "Present", "", "", ""},
	}, {
		name: "not beyond the key's own end", spec: []edit{now, expires(time.Hour)}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k2"), hand: "k2",
		want: turned{Record, "k2 Current, k1 Retiring 1h", "True Issued", "Propagating", "Present", "a", "", ""},
	}, {
		name: "a later end extends no retiring key", spec: []edit{now, expires(9 * time.Hour)}, triggers: "a",
		keys: "k2 Current, k1 Retiring 1h", target: holds("k2"),
		want: turned{Settle, "k2 Current, k1 Retiring 1h", "True Issued", "NotInUse", "Present", "a", "", "1h"},
	}, {
		name: "the hand was lost: one is owed, and issued", spec: []edit{now}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k1"),
		want: turned{Issue, "k2 Superseded 10m, k1 Current", "True Issued", "Propagating", "Present", "a", "", ""},
	}, {
		name: "long after: one is owed yet", spec: []edit{now}, triggers: "a",
		keys: "k2 Superseded -1h, k1 Current", target: holds("k1"),
		want: turned{Issue, "k1 Current", "True Issued", "Propagating", "Present", "a", "", ""},
	}, {
		name: "refused: it stays in hand", spec: []edit{now}, triggers: "a", refused: true,
		keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2",
		want: turned{Settle, "k2 Pending, k1 Current", "False WriteFailed", "AwaitingAuthServers", "Present", "a", "", "30s"},
	}, {
		name: "and is tried again", spec: []edit{now}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2",
		want: turned{Deliver, "k2 Pending, k1 Current", "True Issued", "", "Present", "a", "", ""},
	}, {
		name: "what was owed has arrived", spec: []edit{now}, triggers: "a",
		keys: "k3 Pending, k2 Superseded 5m, k1 Current", target: holds("k3"), hand: "k3",
		want: turned{Record, "k3 Current, k2 Superseded 5m, k1 Retiring 2h", "True Issued", "Propagating", "Present", "a", "", ""},
	}, {
		name: "what is spent is owed no more", spec: []edit{now}, triggers: "a",
		keys: "k3 Current, k2 Superseded 5m, k1 Retiring 2h", target: holds("k3"),
		want: turned{Settle, "k3 Current, k2 Superseded 5m, k1 Retiring 2h", "True Issued", "NotInUse", "Present", "a", "", "5m"},
	}, {
		name: "and ends", spec: []edit{now}, triggers: "a",
		keys: "k3 Current, k2 Superseded 0s", target: holds("k3"),
		want: turned{Settle, "k3 Current", "True Issued", "", "Present", "a", "", ""},
	}, {
		name: "a spent key that lands is not the current one again", spec: []edit{now}, triggers: "a",
		keys: "k3 Current, k2 Superseded 5m", target: holds("k2"),
		want: turned{Issue, "k3 Current, k2 Superseded 5m", "False Issuing", "Propagating", "Present", "a", "", ""},
	}, {
		name: "a trigger that is newer than what is owed is not served by it", spec: []edit{rotation(v1alpha1.Rotation{Trigger: "b"})}, triggers: "a",
		keys: "k2 Superseded 5m, k1 Current", target: holds("k1"),
		want: turned{Issue, "k2 Superseded 5m, k1 Current", "True Issued", "Propagating", "Present", "a", "", ""},
	}, {
		name: "another trigger within the overlap waits", spec: []edit{rotation(v1alpha1.Rotation{Trigger: "b"})}, triggers: "a",
		keys: "k2 Current, k1 Retiring 1h", target: holds("k2"),
		want: turned{Settle, "k2 Current, k1 Retiring 1h", "True Issued", "NotInUse OverlapRunning", "Present", "a", "", "1h"},
	}, {
		name: "a lost key doesn't wait for the overlap", keys: "k2 Current, k1 Retiring 1h", target: noKey,
		want: turned{Issue, "k2 Current, k1 Retiring 1h", "False Issuing", "Propagating", "Present", "", "", ""},
	}, {
		name: "a key put back that is retiring is a lost one", keys: "k2 Current, k1 Retiring 1h", target: holds("k1"),
		want: turned{Issue, "k2 Current, k1 Retiring 1h", "False Issuing", "Propagating", "Present", "", "", ""},
	}, {
		name: "a lost key waits for a while only", keys: "k2 Pending, k1 Current", hand: "k2", behind: 1, waited: 10 * time.Second,
		want: turned{Settle, "k2 Pending, k1 Current", "False Issuing", "Propagating", "Present", "", "", "20s"},
	}, {
		name: "and is delivered then", keys: "k2 Pending, k1 Current", hand: "k2", behind: 1, waited: DeliverWithin,
		want: turned{Deliver, "k2 Pending, k1 Current", "True Issued", "", "Present", "", "", ""},
	}, {
		name: "the Secret is lost while a rotation waits: no other key is made", spec: []edit{now}, triggers: "a",
		keys: "k2 Pending, k1 Current", hand: "k2", behind: 1, waited: 10 * time.Second,
		want: turned{Settle, "k2 Pending, k1 Current", "False Issuing", "Propagating", "Present", "a", "", "20s"},
	}, {
		name: "suspended while it waits: it waits on", spec: []edit{now, suspended}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2",
		want: turned{Settle, "k2 Pending, k1 Current", "True Suspended", "AwaitingAuthServers", "Present", "a", "", "30s"},
	}, {
		name: "revoked while it waits: nothing is delivered", spec: []edit{now, revoked}, triggers: "a",
		keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2",
		want: turned{DeleteTarget, "k2 Pending, k1 Current", "True Issued", "", "Present", "a", "", ""},
	}})
}

// TestOverlap: which overlap holds.
func TestOverlap(t *testing.T) {
	for _, row := range []struct {
		name       string
		own        *v1alpha1.Rotation
		defaults   *v1alpha1.RotationDefaults
		want, hard time.Duration
	}{
		{"nobody says", nil, nil, time.Hour, time.Hour},
		{"its own", &v1alpha1.Rotation{Overlap: "5m"}, &v1alpha1.RotationDefaults{Overlap: "7m"}, 5 * time.Minute, 5 * time.Minute},
		{"its own is none", &v1alpha1.Rotation{Overlap: "0s"}, &v1alpha1.RotationDefaults{Overlap: "7m"}, 0, 0},
		{"the API's", &v1alpha1.Rotation{Trigger: "x"}, &v1alpha1.RotationDefaults{Overlap: "7m"}, 7 * time.Minute, 7 * time.Minute},
		{"unset, at most half of interval", &v1alpha1.Rotation{Interval: "1h"}, nil, 30 * time.Minute, 30 * time.Minute},
		{"the API's, at most half of interval", &v1alpha1.Rotation{Interval: "1h"}, &v1alpha1.RotationDefaults{Overlap: "40m"}, 30 * time.Minute, 30 * time.Minute},
		{"its own beside the API's interval", &v1alpha1.Rotation{Overlap: "2h"}, &v1alpha1.RotationDefaults{Interval: "2h"}, time.Hour, time.Hour},
		{"when unused, up to four of them", &v1alpha1.Rotation{Overlap: "1h", Retire: "WhenUnused"}, nil, time.Hour, 4 * time.Hour},
		{"when unused, up to an interval", &v1alpha1.Rotation{Overlap: "1h", Interval: "3h"}, &v1alpha1.RotationDefaults{Retire: "WhenUnused"}, time.Hour, 3 * time.Hour},
		{"its own retirement wins", &v1alpha1.Rotation{Overlap: "1h", Retire: "OnTime"}, &v1alpha1.RotationDefaults{Retire: "WhenUnused"}, time.Hour, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := &v1alpha1.APIKey{}
			k.Spec.Rotation = row.own
			k.Status.Effective = &v1alpha1.EffectiveDefaults{Rotation: row.defaults}
			s := scheduleOf(k)
			if s.overlap != row.want || s.hardLimit() != row.hard {
				t.Errorf("overlap %v, hard limit %v, want %v and %v", s.overlap, s.hardLimit(), row.want, row.hard)
			}
		})
	}
}

// TestPropagated: it speaks of the last change, once it is true it stays.
func TestPropagated(t *testing.T) {
	for _, row := range []struct {
		name    string
		spread  presence.Spread
		since   time.Duration // how long ago the change was
		before  *metav1.Condition
		want    string
		message string
		again   time.Duration
	}{
		{"nobody reports", presence.Spread{}, 0, nil, "Unknown NoAuthServers", "no auth server reports", 0},
		{"nobody reports any more", presence.Spread{Silent: []string{"a"}}, 0, nil, "Unknown NoAuthServers", "no auth server reports; not waited for, since they have stopped reporting, though they may serve what they knew: a", 0},
		{"all", presence.Spread{Live: 3, Seen: 3}, 0, nil, "True Propagated", "seen by 3 of 3 auth servers", 0},
		{"not all", presence.Spread{Live: 3, Seen: 1, Behind: []string{"b", "c"}, Again: 9 * time.Second}, 0, nil, "False Propagating", "seen by 1 of 3 auth servers, not by b, c", 9 * time.Second},
		{"not all for long", presence.Spread{Live: 2, Seen: 1, Behind: []string{"b"}}, time.Minute, nil, "False Lagging", "seen by 1 of 2 auth servers, not by b", 0},
		{"all that are waited for", presence.Spread{Live: 2, Seen: 2, Silent: []string{"c"}}, 0, nil, "Unknown ServersSilent", "seen by 2 of 2 auth servers; not waited for, since they have stopped reporting, though they may serve what they knew: c", 5 * time.Minute},
		{"many", presence.Spread{Live: 9, Seen: 3, Behind: strings.Split("abcdef", "")}, 0, nil, "False Propagating", "seen by 3 of 9 auth servers, not by a, b, c, d and 2 more", 30 * time.Second},
		{
			"once true it stays", presence.Spread{Live: 4, Seen: 3, Behind: []string{"new"}}, 0,
			&metav1.Condition{Status: "True", Reason: "Propagated", ObservedGeneration: generation, Message: "seen by 3 of 3 auth servers"}, "True Propagated", "seen by 3 of 3 auth servers", 0,
		},
		{
			"until the next change", presence.Spread{Live: 3, Seen: 2, Behind: []string{"c"}}, 0,
			&metav1.Condition{Status: "True", Reason: "Propagated", ObservedGeneration: generation - 1, Message: "seen by 3 of 3 auth servers"}, "False Propagating", "seen by 2 of 3 auth servers, not by c", 30 * time.Second,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := rule{keys: "k1 Current", target: holds("k1")}.observed(t)
			o.Spread, o.ChangedAt = row.spread, start.Add(-row.since)
			if row.before != nil {
				row.before.Type = v1alpha1.ConditionPropagated
				o.Key.Status.Conditions = append(o.Key.Status.Conditions, *row.before)
			}
			p := Decide(o)
			c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionPropagated)
			if got := string(c.Status) + " " + c.Reason; got != row.want || c.Message != row.message || p.Again != row.again {
				t.Errorf("%s %q, again in %v\nwant %s %q, %v", got, c.Message, p.Again, row.want, row.message, row.again)
			}
		})
	}
}
