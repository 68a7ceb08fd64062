package apikey

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
)

// shown reports whether the raw key was there for secret.deleteAfter, and its
// Secret is gone or goes by our own hand: the key isn't lost.
func (d *decision) shown() bool {
	phase := d.status.SecretPhase
	return (phase == v1alpha1.SecretDeleting || phase == v1alpha1.SecretDelivered) && d.current() != nil && !d.inTarget()
}

// byHash reports whether the current key is an imported one of which only the
// digest is known.
func (d *decision) byHash() bool {
	current := d.current()
	return current != nil && compile.ByHash(d.Key, current.Digest)
}

// needsSecret reports whether there must be a Secret: but for a key that was shown
// or is known by its hash, until it rotates.
func (d *decision) needsSecret() bool {
	return !d.byHash() && !d.shown() || d.inHand() >= 0 || d.rotates()
}

// deletionDue is when the Secret has been there for long enough, nil if never.
func (d *decision) deletionDue() *metav1.Time {
	t, current := d.Key.Spec.Secret, d.current()
	if t == nil || t.DeleteAfter == "" || current == nil || current.DeliveredAt == nil || !d.inTarget() {
		return nil
	}
	due := metav1.NewTime(current.DeliveredAt.Add(policy.Length(t.DeleteAfter)))
	return &due
}

func (d *decision) shownLongEnough() bool {
	due := d.deletionDue()
	return due != nil && !d.Now.Before(due.Time)
}

// deleteShown deletes the Secret after the intent to do so is in status, so that
// a key whose Secret is gone by then isn't taken for lost.
func (d *decision) deleteShown() Plan {
	if d.status.SecretPhase != v1alpha1.SecretDeleting {
		d.status.SecretPhase, d.status.DeliveredSecret = v1alpha1.SecretDeleting, templateDigest(d.Key)
		return Plan{Step: Record, Status: d.status}
	}
	return d.unlessRefused(DeleteTarget)
}

// withoutSecret is a key that works on with no Secret: what is left of it goes.
func (d *decision) withoutSecret() Plan {
	ours := d.Target.Ownership == Ours
	switch {
	case ours && !d.Target.Terminating:
		return d.unlessRefused(DeleteTarget)
	case d.Previous.Ownership == Ours && !d.Previous.Terminating:
		return d.unlessRefused(DeletePrevious)
	case ours || d.Previous.Ownership == Ours:
		p := d.inPlace()
		p.Again = collectionRetry // of their end no watch tells
		return p
	}
	if d.status.SecretPhase == v1alpha1.SecretDeleting {
		d.status.SecretPhase = v1alpha1.SecretDelivered
	}
	d.status.SecretName = ""
	return d.inPlace()
}

// reportOutdated says that spec.secret was changed after the raw key went.
func (d *decision) reportOutdated() {
	if d.status.SecretPhase != v1alpha1.SecretDelivered || d.status.DeliveredSecret == templateDigest(d.Key) {
		d.clear(v1alpha1.ConditionSecretOutdated)
		return
	}
	d.set(v1alpha1.ConditionSecretOutdated, metav1.ConditionTrue, v1alpha1.ReasonDelivered,
		"spec.secret was changed after the raw key was delivered and its Secret deleted; it takes effect with the next rotation")
}

// templateDigest tells one spec.secret from another.
func templateDigest(k *v1alpha1.APIKey) string {
	var t v1alpha1.SecretTemplate
	if k.Spec.Secret != nil {
		t = *k.Spec.Secret
	}
	b, err := json.Marshal(t) // maps in the order of their keys
	if err != nil {
		return "" // strings and maps of strings can be marshalled
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
