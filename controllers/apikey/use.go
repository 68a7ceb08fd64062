package apikey

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// Auth servers report use to the minute. It is written to status when it has
// advanced by the second of these for a version that is about to end, and by the
// third for the others.
const (
	useGrain       = time.Minute
	retiringUseLag = time.Minute
	currentUseLag  = time.Hour
)

// recordUse takes over what auth servers report, of a revoked key too.
func (d *decision) recordUse() {
	for i := range d.status.Keys {
		v := &d.status.Keys[i]
		if last, ok := d.Use.Last[v.Digest]; ok && newUse(*v, last) {
			at := seconds(last)
			if at.Before(&v.IssuedAt) {
				at = v.IssuedAt // in that minute
			}
			v.LastUsedAt = &at
		}
	}
}

// endUnused ends replaced keys that nobody uses any more, where so declared.
func (d *decision) endUnused() {
	if !d.schedule.whenUnused || !d.Use.Known {
		return // what nobody has told of isn't unused
	}
	d.status.Keys = slices.DeleteFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool {
		return v.Phase == v1alpha1.KeyRetiring && !d.Now.Before(d.quietAt(v))
	})
}

// newUse reports whether a use is to be written to status.
func newUse(v v1alpha1.KeyVersion, at time.Time) bool {
	lag := currentUseLag
	if v.NotAfter != nil {
		lag = retiringUseLag
	}
	return v.LastUsedAt == nil || at.Sub(v.LastUsedAt.Time) >= lag
}

// quietAt is when a replaced key hasn't been used for the overlap.
func (d *decision) quietAt(v v1alpha1.KeyVersion) time.Time {
	since := d.retiredAt()
	if v.LastUsedAt != nil {
		if end := v.LastUsedAt.Add(useGrain); end.After(since) { // it may have been the end of that minute
			since = end
		}
	}
	return since.Add(d.schedule.overlap)
}

// retiredAt is when the last replaced key was: when the current one was delivered.
func (d *decision) retiredAt() time.Time {
	switch current := d.current(); {
	case current == nil:
		return d.Now
	case current.DeliveredAt != nil:
		return current.DeliveredAt.Time
	default:
		return current.IssuedAt.Time
	}
}

// soon is how long before its end a replaced key that is in use is warned of.
func (d *decision) soon(v *v1alpha1.KeyVersion) time.Duration {
	return min(v.NotAfter.Sub(d.retiredAt())/4, time.Hour)
}

// recent is how long ago counts as in use.
func (d *decision) recent(v *v1alpha1.KeyVersion) time.Duration { return max(d.soon(v), 2*useGrain) }

// inUse reports whether a replaced key was used of late.
func (d *decision) inUse(v *v1alpha1.KeyVersion) bool {
	return v.LastUsedAt != nil && d.Now.Sub(v.LastUsedAt.Time) < d.recent(v)
}

// reportUse sets the PreviousKeyInUse condition, where there is a previous key.
func (d *decision) reportUse() {
	v := d.retiring()
	if v == nil || d.revokedBySpec() {
		d.clear(v1alpha1.ConditionPreviousKeyInUse)
		return
	}
	ends := text(v.NotAfter.Time)
	switch left := v.NotAfter.Sub(d.Now); {
	case !d.inUse(v):
		d.set(v1alpha1.ConditionPreviousKeyInUse, metav1.ConditionFalse, v1alpha1.ReasonNotInUse,
			fmt.Sprintf("no auth server has seen the previous key of late; it ends at %s", ends))
	case left <= d.soon(v):
		d.set(v1alpha1.ConditionPreviousKeyInUse, metav1.ConditionTrue, v1alpha1.ReasonEndsInUse,
			fmt.Sprintf("the previous key, %s, is still used, and ends at %s: restart or reload what holds it", shown(v), ends))
	default:
		d.set(v1alpha1.ConditionPreviousKeyInUse, metav1.ConditionTrue, v1alpha1.ReasonInUse,
			fmt.Sprintf("the previous key, %s, is still used; it ends at %s", shown(v), ends))
	}
}

// useDeadlines are when what is said of use changes with time alone.
func (d *decision) useDeadlines(a *alarm) {
	v := d.retiring()
	if v == nil {
		return
	}
	if d.inUse(v) {
		a.in(v.NotAfter.Add(-d.soon(v)).Sub(d.Now))
		a.in(v.LastUsedAt.Add(d.recent(v)).Sub(d.Now))
	}
	if d.schedule.whenUnused {
		for _, v := range d.status.Keys {
			if v.Phase == v1alpha1.KeyRetiring {
				a.in(d.quietAt(v).Sub(d.Now))
			}
		}
		if !d.Use.Known {
			a.in(useGrain)
		}
	}
}
