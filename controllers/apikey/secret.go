package apikey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

const (
	defaultEntry = "api-key"
	managedBy    = "app.kubernetes.io/managed-by"
	manager      = "apikey-operator"
)

// SecretName is the name of the Secret that an APIKey wants.
func SecretName(k *v1alpha1.APIKey) string {
	if k.Spec.Secret != nil && k.Spec.Secret.Name != "" {
		return k.Spec.Secret.Name
	}
	return k.Name
}

// SecretEntry is the entry of that Secret that holds the raw key.
func SecretEntry(k *v1alpha1.APIKey) string {
	if k.Spec.Secret != nil && k.Spec.Secret.Entry != "" {
		return k.Spec.Secret.Entry
	}
	return defaultEntry
}

// issued is a raw key with what its Secret says of it.
type issued struct {
	raw  key.Raw
	hint string
	at   time.Time
}

// desiredSecret returns the Secret of an APIKey, or a Problem. An existing one
// keeps the labels and annotations that others have put on it.
func desiredSecret(k *v1alpha1.APIKey, i issued, existing *corev1.Secret) (*corev1.Secret, error) {
	s := &corev1.Secret{}
	if existing != nil {
		s = existing.DeepCopy()
	}
	data, err := desiredData(k, i)
	if err != nil {
		return nil, err
	}
	s.Name, s.Namespace = SecretName(k), k.Namespace
	s.Type, s.Data, s.StringData = corev1.SecretTypeOpaque, data, nil
	s.OwnerReferences = ownedBy(k, s.OwnerReferences)
	setMetadata(k, i, s)
	return s, nil
}

func desiredData(k *v1alpha1.APIKey, i issued) (map[string][]byte, error) {
	data := map[string][]byte{SecretEntry(k): []byte(i.raw.Reveal())}
	if k.Spec.Secret == nil {
		return data, nil
	}
	values := newTemplateData(k, i.raw, i.hint)
	for _, entry := range sortedKeys(k.Spec.Secret.Data) {
		b, err := render(string(k.Spec.Secret.Data[entry]), values)
		if err != nil {
			// Around the stand-in it worked; what this error says may hold the key.
			return nil, &Problem{
				Reason:  v1alpha1.ReasonInvalidTemplate,
				Message: fmt.Sprintf("spec.secret.data[%s]: can't be rendered for this raw key", entry),
			}
		}
		data[entry] = b
	}
	return data, nil
}

// applied remembers which labels and annotations came from the APIKey.
type applied struct {
	Labels      []string `json:"labels,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
}

func setMetadata(k *v1alpha1.APIKey, i issued, s *corev1.Secret) {
	var before applied
	if text := s.Annotations[v1alpha1.AnnotationApplied]; json.Unmarshal([]byte(text), &before) != nil {
		before = applied{} // somebody edited it: what it named stays on the Secret
	}
	labels, annotations := maps.Clone(s.Labels), maps.Clone(s.Annotations)
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	for _, name := range before.Labels {
		delete(labels, name)
	}
	for _, name := range before.Annotations {
		delete(annotations, name)
	}
	var now applied
	if t := k.Spec.Secret; t != nil {
		now = applied{Labels: sortedKeys(t.Labels), Annotations: sortedKeys(t.Annotations)}
		for name, v := range t.Labels {
			labels[name] = string(v)
		}
		for name, v := range t.Annotations {
			annotations[name] = string(v)
		}
	}
	labels[managedBy] = manager
	labels[v1alpha1.LabelAPIKeyUID] = string(k.UID)
	annotations[v1alpha1.AnnotationAPIKey] = k.Name
	annotations[v1alpha1.AnnotationDigest] = i.raw.Digest().String()
	annotations[v1alpha1.AnnotationEntry] = SecretEntry(k)
	annotations[v1alpha1.AnnotationIssuedAt] = i.at.UTC().Format(time.RFC3339)
	delete(annotations, v1alpha1.AnnotationApplied)
	if b, err := json.Marshal(now); err == nil && string(b) != "{}" {
		annotations[v1alpha1.AnnotationApplied] = string(b)
	}
	s.Labels, s.Annotations = labels, annotations
}

// ownedBy puts the APIKey first among the owners; as controller there is room
// for one.
func ownedBy(k *v1alpha1.APIKey, owners []metav1.OwnerReference) []metav1.OwnerReference {
	ours := *metav1.NewControllerRef(k, v1alpha1.GroupVersion.WithKind("APIKey"))
	out := []metav1.OwnerReference{ours}
	for _, o := range owners {
		if o.UID != k.UID {
			out = append(out, o)
		}
	}
	return out
}

// held says what a Secret holds, and the raw key in it if the Secret is ours.
func held(k *v1alpha1.APIKey, s *corev1.Secret) (Held, issued) {
	if s == nil {
		return Held{}, issued{}
	}
	h := Held{Ownership: ownership(k, s), Terminating: !s.DeletionTimestamp.IsZero()}
	if h.Ownership != Ours && h.Ownership != Orphan {
		return h, issued{}
	}
	raw := rawIn(k, s)
	if raw.IsZero() {
		if h.Ownership == Orphan {
			h.Ownership = Foreign
		}
		return h, issued{}
	}
	digest := raw.Digest()
	h.Digest = &digest
	at, err := time.Parse(time.RFC3339, s.Annotations[v1alpha1.AnnotationIssuedAt])
	h.Adoptable = err == nil && s.Annotations[v1alpha1.AnnotationDigest] == digest.String() &&
		s.Annotations[v1alpha1.AnnotationAPIKey] == k.Name
	h.IssuedAt = at
	if h.Ownership == Orphan && !h.Adoptable {
		return Held{Ownership: Foreign, Terminating: h.Terminating}, issued{} // it isn't what it says
	}
	return h, issued{raw: raw, at: at}
}

func ownership(k *v1alpha1.APIKey, s *corev1.Secret) Ownership {
	owner := metav1.GetControllerOf(s)
	switch {
	case owner == nil && !orphaned(k, s):
		return Foreign
	case owner == nil && s.Labels[v1alpha1.LabelAPIKeyUID] == string(k.UID):
		return Foreign // somebody took our ownership off: it is theirs now
	case owner == nil:
		return Orphan
	case owner.UID == k.UID:
		return Ours
	case owner.Kind == "APIKey" && owner.Name == k.Name && owner.APIVersion == v1alpha1.GroupVersion.String():
		return Former
	default:
		return Foreign
	}
}

// rawIn returns the raw key in a Secret of ours, zero if there is none. An
// annotation says where it is; should somebody have changed that, it is where spec
// wants it.
func rawIn(k *v1alpha1.APIKey, s *corev1.Secret) key.Raw {
	var found key.Raw
	for _, entry := range []string{SecretEntry(k), s.Annotations[v1alpha1.AnnotationEntry]} {
		if raw := key.NewRaw(string(s.Data[entry])); raw.InBounds() {
			if found = raw; knows(k, raw.Digest().String()) {
				return raw
			}
		}
	}
	return found
}

// knows reports whether a key is one of an APIKey's.
func knows(k *v1alpha1.APIKey, digest string) bool {
	return slices.ContainsFunc(k.Status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Digest == digest })
}

// sameSecret reports whether there is nothing to write.
func sameSecret(a, b *corev1.Secret) bool {
	return a.Type == b.Type && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations) &&
		maps.EqualFunc(a.Data, b.Data, bytes.Equal) && slices.EqualFunc(a.OwnerReferences, b.OwnerReferences, sameOwner)
}

func sameOwner(a, b metav1.OwnerReference) bool {
	return a.UID == b.UID && a.Name == b.Name && a.Kind == b.Kind && a.APIVersion == b.APIVersion
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
