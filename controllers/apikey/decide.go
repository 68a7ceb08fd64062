package apikey

import (
	"fmt"
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
	// API is what the key opens, nil for the default API and for one that can't be
	// read, which is then the Problem.
	API *v1alpha1.ProtectedAPISpec
	// Target is the Secret of the wanted name; Previous another one of ours, the
	// most useful one.
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
	// Copy writes the raw key of the previous Secret to that of the new name.
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
	d.supersede()
	if d.revokedBySpec() {
		return d.revoked()
	}
	d.dropEnded()
	d.judge()
	if d.recordFacts() {
		return Plan{Step: Record, Status: d.status}
	}
	return d.next()
}

type decision struct {
	Observed
	status v1alpha1.APIKeyStatus
	policy judgement
}

// next decides for a key that isn't revoked and whose facts are recorded.
func (d *decision) next() Plan {
	current, inTarget := d.current(), d.inTarget()
	switch {
	case d.Target.Ownership == Foreign:
		return d.waiting(v1alpha1.ReasonSecretConflict,
			fmt.Sprintf("Secret %q belongs to somebody else and is not touched: delete it, or choose another spec.secret.name", SecretName(d.Key)), conflictRetry)
	case d.Target.Ownership == Former || d.Target.Terminating:
		return d.waiting(v1alpha1.ReasonSecretTerminating,
			fmt.Sprintf("Secret %q is of a former APIKey or being deleted; waiting for it to go", SecretName(d.Key)), collectionRetry)
	case d.expired():
		return d.settle(v1alpha1.StateExpired, metav1.ConditionFalse, v1alpha1.ReasonExpired, d.expiredMessage())
	case d.Problem != nil:
		return d.settle(d.standing(), metav1.ConditionFalse, d.Problem.Reason, d.Problem.Message)
	case d.unissuable() != nil:
		return d.settle(d.standing(), metav1.ConditionFalse, d.unissuable().Reason, d.unissuable().Message)
	case inTarget && d.Previous.Ownership == Ours && !d.Previous.Terminating:
		return d.unlessRefused(DeletePrevious)
	case inTarget && !d.Target.UpToDate:
		return d.unlessRefused(Update)
	case inTarget:
		return d.inPlace()
	case current != nil && d.Previous.Ownership == Ours && d.holds(d.Previous, current):
		return d.unlessRefused(Copy) // also over another key in a Secret of ours
	case current != nil && d.suspended():
		return d.inPlace() // a suspended key isn't replaced, lost or not
	default:
		return d.issue()
	}
}

// inPlace is a key that is as declared.
func (d *decision) inPlace() Plan {
	switch {
	case d.policy.scopes != nil:
		return d.settle(d.standing(), metav1.ConditionFalse, d.policy.scopes.Reason, d.policy.scopes.Message)
	case d.suspended():
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
	if len(d.status.Keys) == 0 && d.Refused == nil {
		d.status.Effective = resolve(d.Key, d.API, d.Now)
	}
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

func (d *decision) revokedBySpec() bool { return d.Key.Spec.State == v1alpha1.DesiredRevoked }

func (d *decision) suspended() bool { return d.Key.Spec.State == v1alpha1.DesiredSuspended }

func (d *decision) expired() bool {
	end := d.end()
	return end != nil && !d.Now.Before(end.Time)
}

func (d *decision) expiredMessage() string {
	if d.Key.Spec.ExpiresAt == nil {
		return "status.effective.expiresAt, the API's default, has passed; requests are denied. Set a later spec.expiresAt to use the key again"
	}
	return "spec.expiresAt has passed; requests are denied. Set a later one to use the key again"
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
	d.reportLimits()
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
	consider(d.end())
	for _, v := range d.status.Keys {
		consider(v.NotAfter)
	}
	return next
}
