package apikey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
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

func (d *decision) duplicateMessage() string {
	return fmt.Sprintf("APIKey %s holds the same key for the same API and keeps it: requests count as its own. Bring another key, rotate this one, or delete one of the two", d.Duplicate)
}

// givenKey reads the existing key of an APIKey that hasn't a key yet: the raw key
// where there is one. A Problem says why it can't be used.
func (r *Reconciler) givenKey(ctx context.Context, k *v1alpha1.APIKey, format key.Format) (Given, key.Raw, error) {
	e := k.Spec.ExistingKey
	if e.SHA256 != "" {
		return Given{Digest: compile.HashDigest(e), Hashed: true}, key.Raw{}, nil
	}
	s, err := r.secret(ctx, k.Namespace, e.SecretKeyRef.Name)
	if err != nil {
		return Given{}, key.Raw{}, err
	}
	raw, err := Importable(e.SecretKeyRef, s)
	if err != nil {
		return Given{}, key.Raw{}, err
	}
	return Given{Digest: raw.Digest().String(), Hint: shapedHint(raw, format)}, raw, nil
}

// Importable returns the raw key that a Secret lets others import, nil for a Secret
// that isn't there. Its error is a Problem, and never holds the key.
func Importable(ref *v1alpha1.SecretKeyReference, s *corev1.Secret) (key.Raw, error) {
	switch {
	case s == nil:
		return key.Raw{}, existingKeyProblem(v1alpha1.ReasonExistingKeyNotFound, "there is no Secret %q", ref.Name)
	case s.Labels[v1alpha1.LabelImport] != "true":
		return key.Raw{}, existingKeyProblem(v1alpha1.ReasonImportNotAllowed,
			"Secret %q doesn't carry the label %s: \"true\", which lets its keys be imported", ref.Name, v1alpha1.LabelImport)
	}
	b, ok := s.Data[ref.Key]
	if !ok {
		return key.Raw{}, existingKeyProblem(v1alpha1.ReasonExistingKeyNotFound, "Secret %q has no entry %q", ref.Name, ref.Key)
	}
	raw := key.NewRaw(string(b))
	if err := strong(raw); err != nil {
		return key.Raw{}, existingKeyProblem(v1alpha1.ReasonWeakKey, "entry %q of Secret %q %v", ref.Key, ref.Name, err)
	}
	return raw, nil
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

// rival is an APIKey that holds a key of this one.
type rival struct {
	key    *v1alpha1.APIKey
	digest string
}

// Duplicate names the APIKey of the same API that keeps one of these keys from this
// one, "" if there is none. What this one doesn't hold yet it doesn't get from anybody,
// older or younger; what both hold is the first claim's. A key of which an APIKey knows
// the hash only it never keeps from one that has the key itself. It reads IndexDigest
// of a cache.
func Duplicate(ctx context.Context, cache client.Reader, k *v1alpha1.APIKey, digests ...string) (string, error) {
	var first *rival
	for _, digest := range digests {
		var keys v1alpha1.APIKeyList
		if err := cache.List(ctx, &keys, client.MatchingFields{IndexDigest: digest}, client.UnsafeDisableDeepCopy); err != nil {
			return "", err
		}
		own := rival{k, digest}
		for i := range keys.Items {
			other := rival{&keys.Items[i], digest}
			if other.key.UID == k.UID || compile.APIName(other.key) != compile.APIName(k) {
				continue
			}
			keeps := other.before(own) || !knows(k, digest) && (!other.byHash() || own.byHash())
			if keeps && (first == nil || other.before(*first)) {
				first = &other
			}
		}
	}
	switch {
	case first == nil:
		return "", nil
	case first.key.Namespace != k.Namespace:
		return "of another namespace", nil // whose names are none of this one's business
	default:
		return strconv.Quote(first.key.Name), nil
	}
}

// before orders claims to a key as auth servers do: by hash alone last, then by
// creation, then by name.
func (r rival) before(other rival) bool {
	if r.byHash() != other.byHash() {
		return other.byHash()
	}
	a, b := r.key, other.key
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return client.ObjectKeyFromObject(a).String() < client.ObjectKeyFromObject(b).String()
}

// byHash holds for a claim with nothing but the hash.
func (r rival) byHash() bool { return compile.ByHash(r.key, r.digest) }

// observeExisting reads what there is to say of keys that this APIKey may not have to
// itself: one to be imported or to be adopted with its Secret, and those that it holds.
func (r *Reconciler) observeExisting(ctx context.Context, o *Observed, s *secrets) error {
	k, claims := o.Key, map[string]bool{}
	for _, v := range k.Status.Keys {
		claims[v.Digest] = true
	}
	adopts := len(k.Status.Keys) == 0 && o.Target.Adoptable
	if adopts {
		if err := strong(s.inTarget.raw); err != nil && !s.format.Matches(s.inTarget.raw) {
			o.Target.Adoptable, adopts = false, false
			o.Problem = cmp.Or(o.Problem, &Problem{Reason: v1alpha1.ReasonWeakKey, Message: fmt.Sprintf("the key in Secret %q %v", SecretName(k), err)})
		}
	}
	if adopts {
		claims[o.Target.Digest.String()] = true
	} else if k.Spec.ExistingKey != nil && currentOf(k) == nil && o.Problem == nil && s.known.hand.raw.IsZero() {
		var err error
		if o.Given, s.given, err = r.givenKey(ctx, k, s.format); err != nil && !errors.As(err, &o.Problem) {
			return err
		}
		if o.Given.Digest != "" {
			claims[o.Given.Digest] = true
		}
	}
	var err error
	o.Duplicate, err = Duplicate(ctx, r.Client, k, sortedKeys(claims)...)
	return err
}

// currentOf is an APIKey's current key version, nil if there is none.
func currentOf(k *v1alpha1.APIKey) *v1alpha1.KeyVersion { return policy.Current(k.Status.Keys) }

// orphaned reports whether a Secret says that it was made for an APIKey of this
// name, and that nobody owns it.
func orphaned(k *v1alpha1.APIKey, s *corev1.Secret) bool {
	return len(s.OwnerReferences) == 0 && s.Labels[managedBy] == manager && s.Labels[v1alpha1.LabelAPIKeyUID] != "" &&
		s.Annotations[v1alpha1.AnnotationAPIKey] == k.Name
}

// Belongs says whose a Secret is, as far as its metadata tells: an Orphan may hold
// another key than it says, and is then Foreign.
func Belongs(k *v1alpha1.APIKey, secret metav1.ObjectMeta) Ownership {
	return ownership(k, &corev1.Secret{ObjectMeta: secret})
}
