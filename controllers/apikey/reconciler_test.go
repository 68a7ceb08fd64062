package apikey

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// TestEmptySpec is the whole outcome of `spec: {}`.
func TestEmptySpec(t *testing.T) {
	w := newWorld(t)
	w.create("shop")
	if result := w.reconcile("shop"); !result.IsZero() {
		t.Errorf("result %+v, want nothing to wait for", result)
	}
	w.wantTold(`Normal Issued the raw key is in Secret "shop"`)

	k, s := w.key("shop"), w.secret("shop")
	raw := key.NewRaw(string(s.Data["api-key"]))
	if !key.Default.Matches(raw) {
		t.Error("the raw key isn't of the default format")
	}
	now := metav1.NewTime(w.clock.Now())
	wantStatus := v1alpha1.APIKeyStatus{
		ObservedGeneration: 1, State: "Active", Hint: raw.Reveal()[:7], SecretName: "shop", SecretPhase: "Present",
		Keys: []v1alpha1.KeyVersion{{Digest: raw.Digest().String(), Hint: raw.Reveal()[:7], Phase: "Current", IssuedAt: now, DeliveredAt: &now}},
		Conditions: []metav1.Condition{{
			Type: "Ready", Status: "True", ObservedGeneration: 1, LastTransitionTime: now, Reason: "Issued", Message: `the raw key is in Secret "shop"`,
		}, {
			Type: "Propagated", Status: "Unknown", ObservedGeneration: 1, LastTransitionTime: now, Reason: "NoAuthServers", Message: "no auth server reports",
		}},
	}
	if diff := cmp.Diff(wantStatus, k.Status); diff != "" {
		t.Errorf("status (-want +got)\n%s", diff)
	}
	wantSecret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop", Namespace: w.namespace,
			Labels: map[string]string{"app.kubernetes.io/managed-by": "apikey-operator", "apikey-operator.dev/apikey-uid": string(k.UID)},
			Annotations: map[string]string{
				"apikey-operator.dev/apikey": "shop", "apikey-operator.dev/digest": raw.Digest().String(),
				"apikey-operator.dev/entry": "api-key", "apikey-operator.dev/issued-at": now.UTC().Format(time.RFC3339),
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apikey-operator.dev/v1alpha1", Kind: "APIKey", Name: "shop", UID: k.UID, Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		Type: "Opaque", Data: map[string][]byte{"api-key": []byte(raw.Reveal())},
	}
	s.UID, s.ResourceVersion, s.CreationTimestamp, s.ManagedFields = "", "", metav1.Time{}, nil
	if diff := cmp.Diff(wantSecret, s); diff != "" {
		t.Errorf("Secret (-want +got)\n%s", diff)
	}

	idle := &fault{}
	idle.run(w, "shop")
	if idle.writes != 0 {
		t.Errorf("a settled APIKey takes %d more writes", idle.writes)
	}
	w.wantTold()
}
