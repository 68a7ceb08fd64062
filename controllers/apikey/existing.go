package apikey

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// minLength and minVariety are the least that a key of somebody else's making must
// have: characters, and different ones.
const minLength, minVariety = 20, 8

// strong says what is wrong with a raw key of somebody else's making, without
// showing it, or nothing.
func strong(raw key.Raw) error {
	text := raw.Reveal()
	if !raw.InBounds() {
		return errors.New("must be 1 to 512 visible ASCII characters, with no space, and no newline at the end")
	}
	different := map[rune]bool{}
	for _, c := range text {
		different[c] = true
	}
	if len(text) < minLength || len(different) < minVariety {
		return fmt.Errorf("must have at least %d characters, and %d different ones", minLength, minVariety)
	}
	return nil
}

// hashed is the digest of a key that is known by its hash.
func hashed(e *v1alpha1.ExistingKey) string { return "sha256:" + e.SHA256 }

// acceptHash accepts a key of which only the digest is known: somebody holds it
// already, and nothing is to be delivered.
func (d *decision) acceptHash() Plan {
	d.status.Keys = append([]v1alpha1.KeyVersion{{
		Digest: d.Given.Digest, Phase: v1alpha1.KeyCurrent, IssuedAt: seconds(d.Now),
	}}, d.status.Keys...)
	d.status.Hint = ""
	d.status.State = d.standing()
	d.ready(metav1.ConditionFalse, v1alpha1.ReasonIssuing, "the key is being imported")
	d.reportPropagation()
	return Plan{Step: Record, Status: d.status}
}

// duplicated holds for a key that an older APIKey keeps to itself.
func (d *decision) duplicated() bool { return d.Duplicate != "" }

func (d *decision) duplicateMessage() string {
	return fmt.Sprintf("APIKey %s is older and holds the same key for the same API: it keeps it, and requests count as its own; bring another key, or delete one of the two", d.Duplicate)
}

// givenKey reads the existing key of an APIKey that hasn't a key yet: the raw key
// where there is one. A Problem says why it can't be used.
func (r *Reconciler) givenKey(ctx context.Context, k *v1alpha1.APIKey, format key.Format) (Given, key.Raw, error) {
	e := k.Spec.ExistingKey
	if e.SHA256 != "" {
		return Given{Digest: hashed(e), Hashed: true}, key.Raw{}, nil
	}
	ref := e.SecretKeyRef
	s, err := r.secret(ctx, k.Namespace, ref.Name)
	switch {
	case err != nil:
		return Given{}, key.Raw{}, err
	case s == nil:
		return Given{}, key.Raw{}, existingKeyProblem(v1alpha1.ReasonExistingKeyNotFound, "there is no Secret %q", ref.Name)
	case s.Labels[v1alpha1.LabelImport] != "true":
		return Given{}, key.Raw{}, existingKeyProblem(v1alpha1.ReasonImportNotAllowed,
			"Secret %q doesn't carry the label %s: \"true\", which lets its keys be imported", ref.Name, v1alpha1.LabelImport)
	}
	b, ok := s.Data[ref.Key]
	if !ok {
		return Given{}, key.Raw{}, existingKeyProblem(v1alpha1.ReasonExistingKeyNotFound, "Secret %q has no entry %q", ref.Name, ref.Key)
	}
	raw := key.NewRaw(string(b))
	if err := strong(raw); err != nil {
		return Given{}, key.Raw{}, existingKeyProblem(v1alpha1.ReasonWeakKey, "entry %q of Secret %q %v", ref.Key, ref.Name, err)
	}
	return Given{Digest: raw.Digest().String(), Hint: shapedHint(raw, format)}, raw, nil
}

// polled are the problems with Secrets of others, of which no watch tells.
var polled = map[string]bool{
	v1alpha1.ReasonExistingKeyNotFound: true, v1alpha1.ReasonImportNotAllowed: true, v1alpha1.ReasonWeakKey: true,
}

func existingKeyProblem(reason, format string, args ...any) *Problem {
	return &Problem{Reason: reason, Message: "spec.existingKey.secretKeyRef: " + fmt.Sprintf(format, args...)}
}

// shapedHint is the hint of a key that has the API's shape: of another nobody
// knows which part may be shown.
func shapedHint(raw key.Raw, format key.Format) string {
	if !format.Matches(raw) {
		return ""
	}
	return format.Hint(raw)
}

// duplicate names the oldest APIKey of the same API that is older than this one
// and holds one of these digests, "" if there is none.
func (r *Reconciler) duplicate(ctx context.Context, k *v1alpha1.APIKey, digests ...string) (string, error) {
	var oldest *v1alpha1.APIKey
	for _, digest := range digests {
		var keys v1alpha1.APIKeyList
		if err := r.Client.List(ctx, &keys, client.MatchingFields{IndexDigest: digest}, client.UnsafeDisableDeepCopy); err != nil {
			return "", err
		}
		for i := range keys.Items {
			other := &keys.Items[i]
			if other.UID != k.UID && compile.APIName(other) == compile.APIName(k) && older(other, k) && (oldest == nil || older(other, oldest)) {
				oldest = other
			}
		}
	}
	if oldest == nil {
		return "", nil
	}
	return client.ObjectKeyFromObject(oldest).String(), nil
}

// older orders APIKeys as auth servers do: by creation, then by name.
func older(a, b *v1alpha1.APIKey) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return client.ObjectKeyFromObject(a).String() < client.ObjectKeyFromObject(b).String()
}

// observeExisting reads what there is to say of a key that wasn't generated here:
// one to be imported, imported, or to be adopted with its Secret.
func (r *Reconciler) observeExisting(ctx context.Context, o *Observed, s *secrets) error {
	k := o.Key
	var digests []string
	if len(k.Status.Keys) == 0 && o.Target.Adoptable {
		digests = append(digests, o.Target.Digest.String())
	}
	if e := k.Spec.ExistingKey; e != nil {
		if currentOf(k) == nil && len(digests) == 0 && o.Problem == nil && s.known.hand.raw.IsZero() {
			var err error
			if o.Given, s.given, err = r.givenKey(ctx, k, s.format); err != nil && !errors.As(err, &o.Problem) {
				return err
			}
			if o.Given.Digest != "" {
				digests = append(digests, o.Given.Digest)
			}
		}
		for _, v := range k.Status.Keys {
			digests = append(digests, v.Digest)
		}
	}
	var err error
	o.Duplicate, err = r.duplicate(ctx, k, digests...)
	return err
}

// currentOf is the current key version, nil if there is none.
func currentOf(k *v1alpha1.APIKey) *v1alpha1.KeyVersion {
	for i := range k.Status.Keys {
		if k.Status.Keys[i].Phase == v1alpha1.KeyCurrent {
			return &k.Status.Keys[i]
		}
	}
	return nil
}

// orphaned reports whether a Secret says that it was made for an APIKey of this
// name, and that nobody owns it.
func orphaned(k *v1alpha1.APIKey, s *corev1.Secret) bool {
	return len(s.OwnerReferences) == 0 && s.Labels[managedBy] == manager && s.Labels[v1alpha1.LabelAPIKeyUID] != "" &&
		s.Annotations[v1alpha1.AnnotationAPIKey] == k.Name
}
