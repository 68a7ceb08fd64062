package apikey

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// refusal is a write of a Secret that the API server has refused for sure.
type refusal struct{ Problem }

// refusedBy makes a Problem with a Secret that was not even sent a refusal.
func refusedBy(err error) error {
	var problem *Problem
	if errors.As(err, &problem) {
		return &refusal{Problem: *problem}
	}
	return err
}

// apply does one step of a plan. Its error may be a refusal.
func (r *Reconciler) apply(ctx context.Context, o Observed, s secrets, p Plan) error {
	if p.Step.writesSecret() {
		if err := r.unchanged(ctx, o.Key); err != nil {
			return err
		}
	}
	switch p.Step {
	case Issue:
		return r.issue(ctx, o, s, p)
	case Deliver:
		return r.deliver(ctx, o, s)
	case Update:
		return r.write(ctx, o, s.inTarget, s.target)
	case Copy:
		return r.write(ctx, o, s.inPrev, s.target)
	case DeleteTarget:
		return r.delete(ctx, o, s.target)
	case DeletePrevious:
		return r.delete(ctx, o, s.previous)
	default:
		return r.writeStatus(ctx, o, p.Status)
	}
}

// unchanged returns a conflict if the APIKey isn't any more what was read before the
// Secret was: a controller that was held up between the two would write an old key
// over a new one, which its resourceVersion, as it was read since, lets through.
func (r *Reconciler) unchanged(ctx context.Context, k *v1alpha1.APIKey) error {
	now := &v1alpha1.APIKey{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(k), now); client.IgnoreNotFound(err) != nil {
		return err
	}
	if now.UID != k.UID || now.ResourceVersion != k.ResourceVersion {
		return apierrors.NewConflict(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "apikeys"}, k.Name, errChanged)
	}
	return nil
}

var errChanged = errors.New("has changed since it was read")

// issue takes the existing key or generates one, and publishes its digest. The raw
// key stays in memory until every auth server accepts it.
func (r *Reconciler) issue(ctx context.Context, o Observed, s secrets, p Plan) error {
	next := issued{raw: s.given, hint: o.Given.Hint, at: seconds(o.Now).Time}
	if next.raw.IsZero() {
		var err error
		if next.raw, err = s.format.Generate(r.Random); err != nil {
			return err
		}
		next.hint = s.format.Hint(next.raw)
	}
	// The Secret's templates see the defaults that are published with its digest.
	o.Key = o.Key.DeepCopy()
	o.Key.Status.Effective = p.Status.Effective
	if _, err := desiredSecret(o.Key, next, s.target); err != nil {
		return refusedBy(err)
	}
	p.Status.Keys = append([]v1alpha1.KeyVersion{{
		Digest: next.raw.Digest().String(), Hint: next.hint, Phase: v1alpha1.KeyPending, IssuedAt: metav1.NewTime(next.at),
	}}, p.Status.Keys...)
	r.memory.take(o.Key, next, o.Now)
	if err := r.writeStatus(ctx, o, p.Status); err != nil {
		return err
	}
	if p.Lost {
		r.Recorder.Eventf(o.Key, nil, corev1.EventTypeWarning, "KeyLost", "Issue", "Secret %q doesn't hold the raw key any more: another one is issued", o.Key.Status.SecretName)
	}
	return nil
}

// deliver writes the raw key in hand to the Secret.
func (r *Reconciler) deliver(ctx context.Context, o Observed, s secrets) error {
	if spread := o.Hand.Spread; !everyone(spread) {
		r.Metrics.Unpropagated.Inc()
		r.Recorder.Eventf(o.Key, nil, corev1.EventTypeWarning, "NotPropagated", "Deliver", "the key is delivered although not all auth servers accept it after %s: %s", DeliverWithin, tell(spread))
	}
	if err := r.write(ctx, o, s.hand, s.target); err != nil {
		return err
	}
	r.Metrics.Propagation.Observe(o.Hand.Waited.Seconds())
	return nil
}

// write creates our Secret, or updates the very one that the decision was made
// on: an update carries its uid and resourceVersion, so that a stalled former
// leader's can't land late.
func (r *Reconciler) write(ctx context.Context, o Observed, i issued, existing *corev1.Secret) error {
	want, err := desiredSecret(o.Key, i, existing)
	if err != nil {
		return refusedBy(err)
	}
	if existing == nil {
		err = r.Client.Create(ctx, want)
	} else {
		err = r.Client.Update(ctx, want)
	}
	return failure(err, "writing", want.Name)
}

// failure tells of a write of a Secret that failed without what the API server
// says of it: an admission plugin may quote the Secret. A conflict stays one.
func failure(err error, doing, name string) error {
	if err == nil || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return err
	}
	told := fmt.Errorf("%s Secret %q: no answer from the API server", doing, name)
	if answer := apierrors.APIStatus(nil); errors.As(err, &answer) {
		told = fmt.Errorf("%s Secret %q: the API server answered %d (%s)", doing, name, answer.Status().Code, answer.Status().Reason)
	}
	if refusedForSure(err) {
		return &refusal{Problem: Problem{Reason: v1alpha1.ReasonWriteFailed, Message: told.Error()}}
	}
	return told
}

// refusedForSure holds for answers after which the write can't have happened.
func refusedForSure(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) ||
		apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsTooManyRequests(err)
}

// delete deletes the very Secret that the decision was made on.
func (r *Reconciler) delete(ctx context.Context, o Observed, s *corev1.Secret) error {
	err := r.Client.Delete(ctx, s, client.Preconditions{UID: &s.UID, ResourceVersion: &s.ResourceVersion})
	if err == nil {
		r.Recorder.Eventf(o.Key, nil, corev1.EventTypeNormal, "SecretDeleted", "Delete", "deleted Secret %q", s.Name)
	}
	return failure(client.IgnoreNotFound(err), "deleting", s.Name)
}

// writeStatus writes status if it changed, with the resourceVersion that the
// decision was made on, and tells of a change of the Ready condition's reason and
// of limits that an issued key has come to exceed.
func (r *Reconciler) writeStatus(ctx context.Context, o Observed, want v1alpha1.APIKeyStatus) error {
	if equality.Semantic.DeepEqual(o.Key.Status, want) {
		return nil
	}
	before := readyReason(&o.Key.Status)
	k := o.Key.DeepCopy()
	k.Status = want
	if err := r.Client.Status().Update(ctx, k); err != nil {
		return err
	}
	if reason := readyReason(&want); reason != before && reason != v1alpha1.ReasonIssuing {
		r.tell(k, v1alpha1.ConditionReady)
	}
	if exceeds(&want) && !exceeds(&o.Key.Status) {
		r.tell(k, v1alpha1.ConditionWithinLimits)
	}
	for _, c := range []struct{ condition, reason string }{
		{v1alpha1.ConditionPreviousKeyInUse, v1alpha1.ReasonEndsInUse},
		{v1alpha1.ConditionPropagated, v1alpha1.ReasonLagging},
		{v1alpha1.ConditionSecretOutdated, v1alpha1.ReasonDelivered},
	} {
		if reasonOf(&want, c.condition) == c.reason && reasonOf(&o.Key.Status, c.condition) != c.reason {
			r.tell(k, c.condition)
		}
	}
	if now, was := currentOf(k), currentOf(o.Key); now != nil && was != nil && now.Digest != was.Digest {
		r.Recorder.Eventf(k, nil, corev1.EventTypeNormal, "Rotated", "Reconcile", "the key is %s now; %s", shown(now), farewell(k, was.Digest))
	}
	return nil
}

// shown is what may be shown of a key.
func shown(v *v1alpha1.KeyVersion) string {
	if v.Hint == "" {
		return "an imported one"
	}
	return v.Hint
}

// farewell says what becomes of a replaced key.
func farewell(k *v1alpha1.APIKey, digest string) string {
	for _, v := range k.Status.Keys {
		if v.Digest == digest && v.NotAfter != nil {
			return fmt.Sprintf("the one before, %s, ends at %s at the latest", shown(&v), text(v.NotAfter.Time))
		}
	}
	return "the one before has ended"
}

func (r *Reconciler) tell(k *v1alpha1.APIKey, condition string) {
	c, kind := meta.FindStatusCondition(k.Status.Conditions, condition), corev1.EventTypeWarning
	if condition == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue {
		kind = corev1.EventTypeNormal
	}
	message := c.Message
	if len(message) > maxNote {
		message = strings.ToValidUTF8(message[:maxNote-len("…")], "") + "…"
	}
	r.Recorder.Eventf(k, nil, kind, c.Reason, "Reconcile", "%s", message)
}

// maxNote is how many bytes the API server takes in an event's note.
const maxNote = 1024
