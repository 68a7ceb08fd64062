package apikey

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// TestForeignSecret: a Secret that isn't ours is never touched, whoever made it
// and whatever it looks like.
func TestForeignSecret(t *testing.T) {
	w := newWorld(t)
	w.create("other")
	w.reconcile("other")
	other := w.key("other")
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "of-another-kind"}}
	w.must(w.client.Create(w.Context(), owner))
	for _, row := range []struct {
		name   string
		secret corev1.Secret
	}{
		{"plain", corev1.Secret{Data: map[string][]byte{"api-key": []byte("theirs")}}},
		{"with-our-label", corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{managedBy: manager, v1alpha1.LabelAPIKeyUID: "x"}},
		}},
		{"with-our-annotations", corev1.Secret{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			v1alpha1.AnnotationAPIKey: "with-our-annotations", v1alpha1.AnnotationEntry: "api-key",
		}}}},
		{"of-another-kind", corev1.Secret{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, Controller: new(true)},
		}}}},
		{"of-another-apikey", corev1.Secret{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(other, v1alpha1.GroupVersion.WithKind("APIKey")),
		}}}},
		{"of-another-type", corev1.Secret{Type: corev1.SecretTypeBasicAuth, Data: map[string][]byte{"username": nil, "password": nil}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			w.told = nil
			s := row.secret
			s.Namespace, s.Name = w.namespace, row.name
			w.must(w.client.Create(w.Context(), &s))
			w.create(row.name)
			if result := w.reconcile(row.name); result.RequeueAfter != conflictRetry {
				t.Errorf("looks again in %v, want %v", result.RequeueAfter, conflictRetry)
			}
			w.want(row.name, "Pending | False SecretConflict | None | ")
			w.wantReady(row.name, "SecretConflict", row.name, "not touched", "spec.secret.name")
			w.wantTold("Warning SecretConflict")
			w.edit(row.name, revoked)
			w.reconcile(row.name)
			if diff := cmp.Diff(&s, w.secret(row.name), ignoreType); diff != "" {
				t.Errorf("the Secret has changed:\n%s", diff)
			}
		})
	}
}

// TestConflictEnds: when the other Secret goes, or another name is chosen.
func TestConflictEnds(t *testing.T) {
	w := newWorld(t)
	w.must(w.client.Create(w.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "taken"}}))
	taken := w.secret("taken")
	w.create("a", secretLike(v1alpha1.SecretTemplate{Name: "taken"}))
	w.reconcile("a")
	w.want("a", "Pending | False SecretConflict | None | ")
	w.edit("a", secretLike(v1alpha1.SecretTemplate{Name: "free"}))
	w.reconcile("a")
	w.want("a", "Active | True Issued | Present free | Current")

	// An issued key stays where it is until the name is free.
	raw := w.raw("free")
	w.edit("a", secretLike(v1alpha1.SecretTemplate{Name: "taken"}))
	w.reconcile("a")
	w.want("a", "Active | False SecretConflict | Present free | Current")
	w.wantSame(taken)
	if w.raw("free") != raw {
		t.Error("the raw key has changed")
	}
	w.deleteSecret("taken")
	w.reconcile("a")
	w.want("a", "Active | True Issued | Present taken | Current")
	w.wantNoSecret("free")
	if w.raw("taken") != raw {
		t.Error("the raw key has changed")
	}
}

// TestOneNameForTwo: the second APIKey with a Secret's name says so, and the first
// isn't disturbed.
func TestOneNameForTwo(t *testing.T) {
	w := newWorld(t)
	shared := secretLike(v1alpha1.SecretTemplate{Name: "shared"})
	w.create("first", shared)
	w.create("second", shared)
	w.reconcile("first")
	s := w.secret("shared")
	w.reconcile("second")
	w.reconcile("first")
	w.want("first", "Active | True Issued | Present shared | Current")
	w.want("second", "Pending | False SecretConflict | None | ")
	w.wantSame(s)
	w.edit("first", revoked)
	w.reconcile("first")
	w.reconcile("second")
	w.want("second", "Active | True Issued | Present shared | Current")
	w.reconcile("first")
	w.want("first", "Revoked | True Revoked | None | Current")
	if w.raw("shared") == string(s.Data["api-key"]) {
		t.Error("the second got the first one's key")
	}
}

// TestTakenOver: our Secret with our owner reference taken off isn't ours.
func TestTakenOver(t *testing.T) {
	w := newWorld(t)
	w.create("key")
	w.reconcile("key")
	w.changeSecret("key", func(s *corev1.Secret) { s.OwnerReferences = nil })
	s := w.secret("key")
	w.reconcile("key")
	w.want("key", "Active | False SecretConflict | Present key | Current")
	w.edit("key", revoked)
	w.reconcile("key")
	w.want("key", "Revoked | True Revoked | None | Current")
	w.wantSame(s)
}
