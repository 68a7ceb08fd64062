package apikey

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
)

// limited is a controller that watches some namespaces only.
func (w *world) limited(namespaces ...string) *Reconciler {
	r := w.controller()
	r.Namespaces = namespaces
	return r
}

// TestAPIsOfNamespacesThatAreNotWatched can't be looked for, and the key isn't issued.
func TestAPIsOfNamespacesThatAreNotWatched(t *testing.T) {
	w := newWorld(t)
	apis, elsewhere := w.newNamespace(nil), w.newNamespace(nil)
	all := &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}
	by := func(label, value string) *v1alpha1.AllowedNamespaces {
		return &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{label: value}}}
	}
	for name, p := range map[string]struct {
		namespace string
		allowed   *v1alpha1.AllowedNamespaces
	}{
		"all": {apis, all}, "hidden": {elsewhere, all}, "same": {apis, nil}, "label": {apis, by("team", "x")},
		"name": {apis, by("kubernetes.io/metadata.name", w.namespace)}, "other-name": {apis, by("kubernetes.io/metadata.name", apis)},
	} {
		w.must(w.client.Create(t.Context(), &v1alpha1.ProtectedAPI{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}, Spec: v1alpha1.ProtectedAPISpec{AllowedNamespaces: p.allowed},
		}))
	}
	r := w.limited(w.namespace, apis)
	for _, tt := range []struct {
		name, reason string
		opens        edit
		says         []string
	}{
		{"default", v1alpha1.ReasonIssued, func(*v1alpha1.APIKeySpec) {}, nil},
		{"of-all", v1alpha1.ReasonIssued, opens("all", apis), nil},
		{"of-name", v1alpha1.ReasonIssued, opens("name", apis), nil},
		{"of-none", v1alpha1.ReasonAPINotFound, opens("none", apis), []string{"there is no ProtectedAPI " + apis + "/none"}},
		{"of-hidden", v1alpha1.ReasonAPINotFound, opens("hidden", elsewhere), []string{`doesn't watch namespace "` + elsewhere + `"`, "--namespaces", "requests are denied"}},
		{"of-same", v1alpha1.ReasonNamespaceNotAllowed, opens("same", apis), nil},
		{"of-other-name", v1alpha1.ReasonNamespaceNotAllowed, opens("other-name", apis), nil},
		{"of-label", v1alpha1.ReasonInvalidAPI, opens("label", apis), []string{"see its Ready condition"}},
	} {
		w.create(tt.name, tt.opens)
		w.with(r, tt.name)
		w.wantReady(tt.name, tt.reason, tt.says...)
		if issued := tt.reason == v1alpha1.ReasonIssued; w.isGone(tt.name) == issued || len(w.key(tt.name).Status.Keys) > 0 != issued {
			t.Errorf("%s: a key is issued, or none", tt.name)
		}
	}
	for _, r := range []*Reconciler{w.limited(w.namespace, apis, elsewhere), w.controller()} {
		w.with(r, "of-hidden")
		w.wantReady("of-hidden", v1alpha1.ReasonIssued)
	}
}

// TestRotationWaitsForThoseThatWatchIt: an auth server that doesn't watch the namespace
// holds nothing up, and is named; one that watches all namespaces is waited for, too.
func TestRotationWaitsForThoseThatWatchIt(t *testing.T) {
	w := newWorld(t)
	r := w.limited(w.namespace)
	w.create("key")
	w.with(r, "key")
	first := w.raw("key")
	idle := "idle-" + w.namespace
	w.reportIn("a", map[string]string{w.namespace: w.revision(), idle: "1"})
	w.reportIn("elsewhere", map[string]string{idle: "1"})
	w.report("b", "1")
	w.edit("key", rotation(v1alpha1.Rotation{Trigger: "1", Overlap: "2h"}))
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionRotationPending, "True AwaitingAuthServers", "0 of 2", "not by a, b", "don't watch this namespace: elsewhere")
	w.reportIn("a", map[string]string{w.namespace: w.revision(), idle: "1"})
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionRotationPending, "True AwaitingAuthServers", "1 of 2", "not by b;")
	if w.raw("key") != first {
		t.Fatal("delivered too early")
	}
	w.report("b", w.revision())
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 2h")
	w.reportIn("a", map[string]string{w.namespace: w.revision(), idle: "1"})
	w.report("b", w.revision())
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "True Propagated", "seen by 2 of 2 auth servers", "elsewhere")
}

// TestNobodyWatchesIt: what there is of auth servers may serve others.
func TestNobodyWatchesIt(t *testing.T) {
	w := newWorld(t)
	r := w.limited(w.namespace)
	w.reportIn("elsewhere", map[string]string{"idle-" + w.namespace: "1"})
	w.create("key")
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "Unknown NoAuthServers", "no auth server reports", "don't watch this namespace: elsewhere")
	if reached := r.memory.reached(r.Roster.Floor()); len(reached) > 0 {
		t.Errorf("%v is news of a server that doesn't watch it", reached)
	}
	w.later(time.Second)
	w.reportIn("here", map[string]string{w.namespace: w.revision()})
	w.must(r.readLeases(t.Context()))
	if reached := r.memory.reached(r.Roster.Floor()); len(reached) != 1 || reached[0] != w.named("key") {
		t.Errorf("%v is news of a server that watches it", reached)
	}
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "True Propagated", "seen by 1 of 1")
}

// reportIn lets an auth server say how far it is in the namespaces that it watches.
func (w *world) reportIn(server string, seen map[string]string) {
	w.Helper()
	w.put(presence.Report{Identity: server, Renewed: w.clock.Now(), SeenIn: seen})
}
