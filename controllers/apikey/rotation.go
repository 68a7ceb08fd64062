package apikey

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
)

// maxTriggers is how many values of spec.rotation.trigger are remembered.
const maxTriggers = 16

// hardOverlaps is after how many overlaps a key ends that is still used under
// WhenUnused.
const hardOverlaps = 4

// schedule is when a key rotates: spec, and field by field the API's defaults.
type schedule struct {
	interval, overlap time.Duration // interval 0: not by age
	whenUnused        bool
}

func scheduleOf(k *v1alpha1.APIKey) schedule {
	var own v1alpha1.Rotation
	if k.Spec.Rotation != nil {
		own = *k.Spec.Rotation
	}
	var defaults v1alpha1.RotationDefaults
	if e := k.Status.Effective; e != nil && e.Rotation != nil {
		defaults = *e.Rotation
	}
	s := schedule{interval: policy.Interval(k), overlap: DefaultOverlap}
	switch {
	case own.Overlap != "":
		s.overlap = policy.Length(own.Overlap)
	case defaults.Overlap != "":
		s.overlap = policy.Length(defaults.Overlap)
	}
	if s.interval > 0 && (own.Overlap == "" || s.overlap >= s.interval) {
		s.overlap = min(s.overlap, s.interval/2)
	}
	s.whenUnused = cmp.Or(own.Retire, defaults.Retire) == v1alpha1.RetireWhenUnused
	return s
}

// hardLimit is how long a replaced key is accepted, used or not.
func (s schedule) hardLimit() time.Duration {
	if !s.whenUnused {
		return s.overlap
	}
	limit := hardOverlaps * s.overlap
	if s.interval > 0 {
		limit = min(limit, s.interval)
	}
	return limit
}

// next is when a key of that age is replaced, nil if never.
func (s schedule) next(issued time.Time, end *metav1.Time) *metav1.Time {
	if s.interval <= 0 {
		return nil
	}
	at := seconds(issued.Add(s.interval))
	if end != nil && !at.Before(end) {
		return nil
	}
	return &at
}

// rotationDue reports whether the current key is to be replaced: by age, by a
// trigger, or because a rotation that had begun was lost with its controller.
func (d *decision) rotationDue() bool {
	current := d.current()
	if current == nil || d.suspended() || d.expired() || d.inHand() >= 0 {
		return false
	}
	at := d.schedule.next(current.IssuedAt.Time, d.end())
	return d.owed() || d.triggered() || at != nil && !d.Now.Before(at.Time)
}

// rotates reports whether it is replaced now.
func (d *decision) rotates() bool { return d.rotationDue() && d.retiring() == nil }

// retiring is the replaced version that is accepted for longest, nil if there is
// none: while it is, no rotation begins.
func (d *decision) retiring() *v1alpha1.KeyVersion {
	var last *v1alpha1.KeyVersion
	for i := range d.status.Keys {
		v := &d.status.Keys[i]
		if v.Phase == v1alpha1.KeyRetiring && (last == nil || last.NotAfter != nil && last.NotAfter.Before(v.NotAfter)) {
			last = v
		}
	}
	return last
}

// triggered reports whether the trigger has a value that hasn't rotated.
func (d *decision) triggered() bool {
	t := triggerOf(d.Key)
	return t != "" && !slices.Contains(d.status.ObservedTriggers, t)
}

// observeTrigger records the trigger in the same write as the key that it causes,
// so that a crash doesn't rotate twice.
func (d *decision) observeTrigger() {
	if !d.triggered() {
		return
	}
	seen := slices.Concat(d.status.ObservedTriggers, []string{triggerOf(d.Key)})
	d.status.ObservedTriggers = seen[max(0, len(seen)-maxTriggers):]
}

func triggerOf(k *v1alpha1.APIKey) string {
	if k.Spec.Rotation == nil {
		return ""
	}
	return k.Spec.Rotation.Trigger
}

// reportRotation says when the key rotates next, and what a rotation that is due
// waits for.
func (d *decision) reportRotation() {
	d.status.NextRotationAt = nil
	if current := d.current(); current != nil && !d.revokedBySpec() {
		newest := current
		if i := d.inHand(); i >= 0 {
			newest = &d.status.Keys[i]
		}
		d.status.NextRotationAt = d.schedule.next(newest.IssuedAt.Time, d.end())
	}
	switch {
	case d.revokedBySpec():
		d.clear(v1alpha1.ConditionRotationPending)
	case d.inHand() >= 0 && d.held(d.current()):
		d.set(v1alpha1.ConditionRotationPending, metav1.ConditionTrue, v1alpha1.ReasonAwaitingAuthServers,
			"the next key goes into the Secret once all auth servers accept it: "+tell(d.Hand.Spread))
	case d.rotationDue() && d.retiring() != nil:
		d.set(v1alpha1.ConditionRotationPending, metav1.ConditionTrue, v1alpha1.ReasonOverlapRunning,
			fmt.Sprintf("a rotation is due; it begins when the key before the current one ends, at %s at the latest", text(d.retiring().NotAfter.Time)))
	case d.rotationDue():
		d.set(v1alpha1.ConditionRotationPending, metav1.ConditionTrue, v1alpha1.ReasonNotReady,
			"a rotation is due; it begins when what the Ready condition says is mended")
	default:
		d.clear(v1alpha1.ConditionRotationPending)
	}
}
