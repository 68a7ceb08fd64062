package protectedapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

// gate notes requests that reach over namespaces, and those that were refused.
type gate struct {
	next http.RoundTripper

	mu    sync.Mutex
	wrong []string
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := g.next.RoundTrip(r)
	discovery := r.URL.Path == "/api" || r.URL.Path == "/apis" || len(strings.Split(strings.Trim(r.URL.Path, "/"), "/")) <= 3 && !strings.HasPrefix(r.URL.Path, "/api/v1/")
	wrong := ""
	switch {
	case !discovery && !strings.Contains(r.URL.Path, "/namespaces/"):
		wrong = "in all namespaces"
	case err == nil && response.StatusCode == http.StatusForbidden:
		wrong = "refused"
	}
	if wrong != "" {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.wrong = append(g.wrong, r.Method+" "+r.URL.Path+": "+wrong)
	}
	return response, err
}

// watching is what the controller may do in each namespace that it watches, and home
// what it may do in its own.
var (
	watching = []rbacv1.PolicyRule{
		{APIGroups: []string{"apikey-operator.dev"}, Resources: []string{"apikeys", "protectedapis"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"apikey-operator.dev"}, Resources: []string{"apikeys/status", "protectedapis/status", "apikeys/finalizers"}, Verbs: []string{"update"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch", "create", "update", "delete"}},
		{APIGroups: []string{"events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	}
	home = []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "list", "watch", "create", "delete"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{"apikey-operator-controller"}, Verbs: []string{"update"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	}
)

// newLimited is a world whose controllers watch some namespaces, by Roles only, and
// have their Leases in one of their own.
func newLimited(t *testing.T, own string, namespaces ...string) (*world, *gate) {
	t.Helper()
	w := &world{T: t}
	scheme := runtime.NewScheme()
	w.must(clientgoscheme.AddToScheme(scheme))
	w.must(v1alpha1.AddToScheme(scheme))
	var err error
	w.client, err = client.New(devcluster.For(t).Config, client.Options{Scheme: scheme})
	w.must(err)
	watched := map[string]cache.Config{}
	for namespace, rules := range map[string][]rbacv1.PolicyRule{own: home, namespaces[0]: watching, namespaces[1]: watching} {
		w.must(w.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
		name := metav1.ObjectMeta{Namespace: namespace, Name: "controller"}
		w.must(w.client.Create(t.Context(), &rbacv1.Role{ObjectMeta: name, Rules: rules}))
		w.must(w.client.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: own, Name: "controller"}},
		}))
		if namespace != own {
			watched[namespace] = cache.Config{}
		}
	}
	as, err := devcluster.For(t).ConfigFor("system:serviceaccount:" + own + ":controller")
	w.must(err)
	g := &gate{}
	as.Wrap(func(next http.RoundTripper) http.RoundTripper { g.next = next; return g })
	w.manage(as, scheme, own, watched, namespaces)
	return w, g
}

// manage runs the controllers until the test is over.
func (w *world) manage(as *rest.Config, scheme *runtime.Scheme, own string, watched map[string]cache.Config, namespaces []string) {
	w.Helper()
	ours, err := labels.NewRequirement(v1alpha1.LabelAPIKeyUID, selection.Exists, nil)
	w.must(err)
	m, err := ctrl.NewManager(as, ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{
			DefaultNamespaces: watched,
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}:        {Label: labels.NewSelector().Add(*ours)},
				&coordinationv1.Lease{}: {Namespaces: map[string]cache.Config{own: {}}, Label: labels.SelectorFromSet(presence.Labels())},
			},
		},
		Controller:     config.Controller{SkipNameValidation: new(true)},
		Metrics:        metricsserver.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "apikey-operator-controller", LeaderElectionNamespace: own, LeaderElectionReleaseOnCancel: true,
	})
	w.must(err)
	w.must((&Reconciler{Client: m.GetClient(), Namespaces: namespaces, Clock: clock.RealClock{}}).SetupWithManager(m))
	w.must((&apikey.Reconciler{
		Client: m.GetClient(), Live: m.GetAPIReader(), Namespaces: namespaces,
		Recorder: m.GetEventRecorder("test"), Clock: clock.RealClock{}, Random: rand.Reader,
		Roster: presence.NewRoster(clock.RealClock{}), LeaseNamespace: own, Metrics: apikey.NewMetrics(prometheus.NewRegistry()),
	}).SetupWithManager(w.Context(), m))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	w.Cleanup(func() {
		cancel()
		w.must(<-ended)
	})
}

// eventuallyReady waits until an APIKey says so, and that it says some words.
func (w *world) eventuallyReady(k *v1alpha1.APIKey, reason, says string) {
	w.Helper()
	var got metav1.Condition
	err := wait.PollUntilContextTimeout(w.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		if err := w.client.Get(ctx, client.ObjectKeyFromObject(k), k); err != nil {
			return false, err
		}
		if c := meta.FindStatusCondition(k.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			got = *c
		}
		return got.Reason == reason, nil
	})
	if err != nil || !strings.Contains(got.Message, says) {
		w.Errorf("%s/%s: %s: %s; want %s, which says %q", k.Namespace, k.Name, got.Reason, got.Message, reason, says)
	}
}

func (w *world) keyOf(namespace, name, apiNamespace, api string) *v1alpha1.APIKey {
	w.Helper()
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	k.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Namespace: apiNamespace, Name: api}
	w.must(w.client.Create(w.Context(), k))
	return k
}

// TestControllersWithRolesOnly issue keys in two namespaces, also for an API of the
// other if it consents, ask for nothing in all namespaces or beyond their rights, and
// leave a third alone.
func TestControllersWithRolesOnly(t *testing.T) {
	const own, apis, apps, third = "limited-system", "limited-apis", "limited-apps", "limited-third"
	w, g := newLimited(t, own, apis, apps)
	w.must(w.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: third, Labels: map[string]string{"team": "x"}}}))
	allow := func(a v1alpha1.AllowedNamespaces) v1alpha1.ProtectedAPISpec {
		return v1alpha1.ProtectedAPISpec{AllowedNamespaces: &a}
	}
	by := func(label, value string) v1alpha1.ProtectedAPISpec {
		return allow(v1alpha1.AllowedNamespaces{From: "Selector", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{label: value}}})
	}
	hidden := w.create(third, "hidden", allow(v1alpha1.AllowedNamespaces{From: "All"}))
	unseen := w.keyOf(third, "unseen", apis, "all")
	all := w.create(apis, "all", allow(v1alpha1.AllowedNamespaces{From: "All"}))
	byName := w.create(apis, "by-name", by("kubernetes.io/metadata.name", apps))
	byLabel := w.create(apis, "by-label", by("team", "x"))

	w.eventuallyReady(w.keyOf(apis, "local", "", "all"), v1alpha1.ReasonIssued, "")
	guest := w.keyOf(apps, "guest", apis, "all")
	w.eventuallyReady(guest, v1alpha1.ReasonIssued, "")
	w.eventuallyReady(w.keyOf(apps, "by-name", apis, "by-name"), v1alpha1.ReasonIssued, "")
	w.eventuallyReady(w.keyOf(apis, "by-name", "", "by-name"), v1alpha1.ReasonNamespaceNotAllowed, "")
	w.eventuallyReady(w.keyOf(apps, "by-label", apis, "by-label"), v1alpha1.ReasonInvalidAPI, "see its Ready condition")
	w.eventuallyReady(w.keyOf(apps, "hidden", third, "hidden"), v1alpha1.ReasonAPINotFound, "doesn't watch namespace")

	// A count comes with the next look at the API.
	for _, p := range []*v1alpha1.ProtectedAPI{all, byName, byLabel} {
		w.edit(p, func(s *v1alpha1.ProtectedAPISpec) { s.PlainHTTP = v1alpha1.Deny })
	}
	w.eventually(all, 2, with())
	w.eventually(byName, 1, with())
	w.eventually(byLabel, 0, with("Ready", "False InvalidSelector", "Stalled", "True InvalidSelector"))
	if c := meta.FindStatusCondition(byLabel.Status.Conditions, "Ready"); !strings.Contains(c.Message, "--namespaces") || !strings.Contains(c.Message, "nobody is let in") {
		t.Errorf("of a selector that can't be evaluated it says %q", c.Message)
	}

	// A rotation, so that Secrets are written again and status twice.
	w.must(w.client.Patch(t.Context(), guest, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"rotation":{"trigger":"1","overlap":"1h"}}}`))))
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		err := w.client.Get(ctx, client.ObjectKeyFromObject(guest), guest)
		return slices.ContainsFunc(guest.Status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Phase == v1alpha1.KeyRetiring }), err
	})
	if err != nil {
		t.Errorf("the rotation: %v, %+v", err, guest.Status)
	}
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(unseen), unseen))
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(hidden), hidden))
	if unseen.Status.ObservedGeneration+hidden.Status.ObservedGeneration > 0 || len(unseen.Status.Keys) > 0 {
		t.Errorf("in a namespace that isn't watched: %+v, %+v", unseen.Status, hidden.Status)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, wrong := range g.wrong {
		t.Error(wrong)
	}
}
