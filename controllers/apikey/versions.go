package apikey

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
)

// recordFacts brings status.keys in line with what our Secrets hold, and reports
// whether that changed anything that must be written before the next step.
func (d *decision) recordFacts() bool {
	target, previous := d.heldBy(d.Target), d.heldBy(d.Previous)
	switch {
	case d.adopts():
		d.adopt()
	case d.unpromoted(target):
		if d.unpromoted(previous) && previous != target {
			d.retire(previous) // the Secret was renamed just after it was written
		}
		d.promote(target)
	case d.unpromoted(previous):
		d.promote(previous)
		return true
	case d.inTarget():
		return d.nameSecret()
	default:
		return false
	}
	d.nameSecret()
	return true
}

// nameSecret records the name of the Secret that holds the current key, once
// there is no other, and reports whether it is a new one.
func (d *decision) nameSecret() bool {
	others := d.Previous.Ownership == Ours && !d.Previous.Terminating
	known := d.status.SecretPhase == v1alpha1.SecretPresent && d.status.SecretName == SecretName(d.Key)
	deleting := d.status.SecretPhase == v1alpha1.SecretDeleting && d.shownLongEnough()
	if others || known || deleting {
		return false
	}
	d.status.SecretPhase, d.status.SecretName, d.status.DeliveredSecret = v1alpha1.SecretPresent, SecretName(d.Key), ""
	return true
}

// adopts holds for a key whose status was lost, or whose APIKey is another object
// by now, and whose Secret says by itself what it is.
func (d *decision) adopts() bool {
	ours := d.Target.Ownership == Ours || d.Target.Ownership == Orphan
	return len(d.status.Keys) == 0 && ours && d.Target.Adoptable && !d.policyUnknown() && d.Duplicate == ""
}

// adopt accepts the key in the Secret at once: consumers hold it already.
func (d *decision) adopt() {
	delivered := seconds(d.Now)
	d.status.Keys = []v1alpha1.KeyVersion{{
		Digest: d.Target.Digest.String(), Hint: d.Hint, Phase: v1alpha1.KeyCurrent,
		IssuedAt: seconds(d.issuedAt()), DeliveredAt: &delivered,
	}}
	d.status.Hint = d.Hint
	d.status.Effective = policy.Resolve(d.Key, d.API, d.issuedAt())
	d.observeTrigger()
}

// usefulness ranks Secrets of other names than the wanted one: above all one that
// the raw key can be copied from, and then one that is yet to be deleted.
func usefulness(keys []v1alpha1.KeyVersion, h Held) int {
	if h.Ownership != Ours {
		return 0
	}
	rank := 1
	for _, v := range keys {
		switch {
		case h.Digest == nil || h.Digest.String() != v.Digest:
		case v.Phase == v1alpha1.KeyCurrent:
			rank = 5
		case v.Phase == v1alpha1.KeyPending || v.Phase == v1alpha1.KeySuperseded:
			rank = 3
		}
	}
	if !h.Terminating {
		rank++
	}
	return rank
}

// heldBy returns the index of the version that a Secret of ours holds, or -1.
func (d *decision) heldBy(h Held) int {
	return slices.IndexFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool { return h.Ownership == Ours && d.holds(h, &v) })
}

// knows reports whether a Secret holds a version, whoever owns it.
func (d *decision) knows(h Held) bool {
	return slices.ContainsFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool { return d.holds(h, &v) })
}

func (d *decision) conflictMessage() string {
	name := SecretName(d.Key)
	if e := d.Key.Spec.ExistingKey; e != nil && e.SecretKeyRef != nil && e.SecretKeyRef.Name == name {
		return fmt.Sprintf("Secret %q is the one to import from, which is only read: set spec.secret.name to another name, for the Secret that the key is copied into", name)
	}
	return fmt.Sprintf("Secret %q belongs to somebody else and is not touched: delete it, or choose another spec.secret.name", name)
}

// unpromoted reports whether a version isn't known to have reached a Secret, and is
// newer than the current one. An older one that turns up is spent: it was replaced.
func (d *decision) unpromoted(i int) bool {
	return i >= 0 && lost(d.status.Keys[i]) && d.ahead(i)
}

// lost holds for versions that aren't known to have reached a Secret.
func lost(v v1alpha1.KeyVersion) bool {
	return v.Phase == v1alpha1.KeyPending || v.Phase == v1alpha1.KeySuperseded
}

// ahead reports whether a version comes before the current one: newest are first.
func (d *decision) ahead(i int) bool {
	current := slices.IndexFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Phase == v1alpha1.KeyCurrent })
	return current < 0 || i < current
}

// owed reports whether a key was published and lost that nothing has replaced: what
// it was issued for is still to be done.
func (d *decision) owed() bool {
	for i, v := range d.status.Keys {
		if v.Phase == v1alpha1.KeySuperseded && d.ahead(i) {
			return true
		}
	}
	return false
}

// promote makes a version current: it has reached a Secret. Those that were lost
// keep their deadlines behind it: a Create that is under way may land once this
// one's Secret is gone.
func (d *decision) promote(i int) {
	for former := range d.status.Keys {
		if d.status.Keys[former].Phase == v1alpha1.KeyCurrent {
			d.retire(former)
		}
	}
	promoted := d.status.Keys[i]
	promoted.Phase, promoted.NotAfter = v1alpha1.KeyCurrent, nil
	if promoted.DeliveredAt == nil {
		now := seconds(d.Now)
		promoted.DeliveredAt = &now
	}
	d.status.Hint = promoted.Hint
	d.status.Keys = slices.Insert(slices.Delete(d.status.Keys, i, i+1), 0, promoted)
	for other := range d.status.Keys {
		if d.status.Keys[other].Phase == v1alpha1.KeyPending {
			d.giveUp(other)
		}
	}
}

// giveUp ends a version whose raw key is lost, once no write of it can land.
func (d *decision) giveUp(i int) {
	v := &d.status.Keys[i]
	v.Phase, v.NotAfter = v1alpha1.KeySuperseded, d.deadline(SupersededFor)
}

// retire ends a version that was in a Secret, after the overlap.
func (d *decision) retire(i int) {
	v := &d.status.Keys[i]
	v.Phase, v.NotAfter = v1alpha1.KeyRetiring, d.deadline(d.schedule.hardLimit())
}

// supersede gives a deadline to a version that is still pending, not in the
// Secret, and out of our hands: its raw key was in a controller's memory only, and
// is lost. The write that was to deliver it may still land, so it is accepted for
// a while. It also stands for the rotation that is still owed, whose cause was
// recorded with it.
func (d *decision) supersede() {
	target, previous, hand := d.heldBy(d.Target), d.heldBy(d.Previous), d.inHand()
	for i := range d.status.Keys {
		if d.status.Keys[i].Phase == v1alpha1.KeyPending && i != target && i != previous && i != hand {
			d.giveUp(i)
		}
	}
}

// inHand returns the index of the pending version whose raw key we have, or -1.
func (d *decision) inHand() int { return pendingIn(d.status.Keys, d.Hand.Digest) }

// pendingIn returns the index of the pending version with a digest, or -1.
func pendingIn(keys []v1alpha1.KeyVersion, digest string) int {
	return slices.IndexFunc(keys, func(v v1alpha1.KeyVersion) bool {
		return v.Phase == v1alpha1.KeyPending && v.Digest == digest
	})
}

// dropEnded takes out the versions whose deadline has passed, but for those that
// stand for a rotation that is owed to a key in use.
func (d *decision) dropEnded() {
	owing, kept := d.current() != nil && d.held(d.current()), d.status.Keys[:0:0]
	for i, v := range d.status.Keys {
		marker := owing && v.Phase == v1alpha1.KeySuperseded && d.ahead(i)
		if !d.ended(v) || marker {
			kept = append(kept, v)
		}
	}
	d.status.Keys = kept
	d.forgetDefaults()
}

// dropMarkers takes out those too: the next key is about to be published.
func (d *decision) dropMarkers() {
	d.status.Keys = slices.DeleteFunc(d.status.Keys, d.ended)
}

// ended holds for versions whose deadline has passed, and for one that nobody has
// had by the end that its API gave it: its issue begins anew.
func (d *decision) ended(v v1alpha1.KeyVersion) bool {
	never := v.Phase == v1alpha1.KeyPending && !policy.EndCertain(d.asDecided()) && d.expired()
	return never || v.NotAfter != nil && !d.Now.Before(v.NotAfter.Time)
}

// accepted is how many versions auth servers accept.
func (d *decision) accepted() int {
	n := 0
	for _, v := range d.status.Keys {
		if !d.ended(v) {
			n++
		}
	}
	return n
}

func (d *decision) current() *v1alpha1.KeyVersion { return policy.Current(d.status.Keys) }

// inTarget reports whether the wanted Secret is ours, or an orphan to take over,
// and holds the current key.
func (d *decision) inTarget() bool {
	current := d.current()
	ours := d.Target.Ownership == Ours || d.Target.Ownership == Orphan
	return current != nil && ours && d.holds(d.Target, current)
}

// held reports whether consumers can have the current key: it isn't lost.
func (d *decision) held(current *v1alpha1.KeyVersion) bool {
	return current != nil &&
		(d.inTarget() || d.Previous.Ownership == Ours && d.holds(d.Previous, current) || d.byHash() || d.shown())
}

// conflict reports whether the wanted Secret is somebody else's. An orphan whose
// adoption waits for something isn't.
func (d *decision) conflict() bool {
	stranger := d.Target.Ownership == Orphan && !d.inTarget() && (len(d.status.Keys) > 0 || d.Problem == nil)
	return d.Target.Ownership == Foreign || stranger
}

func (d *decision) holds(h Held, v *v1alpha1.KeyVersion) bool {
	return h.Digest != nil && h.Digest.String() == v.Digest
}

// deadline is a time from now, in whole seconds and not too early unless it is now,
// but not after the key's own end.
func (d *decision) deadline(after time.Duration) *metav1.Time {
	if after > 0 {
		after += time.Second - time.Nanosecond
	}
	t := seconds(d.Now.Add(after))
	if end := d.end(); end != nil && end.Before(&t) {
		t = *end
	}
	return &t
}
