package apikey

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

const (
	// Overlap is how long a replaced key is still accepted.
	Overlap = time.Hour
	// SupersededFor is how long a key is still accepted that was published and
	// then lost before it was known to be in the Secret: a write of it that is
	// still under way may land.
	SupersededFor = 10 * time.Minute
	// MaxAccepted is how many key versions may be accepted at once.
	MaxAccepted = 4
	// conflictRetry and collectionRetry are how soon to look again for a Secret
	// that isn't ours, of which no watch tells.
	conflictRetry   = 30 * time.Second
	collectionRetry = 2 * time.Second
)

// Problem is why no key can be issued: a reason of the Ready condition and a
// message for people. It is an error, so that it can be told from one of the API
// server, which is tried again.
type Problem struct{ Reason, Message string }

// Error implements error.
func (p *Problem) Error() string { return p.Reason + ": " + p.Message }

// Ownership says whose Secret it is.
type Ownership uint8

const (
	// Absent is no Secret.
	Absent Ownership = iota
	// Ours is controlled by this APIKey, by uid.
	Ours
	// Former is controlled by an APIKey of this name that no longer exists.
	Former
	// Foreign is anybody else's.
	Foreign
)

// Held is what a Secret holds.
type Held struct {
	Ownership Ownership
	// Digest is of the raw key in it, nil if there is none.
	Digest *key.Digest
	// Adoptable is a digest that the Secret's own annotations confirm, with the
	// time of its issue.
	Adoptable bool
	IssuedAt  time.Time
	// UpToDate is a Secret that is in every part as it should be.
	UpToDate bool
	// Terminating is a Secret that is being deleted.
	Terminating bool
}

// Observed is all that a decision is made from, read live.
type Observed struct {
	Key *v1alpha1.APIKey
	// Target is the Secret of the wanted name; Previous another one of ours, that
	// of status.secretName first.
	Target, Previous Held
	// Problem is why no key can be issued, nil if one can.
	Problem *Problem
	// Hint is of the raw key in the target Secret, where it can be told.
	Hint string
	// Refused is why the API server refused a write just now, and RefusedDigest
	// the key that was in it, which nobody has read.
	Refused       *Problem
	RefusedDigest string
	Now           time.Time
}

// Step is the one write to do before looking again.
type Step uint8

const (
	// Settle writes status, if it changed, and ends.
	Settle Step = iota
	// Record writes status and looks again.
	Record
	// Issue generates a raw key, publishes it as Pending and writes the Secret.
	Issue
	// Update brings the Secret up to date around the raw key that it holds.
	Update
	// Copy creates the Secret of the new name with the raw key of the previous.
	Copy
	// DeleteTarget deletes the Secret.
	DeleteTarget
	// DeletePrevious deletes the Secret of the previous name.
	DeletePrevious
)

// Plan is what to do: the status to write and one step.
type Plan struct {
	Step   Step
	Status v1alpha1.APIKeyStatus
	// Again is how soon to look again without being told; zero is never.
	Again time.Duration
}

// Decide says what to do next. It is a pure function.
func Decide(o Observed) Plan {
	d := decision{Observed: o, status: *o.Key.Status.DeepCopy()}
	d.status.ObservedGeneration = o.Key.Generation
	if d.status.SecretPhase == "" {
		d.status.SecretPhase = v1alpha1.SecretNone
	}
	if d.revokedBySpec() {
		d.supersede()
		return d.revoked()
	}
	d.dropEnded()
	d.supersede()
	if d.recordFacts() {
		return Plan{Step: Record, Status: d.status}
	}
	return d.next()
}

type decision struct {
	Observed
	status v1alpha1.APIKeyStatus
}

// next decides for a key that isn't revoked and whose facts are recorded.
func (d *decision) next() Plan {
	current := d.current()
	inTarget := current != nil && d.Target.Ownership == Ours && d.holds(d.Target, current)
	switch {
	case d.Target.Ownership == Foreign:
		return d.waiting(v1alpha1.ReasonSecretConflict,
			fmt.Sprintf("Secret %q belongs to somebody else and is not touched: delete it, or choose another spec.secret.name", SecretName(d.Key)), conflictRetry)
	case d.Target.Ownership == Former || d.Target.Terminating:
		return d.waiting(v1alpha1.ReasonSecretTerminating,
			fmt.Sprintf("Secret %q is of a former APIKey or being deleted; waiting for it to go", SecretName(d.Key)), collectionRetry)
	case d.expired():
		return d.settle(v1alpha1.StateExpired, metav1.ConditionFalse, v1alpha1.ReasonExpired,
			"spec.expiresAt has passed; requests are denied. Set a later one to use the key again")
	case d.Problem != nil:
		return d.settle(d.standing(), metav1.ConditionFalse, d.Problem.Reason, d.Problem.Message)
	case inTarget && d.Previous.Ownership == Ours && !d.Previous.Terminating:
		return d.unlessRefused(DeletePrevious)
	case inTarget && !d.Target.UpToDate:
		return d.unlessRefused(Update)
	case inTarget:
		return d.inPlace()
	case current != nil && d.Target.Ownership == Absent && d.Previous.Ownership == Ours && d.holds(d.Previous, current):
		return d.unlessRefused(Copy)
	case current != nil && d.suspended():
		return d.inPlace() // a suspended key isn't replaced, lost or not
	default:
		return d.issue()
	}
}

// inPlace is a key that is as declared.
func (d *decision) inPlace() Plan {
	if d.suspended() {
		return d.settle(v1alpha1.StateSuspended, metav1.ConditionTrue, v1alpha1.ReasonSuspended,
			"suspended as declared; requests are denied until spec.state is Active")
	}
	return d.settle(v1alpha1.StateActive, metav1.ConditionTrue, v1alpha1.ReasonIssued,
		fmt.Sprintf("the raw key is in Secret %q", d.status.SecretName))
}

// issue generates a key, unless too many are accepted already or the API server
// has just refused its Secret.
func (d *decision) issue() Plan {
	if n := len(d.status.Keys); n >= MaxAccepted {
		return d.settle(d.standing(), metav1.ConditionFalse, v1alpha1.ReasonTooManyVersions,
			fmt.Sprintf("%d key versions are accepted already; the next is issued when one of them ends", n))
	}
	d.ready(metav1.ConditionFalse, v1alpha1.ReasonIssuing, "the raw key is on its way into its Secret")
	d.status.State = d.standing()
	return d.unlessRefused(Issue)
}

// unlessRefused does a step, unless the API server has just refused one.
func (d *decision) unlessRefused(step Step) Plan {
	if d.Refused != nil {
		return d.waiting(d.Refused.Reason, d.Refused.Message, conflictRetry)
	}
	return Plan{Step: step, Status: d.status}
}

// revoked deletes our Secrets and keeps all digests as evidence.
func (d *decision) revoked() Plan {
	target, previous := d.Target.Ownership == Ours, d.Previous.Ownership == Ours
	switch {
	case target && !d.Target.Terminating:
		return d.unlessRefused(DeleteTarget)
	case previous && !d.Previous.Terminating:
		return d.unlessRefused(DeletePrevious)
	case target || previous:
		return d.waiting(v1alpha1.ReasonSecretTerminating, "revoked: requests are denied; waiting for the Secret to go", collectionRetry)
	}
	d.status.SecretPhase, d.status.SecretName = v1alpha1.SecretNone, ""
	p := d.settle(v1alpha1.StateRevoked, metav1.ConditionTrue, v1alpha1.ReasonRevoked,
		"revoked as declared, for good; requests are denied and the Secret is deleted")
	p.Again = 0 // the deadlines that are left mean nothing any more
	return p
}

// recordFacts brings status.keys in line with what our Secrets hold, and reports
// whether that changed anything that must be written before the next step.
func (d *decision) recordFacts() bool {
	target, previous := d.heldBy(d.Target), d.heldBy(d.Previous)
	switch {
	case len(d.status.Keys) == 0 && d.Target.Ownership == Ours && d.Target.Adoptable:
		d.status.Keys = []v1alpha1.KeyVersion{{
			Digest: d.Target.Digest.String(), Hint: d.Hint, Phase: v1alpha1.KeyCurrent, IssuedAt: metav1.NewTime(d.Target.IssuedAt),
		}}
	case d.unpromoted(target):
		// Writes of the others can't land any more: this one changed what they
		// depend on.
		d.promote(target)
		d.dropLost()
	case target >= 0 && d.status.Keys[target].Phase == v1alpha1.KeyCurrent:
		if d.status.SecretPhase == v1alpha1.SecretPresent && d.status.SecretName == SecretName(d.Key) {
			return false
		}
	case d.unpromoted(previous):
		// The Secret was renamed just after it was written.
		d.promote(previous)
		return true
	default:
		return false
	}
	if d.Previous.Ownership == Ours && !d.Previous.Terminating {
		// The name changes only when the previous Secret is gone, or nobody would
		// remember it.
		return false
	}
	d.status.SecretPhase, d.status.SecretName = v1alpha1.SecretPresent, SecretName(d.Key)
	if c := d.current(); c != nil {
		d.status.Hint = c.Hint
	}
	return true
}

// heldBy returns the index of the version that a Secret of ours holds, or -1.
func (d *decision) heldBy(h Held) int {
	return slices.IndexFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool { return h.Ownership == Ours && d.holds(h, &v) })
}

// unpromoted reports whether a version isn't known to have reached a Secret.
func (d *decision) unpromoted(i int) bool {
	return i >= 0 && (d.status.Keys[i].Phase == v1alpha1.KeyPending || d.status.Keys[i].Phase == v1alpha1.KeySuperseded)
}

// promote makes a version current: it has reached a Secret.
func (d *decision) promote(i int) {
	promoted := d.status.Keys[i]
	promoted.Phase, promoted.NotAfter = v1alpha1.KeyCurrent, nil
	keys := []v1alpha1.KeyVersion{promoted}
	for _, v := range slices.Delete(d.status.Keys, i, i+1) {
		if v.Phase == v1alpha1.KeyCurrent {
			v.Phase, v.NotAfter = v1alpha1.KeyRetiring, d.deadline(Overlap)
		}
		keys = append(keys, v)
	}
	d.status.Keys = keys
}

// dropLost takes out the versions that were lost before they reached a Secret.
func (d *decision) dropLost() {
	d.status.Keys = slices.DeleteFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool {
		return v.Phase == v1alpha1.KeyPending || v.Phase == v1alpha1.KeySuperseded
	})
}

// supersede gives a deadline to a version that is still pending and not in the
// Secret: its raw key was in memory only, and is lost. The write that was to
// deliver it may still land, so it is accepted for a while, unless the API server
// has said that it refused that write.
func (d *decision) supersede() {
	d.status.Keys = slices.DeleteFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool {
		return v.Phase == v1alpha1.KeyPending && v.Digest == d.RefusedDigest
	})
	target, previous := d.heldBy(d.Target), d.heldBy(d.Previous)
	for i := range d.status.Keys {
		v := &d.status.Keys[i]
		if v.Phase == v1alpha1.KeyPending && i != target && i != previous {
			v.Phase, v.NotAfter = v1alpha1.KeySuperseded, d.deadline(SupersededFor)
		}
	}
}

// dropEnded takes out the versions whose deadline has passed.
func (d *decision) dropEnded() {
	d.status.Keys = slices.DeleteFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool {
		return v.NotAfter != nil && !d.Now.Before(v.NotAfter.Time)
	})
}

func (d *decision) current() *v1alpha1.KeyVersion {
	for i := range d.status.Keys {
		if d.status.Keys[i].Phase == v1alpha1.KeyCurrent {
			return &d.status.Keys[i]
		}
	}
	return nil
}

func (d *decision) holds(h Held, v *v1alpha1.KeyVersion) bool {
	return h.Digest != nil && h.Digest.String() == v.Digest
}

func (d *decision) revokedBySpec() bool { return d.Key.Spec.State == v1alpha1.DesiredRevoked }

func (d *decision) suspended() bool { return d.Key.Spec.State == v1alpha1.DesiredSuspended }

func (d *decision) expired() bool {
	return d.Key.Spec.ExpiresAt != nil && !d.Now.Before(d.Key.Spec.ExpiresAt.Time)
}

// standing is the state of a key, whatever else is to be said of it.
func (d *decision) standing() v1alpha1.KeyState {
	switch {
	case d.revokedBySpec():
		return v1alpha1.StateRevoked
	case d.expired():
		return v1alpha1.StateExpired
	case d.current() == nil:
		return v1alpha1.StatePending
	case d.suspended():
		return v1alpha1.StateSuspended
	default:
		return v1alpha1.StateActive
	}
}

// deadline is a time from now, but not after the key's own end.
func (d *decision) deadline(after time.Duration) *metav1.Time {
	t := metav1.NewTime(d.Now.Add(after)).Rfc3339Copy()
	if end := d.Key.Spec.ExpiresAt; end != nil && end.Before(&t) {
		t = *end
	}
	return &t
}

func (d *decision) waiting(reason, message string, again time.Duration) Plan {
	p := d.settle(d.standing(), metav1.ConditionFalse, reason, message)
	if p.Again == 0 || again < p.Again {
		p.Again = again
	}
	return p
}

func (d *decision) settle(state v1alpha1.KeyState, ready metav1.ConditionStatus, reason, message string) Plan {
	d.status.State = state
	d.ready(ready, reason, message)
	return Plan{Step: Settle, Status: d.status, Again: d.nextDeadline()}
}

// nextDeadline is how long until time alone changes something.
func (d *decision) nextDeadline() time.Duration {
	var next time.Duration
	consider := func(t *metav1.Time) {
		if t == nil || !d.Now.Before(t.Time) {
			return
		}
		if in := t.Sub(d.Now); next == 0 || in < next {
			next = in
		}
	}
	consider(d.Key.Spec.ExpiresAt)
	for _, v := range d.status.Keys {
		consider(v.NotAfter)
	}
	return next
}
