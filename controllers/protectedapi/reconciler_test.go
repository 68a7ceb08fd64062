package protectedapi

import (
	"context"
	"crypto/rand"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestMain(m *testing.M) {
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{"../../config/crd/bases"}}))
}

// world is an API server with the controllers of both kinds.
type world struct {
	*testing.T
	client client.Client
}

// granted is a namespace with a right to hosts, and tenant one without.
const (
	granted = "granted"
	tenant  = "tenant"
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	scheme := runtime.NewScheme()
	w.must(clientgoscheme.AddToScheme(scheme))
	w.must(v1alpha1.AddToScheme(scheme))
	m, err := ctrl.NewManager(devcluster.For(t).Config, ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	w.must(err)
	w.client, err = client.New(devcluster.For(t).Config, client.Options{Scheme: scheme})
	w.must(err)
	hosts := keyring.HostPolicy{Grants: []keyring.Grant{{Namespace: granted, Pattern: "*.shop.example"}}}
	w.must((&Reconciler{Client: m.GetClient(), Hosts: hosts, Clock: clock.RealClock{}}).SetupWithManager(m))
	w.must((&apikey.Reconciler{
		Client: m.GetClient(), Live: m.GetAPIReader(), Recorder: m.GetEventRecorder("test"), Clock: clock.RealClock{}, Random: rand.Reader,
		Roster: presence.NewRoster(clock.RealClock{}), LeaseNamespace: "default", Metrics: apikey.NewMetrics(prometheus.NewRegistry()),
	}).SetupWithManager(t.Context(), m))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		w.must(<-ended)
	})
	for _, name := range []string{granted, tenant} {
		w.must(w.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(namespace, name string, spec v1alpha1.ProtectedAPISpec) *v1alpha1.ProtectedAPI {
	w.Helper()
	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
	w.must(w.client.Create(w.Context(), p))
	return p
}

// edit changes the spec of what was created.
func (w *world) edit(p *v1alpha1.ProtectedAPI, change func(*v1alpha1.ProtectedAPISpec)) {
	w.Helper()
	before := p.DeepCopy()
	change(&p.Spec)
	w.must(w.client.Patch(w.Context(), p, client.MergeFrom(before)))
}

// eventually waits until the status of the present generation is as wanted, where
// a condition is written as its status and reason.
func (w *world) eventually(p *v1alpha1.ProtectedAPI, attached int32, conditions map[string]string) {
	w.Helper()
	got := &v1alpha1.ProtectedAPI{}
	err := wait.PollUntilContextTimeout(w.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		if err := w.client.Get(ctx, client.ObjectKeyFromObject(p), got); err != nil {
			return false, err
		}
		s := got.Status
		if s.ObservedGeneration != got.Generation || s.AttachedKeys == nil || *s.AttachedKeys != attached || len(s.Conditions) != len(conditions) {
			return false, nil
		}
		for kind, want := range conditions {
			c := meta.FindStatusCondition(s.Conditions, kind)
			if c == nil || string(c.Status)+" "+c.Reason != want || c.ObservedGeneration != got.Generation {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		w.Errorf("%s: %+v, want %d keys and %v", p.Name, got.Status, attached, conditions)
	}
	got.DeepCopyInto(p)
}

// with is what an API says that is served and keeps no credential, and more.
func with(more ...string) map[string]string {
	conditions := map[string]string{"Ready": "True Accepted", "CredentialsRemoved": "True HeadersRemoved"}
	for i := 0; i < len(more); i += 2 {
		conditions[more[i]] = more[i+1]
	}
	return conditions
}

func hosts(names ...v1alpha1.Hostname) v1alpha1.ProtectedAPISpec {
	return v1alpha1.ProtectedAPISpec{Hosts: names}
}

func TestReconciler(t *testing.T) {
	w := newWorld(t)
	w.eventually(w.create(tenant, "empty", v1alpha1.ProtectedAPISpec{}), 0, with())
	w.eventually(w.create(tenant, "thief", hosts("api.shop.example")), 0, with("HostsAccepted", "False NotGranted"))
	first := w.create(granted, "a-first", hosts("api.shop.example"))
	w.eventually(first, 0, with("HostsAccepted", "True Granted"))
	second := w.create(granted, "b-second", hosts("api.shop.example", "more.shop.example"))
	w.eventually(second, 0, with("HostsAccepted", "False HostConflict"))
	w.eventually(first, 0, with("HostsAccepted", "True Granted"))

	// What becomes of one may change another, which is told without being touched.
	w.edit(first, func(s *v1alpha1.ProtectedAPISpec) { s.Hosts = nil })
	w.eventually(first, 0, with())
	w.eventually(second, 0, with("HostsAccepted", "True Granted"))
	w.edit(first, func(s *v1alpha1.ProtectedAPISpec) { s.Hosts = []v1alpha1.Hostname{"more.shop.example"} })
	w.eventually(second, 0, with("HostsAccepted", "False HostConflict"))
	w.must(w.client.Delete(t.Context(), first))
	w.eventually(second, 0, with("HostsAccepted", "True Granted"))

	query := w.create(tenant, "query", v1alpha1.ProtectedAPISpec{
		Credentials: []v1alpha1.Credential{{Type: "Bearer"}, {Type: "Query", Query: &v1alpha1.QueryCredential{Name: "key"}}},
	})
	w.eventually(query, 0, with("CredentialsRemoved", "False QueryOrCookie"))
	w.edit(query, func(s *v1alpha1.ProtectedAPISpec) { s.Credentials = nil })
	w.eventually(query, 0, with())

	broken := w.create(tenant, "broken", v1alpha1.ProtectedAPISpec{AllowedNamespaces: &v1alpha1.AllowedNamespaces{
		From: "Selector", Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "keys", Operator: "Near"}}},
	}})
	w.eventually(broken, 0, with("Ready", "False InvalidSelector", "Stalled", "True InvalidSelector"))
	w.edit(broken, func(s *v1alpha1.ProtectedAPISpec) {
		s.AllowedNamespaces.Selector.MatchExpressions[0].Operator = "Exists"
	})
	w.eventually(broken, 0, with())
	w.attached()
}

// attached looks at the count of keys: of those that may refer to the API.
func (w *world) attached() {
	w.Helper()
	for _, name := range []client.ObjectKey{{Namespace: granted, Name: "one"}, {Namespace: granted, Name: "two"}, {Namespace: tenant, Name: "three"}} {
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		k.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Namespace: granted, Name: "counted"}
		w.must(w.client.Create(w.Context(), k))
	}
	w.must(w.client.Create(w.Context(), &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: granted, Name: "of-the-default-api"}}))
	counted := w.create(granted, "counted", v1alpha1.ProtectedAPISpec{})
	w.eventually(counted, 2, with())
	w.edit(counted, func(s *v1alpha1.ProtectedAPISpec) {
		s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{
			From: "Selector", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"keys": "welcome"}},
		}
	})
	w.eventually(counted, 0, with())
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant}}
	w.must(w.client.Patch(w.Context(), n, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"keys":"welcome"}}}`))))
	w.eventually(counted, 1, with())
	w.edit(counted, func(s *v1alpha1.ProtectedAPISpec) {
		s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: "All"}
	})
	w.eventually(counted, 3, with())
}

// laterQueue notes what is to be looked at later, and when.
type laterQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	later map[string]time.Duration
}

func (q laterQueue) AddAfter(r reconcile.Request, d time.Duration) { q.later[r.String()] = d }

// TestCountWaits: keys that come and go have their API counted once in a while.
func TestCountWaits(t *testing.T) {
	key := func(api *v1alpha1.ProtectedAPIReference) client.Object {
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "key"}}
		k.Spec.APIRef = api
		return k
	}
	h, ctx := attached(), t.Context()
	for _, row := range []struct {
		name string
		tell func(q laterQueue)
		want string
	}{
		{"created", func(q laterQueue) {
			h.Create(ctx, event.CreateEvent{Object: key(&v1alpha1.ProtectedAPIReference{Name: "api"})}, q)
		}, "apps/api"},
		{"deleted", func(q laterQueue) {
			h.Delete(ctx, event.DeleteEvent{Object: key(&v1alpha1.ProtectedAPIReference{Name: "api", Namespace: "apis"})}, q)
		}, "apis/api"},
		{"changed: apiRef can't", func(q laterQueue) {
			k := key(&v1alpha1.ProtectedAPIReference{Name: "api"})
			h.Update(ctx, event.UpdateEvent{ObjectOld: k, ObjectNew: k}, q)
		}, ""},
		{"of the default API", func(q laterQueue) { h.Create(ctx, event.CreateEvent{Object: key(nil)}, q) }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			q := laterQueue{later: map[string]time.Duration{}}
			row.tell(q)
			if row.want == "" {
				if len(q.later) != 0 {
					t.Errorf("%v", q.later)
				}
			} else if q.later[row.want] != 30*time.Second {
				t.Errorf("%v, want %s in 30s", q.later, row.want)
			}
		})
	}
}
