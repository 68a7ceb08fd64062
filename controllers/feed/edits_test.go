package feed

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// found is what a raw key of the default API is found to be.
func (w *world) found(raw string) (keyring.Match, bool) {
	return w.ring.Find(keyring.DefaultAPI, key.NewRaw(raw).Digest())
}

// TestEdits: every edit of spec and of status.keys reaches the ring, and a broken
// object beside it disturbs nothing.
func TestEdits(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.namespace("feed", nil)
	w.start()
	k := w.issue("edited", "raw-edited", v1alpha1.APIKeySpec{})
	w.until("issued", func() bool { return w.state("raw-edited") == int(keyring.Active) })
	broken := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: "feed", Name: "broken"}, Spec: v1alpha1.ProtectedAPISpec{
		AllowedNamespaces: &v1alpha1.AllowedNamespaces{
			From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}},
		},
	}}
	w.must(w.client.Create(ctx, broken))
	w.until("broken", func() bool {
		api, ok := w.ring.API(keyring.Name{Namespace: "feed", Name: "broken"})
		return ok && api.Err != nil
	})

	k.Spec.Scopes = []v1alpha1.Scope{"READ"}
	k.Spec.AllowedIPs = []v1alpha1.IPBlock{"192.0.2.0/24"}
	k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 5, Period: "1m"}
	w.must(w.client.Update(ctx, k))
	w.until("the edit", func() bool {
		m, ok := w.found("raw-edited")
		return ok && m.Key.Scopes.Grant("READ") && len(m.Key.AllowedIPs) == 1 && m.Key.Limit.Requests == 5
	})

	// The next version is accepted beside the one that retires.
	k.Status.Keys = append([]v1alpha1.KeyVersion{{
		Digest: key.NewRaw("raw-next").Digest().String(), Phase: v1alpha1.KeyPending, IssuedAt: metav1.Now(),
	}}, k.Status.Keys...)
	w.must(w.client.Status().Update(ctx, k))
	w.until("pending is accepted", func() bool { _, ok := w.found("raw-next"); return ok })
	end := metav1.Now().Rfc3339Copy()
	k.Status.Keys[1].NotAfter = &end
	w.must(w.client.Status().Update(ctx, k))
	w.until("the deadline", func() bool {
		m, ok := w.found("raw-edited")
		return ok && m.Version.NotAfter == keyring.At(end.Time)
	})
	k.Status.Keys = k.Status.Keys[:1]
	w.must(w.client.Status().Update(ctx, k))
	w.until("dropped", func() bool { _, ok := w.found("raw-edited"); return !ok })

	// Another APIKey of the same name is another one.
	w.must(w.client.Delete(ctx, k))
	again := w.issue("edited", "raw-again", v1alpha1.APIKeySpec{})
	w.until("recreated", func() bool {
		m, ok := w.found("raw-again")
		_, former := w.found("raw-next")
		return ok && !former && m.Key.UID == string(again.UID) && len(m.Key.Scopes) == 0
	})
	w.must(client.IgnoreNotFound(w.client.Delete(ctx, broken)))
}
