package apikey

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

// manage runs the reconciler in a manager until the test ends, with a cache that
// holds our Secrets only.
func (w *world) manage() {
	w.Helper()
	label, err := labels.NewRequirement(v1alpha1.LabelAPIKeyUID, selection.Exists, nil)
	w.must(err)
	m, err := ctrl.NewManager(devcluster.For(w.T).Config, ctrl.Options{
		Scheme: newScheme(w.T),
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{w.namespace: {}},
			ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {
				Label: labels.NewSelector().Add(*label), Namespaces: map[string]cache.Config{w.namespace: {}},
			}},
		},
		Controller: config.Controller{SkipNameValidation: new(true)},
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Logger:     ctrl.LoggerFrom(w.logging()),
	})
	w.must(err)
	r := &Reconciler{
		Client: m.GetClient(), Live: m.GetAPIReader(),
		Recorder: m.GetEventRecorder("apikey-operator"), Clock: clock.RealClock{}, Random: rand.Reader,
		Roster: presence.NewRoster(clock.RealClock{}), LeaseNamespace: w.leases, Metrics: NewMetrics(prometheus.NewRegistry()),
	}
	w.must(r.SetupWithManager(w.Context(), m))
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.Errorf("the manager ends with %v", err)
		}
	})
}

// eventuallyReady waits until an APIKey says so of its present generation.
func (w *world) eventuallyReady(name, reason string) {
	w.Helper()
	w.eventually(name+" becomes "+reason, func() bool {
		k := w.key(name)
		return readyReason(&k.Status) == reason && k.Status.ObservedGeneration == k.Generation
	})
}

// TestWatches: what the controller must be told of, it is told of.
func TestWatches(t *testing.T) {
	w := newWorld(t)
	w.create("early", opens("api"))
	w.create("plain")
	w.manage()
	w.eventuallyReady("early", v1alpha1.ReasonAPINotFound)
	w.eventuallyReady("plain", v1alpha1.ReasonIssued)

	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "api"}}
	p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{
		From: "Selector", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"keys": "welcome"}},
	}
	w.must(w.client.Create(w.Context(), p))
	w.eventuallyReady("early", v1alpha1.ReasonNamespaceNotAllowed)
	w.label(map[string]string{"keys": "welcome"})
	w.eventuallyReady("early", v1alpha1.ReasonIssued)

	raw := w.raw("plain")
	w.deleteSecret("plain")
	w.eventually("the lost key is replaced", func() bool { return !w.isGone("plain") && w.raw("plain") != raw })
	w.eventuallyReady("plain", v1alpha1.ReasonIssued)
	raw = w.raw("plain")
	w.changeSecret("plain", func(s *corev1.Secret) { s.Labels = map[string]string{"theirs": "x"} })
	w.eventually("our label is put back", func() bool {
		s := w.secret("plain")
		return s.Labels[v1alpha1.LabelAPIKeyUID] == string(w.key("plain").UID) && s.Labels["theirs"] == "x"
	})
	if w.raw("plain") != raw {
		t.Error("a label was removed, and the raw key has changed")
	}

	w.edit("plain", secretLike(v1alpha1.SecretTemplate{Name: "other"}))
	w.eventually("the Secret is renamed", func() bool { return w.isGone("plain") })
	if w.raw("other") != raw {
		t.Error("the Secret was renamed, and the raw key has changed")
	}
	w.edit("plain", revoked)
	w.eventuallyReady("plain", v1alpha1.ReasonRevoked)
	w.wantNoSecret("other")

	w.must(w.client.Delete(w.Context(), w.key("early")))
	w.eventually("the Secret goes with its APIKey", func() bool { return w.isGone("early") })
	w.wantEvents("plain", "Issued", "SecretDeleted", "Revoked")
	w.wantEvents("early", "APINotFound", "NamespaceNotAllowed", "Issued")
}

// wantEvents waits for the API server's own record.
func (w *world) wantEvents(name string, reasons ...string) {
	w.Helper()
	for _, reason := range reasons {
		w.eventually("an event says "+reason, func() bool {
			var list eventsv1.EventList
			w.must(w.client.List(w.Context(), &list, client.InNamespace(w.namespace)))
			return slices.ContainsFunc(list.Items, func(e eventsv1.Event) bool {
				return e.Regarding.Name == name && e.Reason == reason
			})
		})
	}
}

// TestLongProblems: an event holds up to 1024 bytes, a condition more.
func TestLongProblems(t *testing.T) {
	w := newWorld(t)
	w.manage()
	name := strings.Repeat("x", 1500)
	w.create("key", secretLike(v1alpha1.SecretTemplate{Data: map[string]v1alpha1.Template{"extra": v1alpha1.Template("{{ " + name + " }}")}}))
	w.eventuallyReady("key", v1alpha1.ReasonInvalidTemplate)
	w.wantReady("key", v1alpha1.ReasonInvalidTemplate, "function \"x")
	w.wantEvents("key", v1alpha1.ReasonInvalidTemplate)
}

// TestRefusedIsNotALoop: the API server's refusal is told once, with one key, and
// tried again later: the status that tells of it is no reason to try at once.
func TestRefusedIsNotALoop(t *testing.T) {
	w := newWorld(t)
	w.must(w.client.Create(w.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("0")}},
	}))
	w.eventually("the quota holds", func() bool { return apierrors.IsForbidden(w.dryRun()) })
	w.manage()
	w.create("key")
	w.eventuallyReady("key", v1alpha1.ReasonWriteFailed)
	first := w.key("key")
	// Others are served meanwhile: what would loop has had its time.
	for i := range 5 {
		w.create(fmt.Sprintf("later-%d", i))
		w.eventuallyReady(fmt.Sprintf("later-%d", i), v1alpha1.ReasonWriteFailed)
	}
	if diff := cmp.Diff(first.Status, w.key("key").Status); diff != "" {
		t.Errorf("it goes on (-first +now)\n%s", diff)
	}
}
