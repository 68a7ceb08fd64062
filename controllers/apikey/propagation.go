package apikey

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
)

// deliverable reports whether the key in hand may go into the Secret: every live
// auth server accepts it. As long as consumers have another key that takes as long
// as it takes; else for DeliverWithin at most.
func (d *decision) deliverable() bool {
	i := d.inHand()
	if i < 0 || d.current() != nil && d.suspended() {
		return false
	}
	return everyone(d.Hand.Spread) || !d.held(d.current()) && d.Hand.Waited >= DeliverWithin
}

// silentRetry is how soon to look again whether a server that has stopped to report
// is forgotten by now.
const silentRetry = 5 * time.Minute

// everyone holds for a write that all live auth servers have seen.
func everyone(s presence.Spread) bool { return s.Seen == s.Live }

// await is a key in hand that not all auth servers accept yet.
func (d *decision) await() Plan {
	if d.held(d.current()) {
		return d.inPlace()
	}
	return d.settle(d.standing(), metav1.ConditionFalse, v1alpha1.ReasonIssuing,
		"the key goes into the Secret once all auth servers accept it: "+tell(d.Hand.Spread))
}

// reportPropagation sets the Propagated condition. It speaks of the last change of
// spec or of what is accepted: other writes of status don't restart it.
func (d *decision) reportPropagation() {
	before := meta.FindStatusCondition(d.status.Conditions, v1alpha1.ConditionPropagated)
	if len(d.status.Keys) == 0 && len(d.Key.Status.Keys) == 0 {
		d.clear(v1alpha1.ConditionPropagated) // there is nothing to accept yet
		return
	}
	if !sameVersions(d.status.Keys, d.Key.Status.Keys) {
		d.propagating()
		return
	}
	if before != nil && before.Status == metav1.ConditionTrue && before.ObservedGeneration == d.Key.Generation {
		return
	}
	switch s := d.Spread; {
	case s.Live == 0:
		d.set(v1alpha1.ConditionPropagated, metav1.ConditionUnknown, v1alpha1.ReasonNoAuthServers, "no auth server reports"+silent(s)+elsewhere(s))
	case everyone(s) && len(s.Silent) > 0:
		d.set(v1alpha1.ConditionPropagated, metav1.ConditionUnknown, v1alpha1.ReasonServersSilent, tell(s))
	case everyone(s):
		d.set(v1alpha1.ConditionPropagated, metav1.ConditionTrue, v1alpha1.ReasonPropagated, tell(s))
	case d.Now.Sub(d.ChangedAt) >= DeliverWithin:
		d.set(v1alpha1.ConditionPropagated, metav1.ConditionFalse, v1alpha1.ReasonLagging, tell(s))
	default:
		d.set(v1alpha1.ConditionPropagated, metav1.ConditionFalse, v1alpha1.ReasonPropagating, tell(s))
	}
}

// propagating is a change that is just being written.
func (d *decision) propagating() {
	d.set(v1alpha1.ConditionPropagated, metav1.ConditionFalse, v1alpha1.ReasonPropagating, "the last change is on its way to the auth servers")
}

// propagationDeadline is how soon time alone changes who is waited for, or how
// long.
func (d *decision) propagationDeadline() time.Duration {
	a := alarm{now: d.Now}
	if c := meta.FindStatusCondition(d.status.Conditions, v1alpha1.ConditionPropagated); c != nil && c.Status != metav1.ConditionTrue {
		a.in(d.Spread.Again)
		switch c.Reason {
		case v1alpha1.ReasonPropagating:
			a.in(d.ChangedAt.Add(DeliverWithin).Sub(d.Now))
		case v1alpha1.ReasonServersSilent:
			a.in(silentRetry)
		}
	}
	if d.inHand() >= 0 {
		a.in(d.Hand.Spread.Again)
		a.in(DeliverWithin - d.Hand.Waited)
	}
	return a.soonest
}

// sameVersions reports whether auth servers accept the same until the same time.
func sameVersions(a, b []v1alpha1.KeyVersion) bool {
	return slices.Equal(enforced(a), enforced(b))
}

// enforced is what auth servers make of key versions, in an order of its own.
func enforced(keys []v1alpha1.KeyVersion) []string {
	out := make([]string, len(keys))
	for i, v := range keys {
		out[i] = v.Digest
		if v.NotAfter != nil {
			out[i] += " " + text(v.NotAfter.Time)
		}
	}
	slices.Sort(out)
	return out
}

// maxNames is how many auth servers a message names.
const maxNames = 4

// tell says who has seen a change.
func tell(s presence.Spread) string {
	said := fmt.Sprintf("seen by %d of %d auth servers", s.Seen, s.Live)
	if len(s.Behind) > 0 {
		said += ", not by " + enumerate(s.Behind)
	}
	return said + silent(s) + elsewhere(s)
}

func silent(s presence.Spread) string {
	if len(s.Silent) == 0 {
		return ""
	}
	return "; not waited for, since they have stopped reporting, though they may serve what they knew: " + enumerate(s.Silent)
}

// elsewhere tells of servers that a rollout of --namespaces hasn't come to, or that
// others are meant to ask.
func elsewhere(s presence.Spread) string {
	if len(s.Elsewhere) == 0 {
		return ""
	}
	return "; accepting none, since they don't watch this namespace: " + enumerate(s.Elsewhere)
}

func enumerate(names []string) string {
	if more := len(names) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), more)
	}
	return strings.Join(names, ", ")
}
