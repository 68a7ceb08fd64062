package apikey

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

const (
	// DefaultOverlap is how long a replaced key is still accepted, if nobody says
	// otherwise.
	DefaultOverlap = time.Hour
	// DeliverWithin is how long a key that nobody has another one for waits until
	// every live auth server accepts it.
	DeliverWithin = 30 * time.Second
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
	// Orphan is controlled by nobody, and says by its labels and annotations that it
	// was made for an APIKey of this name and for the raw key in it.
	Orphan
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
	// Hand is the pending key whose raw key this controller can put into the
	// Secret, zero if there is none.
	Hand Hand
	// Given is an existing key that is to be issued instead of a generated one.
	Given Given
	// Duplicate names the older APIKey of the same API that holds an existing key
	// of this one, "" if there is none.
	Duplicate string
	// Spread says who has seen the last change of spec and status.keys, and ChangedAt
	// since when this controller has known of it.
	Spread    presence.Spread
	ChangedAt time.Time
	// Use says what auth servers report of the use of key versions.
	Use Use
	// Refused is why the API server refused a write just now.
	Refused *Problem
	Now     time.Time
}

// Hand is a published key whose raw key is in this controller's memory, or can be
// read again from where it was imported.
type Hand struct {
	Digest string
	// Spread says who accepts it.
	Spread presence.Spread
	// Waited is how long ago it was published.
	Waited time.Duration
}

// Given is an existing key.
type Given struct {
	// Digest is of the key, "" if none is to be issued.
	Digest string
	// Hashed is one of which only the digest is known.
	Hashed bool
	// Hint is set for one that has the shape of the API's keys.
	Hint string
}

// Use says what auth servers report of the use of key versions.
type Use struct {
	// Last is when a version was last used, by digest, to the minute.
	Last map[string]time.Time
	// Known holds if every auth server has reported of late: only then is what isn't
	// reported unused.
	Known bool
}

// Step is the one write to do before looking again.
type Step uint8

const (
	// Settle writes status, if it changed, and ends.
	Settle Step = iota
	// Record writes status and looks again.
	Record
	// Issue takes the given key or generates one, and publishes it as Pending.
	Issue
	// Deliver writes the raw key in hand to the Secret.
	Deliver
	// Update brings the Secret up to date around the raw key that it holds.
	Update
	// Copy writes the raw key of the previous Secret to that of the new name.
	Copy
	// DeleteTarget deletes the Secret.
	DeleteTarget
	// DeletePrevious deletes the Secret of the previous name.
	DeletePrevious
)

// writesSecret holds for steps that write or delete a Secret.
func (s Step) writesSecret() bool { return s >= Deliver }

// Plan is what to do: the status to write and one step.
type Plan struct {
	Step   Step
	Status v1alpha1.APIKeyStatus
	// Again is how soon to look again without being told; zero is never.
	Again time.Duration
	// Lost holds if a key is issued because the one before isn't in its Secret any
	// more.
	Lost bool
}

// settles reports whether there is nothing to look at again: where what is accepted
// has changed, it is to be said yet who has seen that.
func (p Plan) settles(o Observed) bool {
	return p.Step == Settle && (o.Refused != nil || sameVersions(p.Status.Keys, o.Key.Status.Keys))
}

// Decide says what to do next. It is a pure function.
func Decide(o Observed) Plan {
	d := decision{Observed: o, status: *o.Key.Status.DeepCopy()}
	if d.status.SecretPhase == "" {
		d.status.SecretPhase = v1alpha1.SecretNone
	}
	d.supersede()
	d.recordUse()
	if d.revokedBySpec() {
		return d.revoked()
	}
	d.dropEnded()
	d.judge()
	d.schedule = scheduleOf(d.asDecided())
	d.endUnused()
	if d.recordFacts() {
		d.dropEnded() // without an overlap what was replaced has ended
		d.reportPropagation()
		return Plan{Step: Record, Status: d.status}
	}
	return d.next()
}

type decision struct {
	Observed
	status   v1alpha1.APIKeyStatus
	policy   judgement
	schedule schedule
}

// next decides for a key that isn't revoked and whose facts are recorded.
func (d *decision) next() Plan {
	current, inTarget := d.current(), d.inTarget()
	switch {
	case current == nil && d.Duplicate != "":
		return d.waiting(v1alpha1.ReasonDuplicateKey, d.duplicateMessage(), conflictRetry)
	case d.needsSecret() && d.conflict():
		return d.waiting(v1alpha1.ReasonSecretConflict, d.conflictMessage(), conflictRetry)
	case d.needsSecret() && (d.Target.Ownership == Former || d.Target.Terminating):
		return d.waiting(v1alpha1.ReasonSecretTerminating,
			fmt.Sprintf("Secret %q is of a former APIKey or being deleted; waiting for it to go", SecretName(d.Key)), collectionRetry)
	case inTarget && d.shownLongEnough():
		return d.deleteShown()
	case d.expired():
		return d.settle(v1alpha1.StateExpired, metav1.ConditionFalse, v1alpha1.ReasonExpired, d.expiredMessage())
	case d.Problem != nil && polled[d.Problem.Reason]:
		return d.waiting(d.Problem.Reason, d.Problem.Message, conflictRetry)
	case d.Problem != nil:
		return d.settle(d.standing(), metav1.ConditionFalse, d.Problem.Reason, d.Problem.Message)
	case d.unissuable() != nil:
		return d.settle(d.standing(), metav1.ConditionFalse, d.unissuable().Reason, d.unissuable().Message)
	case d.deliverable():
		return d.unlessRefused(Deliver)
	case !d.needsSecret():
		return d.withoutSecret()
	case (inTarget || d.shown()) && d.Previous.Ownership == Ours && !d.Previous.Terminating:
		return d.unlessRefused(DeletePrevious)
	case inTarget && !d.Target.UpToDate:
		return d.unlessRefused(Update)
	case inTarget:
		return d.inPlace()
	case current != nil && !d.shown() && d.Previous.Ownership == Ours && d.holds(d.Previous, current):
		return d.unlessRefused(Copy) // also over another key in a Secret of ours
	case current != nil && d.suspended():
		return d.inPlace() // a suspended key isn't replaced, lost or not
	case d.inHand() >= 0:
		return d.await()
	default:
		return d.issue()
	}
}

// inPlace is a key that is as declared, and may be due for rotation.
func (d *decision) inPlace() Plan {
	switch {
	case d.rotates():
		return d.issue()
	case d.policy.scopes != nil:
		return d.settle(d.standing(), metav1.ConditionFalse, d.policy.scopes.Reason, d.policy.scopes.Message)
	case d.Duplicate != "":
		return d.settle(d.standing(), metav1.ConditionFalse, v1alpha1.ReasonDuplicateKey, d.duplicateMessage())
	case d.suspended():
		return d.settle(v1alpha1.StateSuspended, metav1.ConditionTrue, v1alpha1.ReasonSuspended,
			"suspended as declared; requests are denied until spec.state is Active")
	}
	return d.settle(v1alpha1.StateActive, metav1.ConditionTrue, v1alpha1.ReasonIssued, d.whereabouts())
}

// whereabouts says where the raw key is.
func (d *decision) whereabouts() string {
	switch {
	case d.byHash():
		return "the key is known by its hash; its raw key was never here"
	case d.status.SecretPhase == v1alpha1.SecretDelivered:
		return "the raw key was delivered, and its Secret deleted as declared"
	default:
		return fmt.Sprintf("the raw key is in Secret %q", d.status.SecretName)
	}
}

// issue publishes a key, unless too many are accepted already or the API server
// has just refused its Secret.
func (d *decision) issue() Plan {
	if n := d.accepted(); n >= MaxAccepted {
		return d.settle(d.standing(), metav1.ConditionFalse, v1alpha1.ReasonTooManyVersions,
			fmt.Sprintf("%d key versions are accepted already; the next is issued when one of them ends", n))
	}
	if d.Refused != nil {
		return d.waiting(d.Refused.Reason, d.Refused.Message, conflictRetry)
	}
	first, lost := d.current() == nil, d.current() != nil && !d.held(d.current())
	if first && d.Key.Spec.ExistingKey != nil && d.Given.Digest == "" {
		return d.waiting(v1alpha1.ReasonExistingKeyNotFound, "spec.existingKey: can't be read now; no other key is issued in its place", conflictRetry)
	}
	if !d.owed() {
		// Else it is issued again for what came before: should that key turn up instead
		// of this one, a trigger that is newer has still to rotate.
		d.observeTrigger()
	}
	d.dropMarkers()
	d.status.Keys = slices.DeleteFunc(d.status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Digest == d.Given.Digest }) // it comes again
	if len(d.status.Keys) == 0 {
		d.status.Effective = policy.Resolve(d.Key, d.API, d.Now)
		d.schedule = scheduleOf(d.asDecided())
	}
	if first && d.Given.Hashed {
		return d.acceptHash()
	}
	if first || lost {
		d.ready(metav1.ConditionFalse, v1alpha1.ReasonIssuing, "the raw key is on its way into its Secret")
	}
	d.status.State = d.standing()
	d.status.NextRotationAt = d.schedule.next(d.Now, d.end())
	d.propagating()
	return Plan{Step: Issue, Status: d.status, Lost: lost}
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
	adopted := d.Target.Ownership == Orphan && d.knows(d.Target) // and not marked as ours yet
	target, previous := d.Target.Ownership == Ours || adopted, d.Previous.Ownership == Ours
	switch {
	case target && !d.Target.Terminating:
		return d.unlessRefused(DeleteTarget)
	case previous && !d.Previous.Terminating:
		return d.unlessRefused(DeletePrevious)
	case target || previous:
		return d.waiting(v1alpha1.ReasonSecretTerminating, "revoked: requests are denied; waiting for the Secret to go", collectionRetry)
	}
	d.status.SecretPhase, d.status.SecretName = v1alpha1.SecretNone, ""
	return d.settle(v1alpha1.StateRevoked, metav1.ConditionTrue, v1alpha1.ReasonRevoked,
		"revoked as declared, for good; requests are denied and the Secret is deleted")
}
