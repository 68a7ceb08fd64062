package feed

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestMain(m *testing.M) {
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{"../../config/crd/bases"}}))
}

// world is an API server, and a feed that fills a ring from it.
type world struct {
	t       *testing.T
	cluster *devcluster.Cluster
	scheme  *runtime.Scheme
	client  client.Client
	ring    *keyring.Ring
	feed    *Feed
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, cluster: devcluster.For(t), scheme: runtime.NewScheme()}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(w.scheme); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.client, err = client.New(w.cluster.Config, client.Options{Scheme: w.scheme}); err != nil {
		t.Fatal(err)
	}
	return w
}

// start starts a feed of a new ring.
func (w *world) start() {
	w.t.Helper()
	w.ring = keyring.New(keyring.HostPolicy{})
	var err error
	if w.feed, err = New(w.cluster.Config, w.scheme, w.ring); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- w.feed.Start(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(context.Background(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return holds(), nil
	})
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) namespace(name string, labels map[string]string) {
	w.t.Helper()
	w.must(client.IgnoreAlreadyExists(w.client.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})))
}

// issue creates an APIKey with the digest of a raw key in status.
func (w *world) issue(name, raw string, spec v1alpha1.APIKeySpec) *v1alpha1.APIKey {
	w.t.Helper()
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "feed", Name: name}, Spec: spec}
	w.must(w.client.Create(context.Background(), k))
	k.Status.Keys = []v1alpha1.KeyVersion{{Digest: key.NewRaw(raw).Digest().String(), Phase: v1alpha1.KeyCurrent, IssuedAt: metav1.Now()}}
	w.must(w.client.Status().Update(context.Background(), k))
	return k
}

// state is that of the key that a raw key of the default API belongs to, or -1.
func (w *world) state(raw string) int {
	if m, ok := w.ring.Find(keyring.DefaultAPI, key.NewRaw(raw).Digest()); ok {
		return int(m.Key.State)
	}
	return -1
}

func TestNotSyncedUntilEverythingIsThere(t *testing.T) {
	w := newWorld(t)
	w.namespace("feed", nil)
	const keys = 200
	for i := range keys {
		w.issue(fmt.Sprintf("many-%d", i), fmt.Sprintf("raw-%d", i), v1alpha1.APIKeySpec{})
	}
	for range 3 {
		w.start()
		w.until("it syncs", func() bool {
			synced := w.feed.HasSynced() // first: what is there afterwards may have come in between
			if n := w.ring.Len(); synced && n < keys {
				t.Fatalf("synced with %d of %d keys", n, keys)
			}
			return synced
		})
	}
	w.must(w.client.DeleteAllOf(context.Background(), &v1alpha1.APIKey{}, client.InNamespace("feed")))
	w.until("all are gone", func() bool { return w.ring.Len() == 0 })
}

func TestWhatTheWatchDeliversIsEnforced(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.namespace("feed", nil)
	w.start()
	k := w.issue("life", "raw-life", v1alpha1.APIKeySpec{})
	w.until("issued", func() bool { return w.state("raw-life") == int(keyring.Active) })
	for _, step := range []struct {
		state v1alpha1.DesiredState
		want  keyring.State
	}{{v1alpha1.DesiredSuspended, keyring.Suspended}, {v1alpha1.DesiredActive, keyring.Active}} {
		k.Spec.State = step.state
		w.must(w.client.Update(ctx, k))
		w.until(string(step.state), func() bool { return w.state("raw-life") == int(step.want) })
	}
	k.Finalizers = []string{"test.example/hold"}
	w.must(w.client.Update(ctx, k))
	w.must(w.client.Delete(ctx, k))
	w.until("being deleted", func() bool { return w.state("raw-life") == int(keyring.Deleted) })
	w.must(w.client.Get(ctx, client.ObjectKeyFromObject(k), k))
	k.Finalizers = nil
	w.must(w.client.Update(ctx, k))
	w.until("gone", func() bool { return w.state("raw-life") == -1 })
}

func TestNamespacesAreSelectedAnew(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.namespace("feed", nil)
	w.namespace("guest", nil)
	w.start()
	api := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: "feed", Name: "selective"}, Spec: v1alpha1.ProtectedAPISpec{
		AllowedNamespaces: &v1alpha1.AllowedNamespaces{
			From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"keys": "yes"}},
		},
	}}
	w.must(w.client.Create(ctx, api))
	admits := func(want bool) func() bool {
		return func() bool {
			got, ok := w.ring.API(keyring.Name{Namespace: "feed", Name: "selective"})
			return ok && got.Admits("guest") == want
		}
	}
	w.until("unlabelled", admits(false))
	for _, labels := range []map[string]string{{"keys": "yes"}, {"keys": "no"}} {
		n := &corev1.Namespace{}
		w.must(w.client.Get(ctx, client.ObjectKey{Name: "guest"}, n))
		n.Labels = labels
		w.must(w.client.Update(ctx, n))
		w.until("labelled "+labels["keys"], admits(labels["keys"] == "yes"))
	}
	w.must(w.client.Delete(ctx, api))
	w.until("gone", func() bool {
		_, ok := w.ring.API(keyring.Name{Namespace: "feed", Name: "selective"})
		return !ok
	})
}

// Cut off, it keeps what it knows; back again, it catches up.
func TestOutage(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.namespace("feed", nil)
	w.start()
	k := w.issue("patient", "raw-patient", v1alpha1.APIKeySpec{})
	w.until("issued", func() bool { return w.state("raw-patient") == int(keyring.Active) && w.feed.HasSynced() })
	w.must(w.cluster.StopAPIServer())
	if w.state("raw-patient") != int(keyring.Active) || !w.feed.HasSynced() {
		t.Error("it forgot during an outage")
	}
	w.must(w.cluster.StartAPIServer())
	k.Spec.State = v1alpha1.DesiredRevoked
	w.until("revoked after an outage", func() bool {
		if k.ResourceVersion != "" && w.client.Update(ctx, k) == nil {
			k.ResourceVersion = "" // written once
		}
		return w.state("raw-patient") == int(keyring.Revoked)
	})
}

// A first list from a cache that is behind would let revoked keys in again.
func TestTheFirstListIsConsistent(t *testing.T) {
	var versions []string
	source := &toolscache.ListWatch{ListWithContextFunc: func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) {
		versions = append(versions, o.ResourceVersion+"/"+string(o.ResourceVersionMatch))
		return &v1alpha1.APIKeyList{}, nil
	}}
	lists := consistent(source)
	for _, o := range []metav1.ListOptions{{ResourceVersion: "0"}, {ResourceVersion: "0", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}, {ResourceVersion: "7"}, {}} {
		if _, err := lists.ListWithContext(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(versions, " "); got != "/ / 7/ /" {
		t.Errorf("asked for %q, want none of version 0", got)
	}
}

// An edit that can't be used leaves the API as it was, and others alone.
func TestTheLastGoodConfigurationKeepsServing(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.namespace("feed", nil)
	w.start()
	api := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: "feed", Name: "edited"}, Spec: v1alpha1.ProtectedAPISpec{
		Denials: []v1alpha1.Denial{{Code: v1alpha1.DenialDefault, Status: 418, Body: "{{ .Error }}"}},
	}}
	w.must(w.client.Create(ctx, api))
	name := keyring.Name{Namespace: "feed", Name: "edited"}
	status := func() int {
		got, ok := w.ring.API(name)
		if !ok || got.Err != nil {
			return 0
		}
		return got.Denials["default"].Status
	}
	w.until("created", func() bool { return status() == 418 })

	api.Spec.Denials[0] = v1alpha1.Denial{Code: v1alpha1.DenialDefault, Status: 499, Body: "{{ .Nothing }}"}
	w.must(w.client.Update(ctx, api))
	other := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: "feed", Name: "after"}}
	w.must(w.client.Create(ctx, other))
	w.until("the next API is served", func() bool {
		got, ok := w.ring.API(keyring.Name{Namespace: "feed", Name: "after"})
		return ok && got.Err == nil
	})
	if got := status(); got != 418 {
		t.Errorf("the denial has status %d, want 418 as before the edit", got)
	}

	api.Spec.Denials[0].Body = "{{ .Error }}"
	w.must(w.client.Update(ctx, api))
	w.until("mended", func() bool { return status() == 499 })

	// Another of the same name starts anew: it has no good configuration.
	w.must(w.client.Delete(ctx, api))
	broken := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: "feed", Name: "edited"}, Spec: v1alpha1.ProtectedAPISpec{
		Denials: []v1alpha1.Denial{{Code: v1alpha1.DenialDefault, Body: "{{ .Nothing }}"}},
	}}
	w.must(w.client.Create(ctx, broken))
	w.until("broken from the start", func() bool {
		got, ok := w.ring.API(name)
		return ok && got.Err != nil && strings.Contains(got.Err.Error(), "spec.denials[0].body")
	})
	w.must(w.client.Delete(ctx, broken))
	w.must(w.client.Delete(ctx, other))
}
