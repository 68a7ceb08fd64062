package apikey

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// view is an APIKey and all its Secrets.
type view struct {
	*world
	key     *v1alpha1.APIKey
	secrets []corev1.Secret
}

func (w *world) look(name string) view {
	w.Helper()
	k := w.key(name)
	return view{w, k, w.ours(k)}
}

// rawIn is the raw key in a Secret of ours.
func (v view) rawIn(s corev1.Secret) string {
	return string(s.Data[s.Annotations[v1alpha1.AnnotationEntry]])
}

// wantHeldAreAccepted demands what must hold at any moment: a key that a consumer
// could have read in a Secret of ours is accepted, unless the APIKey is revoked.
func (v view) wantHeldAreAccepted() {
	v.Helper()
	accepted := map[string]bool{}
	for _, k := range v.key.Status.Keys {
		accepted[k.Digest] = k.NotAfter == nil || v.clock.Now().Before(k.NotAfter.Time)
	}
	if n := len(accepted); n > MaxAccepted {
		v.Errorf("%d versions are accepted", n)
	}
	for _, s := range v.secrets {
		if raw := v.rawIn(s); raw != "something-else" {
			v.seen[raw], v.raws[raw] = v.key.Name, true
		}
	}
	for raw, of := range v.seen { // the clock stands still: nothing ends
		if of == v.key.Name && !accepted[key.NewRaw(raw).Digest().String()] && v.key.Spec.State != v1alpha1.DesiredRevoked && !v.endsAtOnce(raw) {
			v.Error("a key that was in the Secret is not accepted")
		}
	}
}

// endsAtOnce holds for keys that were replaced without an overlap.
func (v view) endsAtOnce(raw string) bool {
	r := v.key.Spec.Rotation
	return r != nil && r.Overlap == "0s" && !slices.ContainsFunc(v.secrets, func(s corev1.Secret) bool { return v.rawIn(s) == raw })
}

// wantRight demands the end of every scenario.
func (v view) wantRight() {
	v.Helper()
	got := v.outcomeOf(v.key)
	if v.key.Spec.State == v1alpha1.DesiredRevoked {
		if len(v.secrets) != 0 || !strings.HasPrefix(got, "Revoked | True Revoked | None | ") {
			v.Errorf("revoked, and there are %d Secrets: %s", len(v.secrets), got)
		}
		return
	}
	target := SecretName(v.key)
	if len(v.secrets) != 1 || v.secrets[0].Name != target {
		v.Fatalf("%d Secrets are ours, want %s only", len(v.secrets), target)
	}
	if !strings.HasPrefix(got, "Active | True Issued | Present "+target+" | ") {
		v.Errorf("settled as %s", got)
	}
	held, current := key.NewRaw(v.rawIn(v.secrets[0])).Digest().String(), 0
	for _, k := range v.key.Status.Keys {
		switch {
		case k.Phase == v1alpha1.KeyCurrent && k.NotAfter == nil && k.Digest == held && k.Hint == v.key.Status.Hint:
			current++
		case k.NotAfter == nil || k.Phase == v1alpha1.KeyCurrent || k.Phase == v1alpha1.KeyPending:
			v.Errorf("a version is %s until %v", k.Phase, k.NotAfter)
		}
	}
	if current != 1 {
		v.Errorf("%d versions are current and in the Secret", current)
	}
}

// wantImported demands the source's key, and the source as it was.
func (v view) wantImported() {
	v.Helper()
	v.wantRight()
	source := v.secret(v.key.Spec.ExistingKey.SecretKeyRef.Name)
	if got, want := v.rawIn(v.secrets[0]), string(source.Data["token"]); got != want {
		v.Error("the Secret holds another key than the source")
	}
	if len(source.OwnerReferences) != 0 || len(source.Annotations) != 0 || len(source.Labels) != 1 || len(source.Data) != 1 {
		v.Errorf("the source was changed: %+v", source.ObjectMeta)
	}
}

// wantHashed demands a key without a Secret.
func (v view) wantHashed() {
	v.Helper()
	if got := v.outcomeOf(v.key); got != "Active | True Issued | None | Current" || len(v.secrets) != 0 {
		v.Errorf("%s, %d Secrets", got, len(v.secrets))
	}
}

// wantDelivered demands a key whose Secret is gone, and that works on.
func (v view) wantDelivered() {
	v.Helper()
	if got := v.outcomeOf(v.key); got != "Active | True Issued | Delivered | Current" || len(v.secrets) != 0 {
		v.Errorf("%s, %d Secrets", got, len(v.secrets))
	}
}

// wantNoStrays demands, of the API server itself, that every Secret with our label
// is the wanted one of its APIKey.
func (w *world) wantNoStrays() {
	w.Helper()
	var keys v1alpha1.APIKeyList
	w.must(w.client.List(w.Context(), &keys, client.InNamespace(w.namespace)))
	wanted := map[string]string{}
	for i := range keys.Items {
		if keys.Items[i].Status.SecretPhase == v1alpha1.SecretPresent {
			wanted[SecretName(&keys.Items[i])] = string(keys.Items[i].UID)
		}
	}
	var secrets corev1.SecretList
	w.must(w.client.List(w.Context(), &secrets, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.LabelAPIKeyUID}))
	for _, s := range secrets.Items {
		if len(s.OwnerReferences) == 0 && wanted[s.Name] == "" {
			continue // an orphan that was never adopted
		}
		if owner := metav1.GetControllerOf(&s); owner == nil || wanted[s.Name] != string(owner.UID) {
			w.Errorf("Secret %s is left over", s.Name)
		}
		delete(wanted, s.Name)
	}
	if len(wanted) > 0 {
		w.Errorf("Secrets are missing: %v", wanted)
	}
}

// held is how many raw keys were in Secrets of an APIKey.
func (w *world) held(name string) int {
	n := 0
	for _, of := range w.seen {
		if of == name {
			n++
		}
	}
	return n
}
