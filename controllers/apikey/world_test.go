package apikey

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/retry"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{"../../config/crd/bases"}}))
}

// world is a namespace of a real API server, and a controller that a test moves
// by hand, with a clock that stands still.
type world struct {
	*testing.T
	client    client.WithWatch
	known     *lists
	namespace string
	clock     *clocktesting.FakePassiveClock
	random    *recordedRandom
	roster    *presence.Roster
	leases    string // the namespace of auth servers' Leases
	events    *events.FakeRecorder
	told      []string          // events
	said      *transcript       // everything a person could see: errors, log lines, events
	raws      map[string]bool   // every raw key in a Secret that was read
	seen      map[string]string // raw keys that were in Secrets of ours, and of which APIKey
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := client.NewWithWatch(devcluster.For(t).Config, client.Options{Scheme: newScheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	known := &lists{}
	w := &world{
		T: t, known: known, client: known.client(c), clock: clocktesting.NewFakePassiveClock(time.Now().UTC().Truncate(time.Second)),
		random: &recordedRandom{}, events: events.NewFakeRecorder(4096), said: &transcript{}, raws: map[string]bool{}, seen: map[string]string{},
	}
	w.namespace = w.newNamespace(nil)
	w.leases, w.roster = w.namespace, presence.NewRoster(w.clock)
	t.Cleanup(w.wantNoLeak)
	return w
}

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.T = t
	return &sub
}

// newNamespace goes with the cluster.
func (w *world) newNamespace(labels map[string]string) string {
	w.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "apikey-", Labels: labels}}
	w.must(w.client.Create(w.Context(), n))
	return n.Name
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// transcript is a text that many may write.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// recordedRandom is crypto/rand that remembers, so that every raw key can be made
// again, also those that never reached a Secret.
type recordedRandom struct {
	mu    sync.Mutex
	drawn bytes.Buffer
}

func (r *recordedRandom) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return io.TeeReader(rand.Reader, &r.drawn).Read(p)
}

// keys are all keys of the default format that were generated.
func (r *recordedRandom) keys() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []string
	for again := bytes.NewReader(r.drawn.Bytes()); ; {
		raw, err := key.Default.Generate(again)
		if err != nil {
			return keys
		}
		keys = append(keys, raw.Reveal())
	}
}

// reconciler is a new controller: all that it knows is in the API server.
func (w *world) reconciler(c client.WithWatch) *Reconciler {
	return &Reconciler{
		Client: c, Live: c, Recorder: w.events, Clock: w.clock, Random: w.random,
		Roster: w.roster, LeaseNamespace: w.leases, Metrics: NewMetrics(prometheus.NewRegistry()),
	}
}

// try lets a new controller reconcile once.
func (w *world) try(c client.WithWatch, name string) (ctrl.Result, error) {
	w.Helper()
	result, err := w.reconciler(c).Reconcile(w.logging(), requestFor(w.named(name)))
	w.hear(err)
	return result, err
}

// logging is as verbose as can be without what client-go logs of requests.
func (w *world) logging() context.Context {
	log := funcr.New(func(prefix, args string) { w.say(prefix, args) }, funcr.Options{Verbosity: 7})
	return ctrl.LoggerInto(w.Context(), log)
}

func (w *world) say(words ...any) { _, _ = fmt.Fprintln(w.said, words...) }

// hear writes down what people would see.
func (w *world) hear(err error) {
	if err != nil {
		w.say(fmt.Sprintf("%v %+v %#v", err, err, err))
	}
	for {
		select {
		case event := <-w.events.Events:
			w.told = append(w.told, event)
			w.say(event)
		default:
			return
		}
	}
}

// reconcile is try where nothing may go wrong.
func (w *world) reconcile(name string) ctrl.Result {
	w.Helper()
	result, err := w.try(w.client, name)
	w.must(err)
	return result
}

func (w *world) named(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: w.namespace, Name: name}
}

// create makes an APIKey.
func (w *world) create(name string, edits ...edit) {
	w.Helper()
	k := &v1alpha1.APIKey{}
	for _, e := range edits {
		e(&k.Spec)
	}
	// As a manifest says it: the Go type leaves out an empty spec.
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&k.Spec)
	w.must(err)
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("APIKey"))
	u.SetNamespace(w.namespace)
	u.SetName(name)
	w.must(w.client.Create(w.Context(), u))
}

// edit changes an APIKey's spec.
func (w *world) edit(name string, edits ...edit) {
	w.Helper()
	w.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		k := w.key(name)
		for _, e := range edits {
			e(&k.Spec)
		}
		return w.client.Update(w.Context(), k)
	}))
}

func (w *world) key(name string) *v1alpha1.APIKey {
	w.Helper()
	k := &v1alpha1.APIKey{}
	w.must(w.client.Get(w.Context(), w.named(name), k))
	return k
}

func (w *world) exists(name string) bool {
	w.Helper()
	err := w.client.Get(w.Context(), w.named(name), &v1alpha1.APIKey{})
	w.must(client.IgnoreNotFound(err))
	return err == nil
}

func (w *world) secret(name string) *corev1.Secret {
	w.Helper()
	s := &corev1.Secret{}
	w.must(w.client.Get(w.Context(), w.named(name), s))
	if raw := s.Data[s.Annotations[v1alpha1.AnnotationEntry]]; len(raw) > 0 {
		w.raws[string(raw)] = true
	}
	return s
}

// raw is the raw key in a Secret of ours.
func (w *world) raw(secret string) string {
	w.Helper()
	s := w.secret(secret)
	return string(s.Data[s.Annotations[v1alpha1.AnnotationEntry]])
}

// eventually waits for another process.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	poll := func(context.Context) (bool, error) { return holds(), nil }
	if err := wait.PollUntilContextTimeout(w.Context(), 50*time.Millisecond, time.Minute, true, poll); err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

// isGone reports whether there is no Secret of that name.
func (w *world) isGone(secret string) bool {
	w.Helper()
	err := w.client.Get(w.Context(), w.named(secret), &corev1.Secret{})
	w.must(client.IgnoreNotFound(err))
	return err != nil
}

// outcome is the status of an APIKey in one line: state, Ready, Secret, and the
// phases of its keys with their deadlines from now.
func (w *world) outcome(name string) string {
	w.Helper()
	return w.outcomeOf(w.key(name))
}

func (w *world) outcomeOf(k *v1alpha1.APIKey) string {
	w.Helper()
	if k.Status.ObservedGeneration != k.Generation {
		w.Errorf("observedGeneration is %d of %d", k.Status.ObservedGeneration, k.Generation)
	}
	var phases []string
	for _, v := range k.Status.Keys {
		phase := string(v.Phase)
		if v.NotAfter != nil {
			phase += " " + short(v.NotAfter.Sub(w.clock.Now()))
		}
		phases = append(phases, phase)
	}
	return fmt.Sprintf("%s | %s | %s | %s", k.Status.State, readyOf(k.Status), secretOf(k.Status), strings.Join(phases, ", "))
}

// want demands an outcome, and that the current key is the one in the Secret.
func (w *world) want(name, outcome string) {
	w.Helper()
	if got := w.outcome(name); got != outcome {
		w.Errorf("%s:\n got %s\nwant %s", name, got, outcome)
	}
	k := w.key(name)
	for _, v := range k.Status.Keys {
		if v.Phase != v1alpha1.KeyCurrent || readyReason(&k.Status) != v1alpha1.ReasonIssued || k.Status.SecretPhase != v1alpha1.SecretPresent {
			continue
		}
		raw := key.NewRaw(w.raw(k.Status.SecretName))
		if v.Digest != raw.Digest().String() {
			w.Errorf("%s: the current digest isn't that of the key in the Secret", name)
		}
		ofAnotherShape := k.Spec.ExistingKey != nil && !key.Default.Matches(raw)
		if v.Hint == "" != ofAnotherShape || v.Hint != k.Status.Hint || !strings.HasPrefix(raw.Reveal(), v.Hint) {
			w.Errorf("%s: the hint is %q and %q", name, v.Hint, k.Status.Hint)
		}
	}
}

// wantReady demands a reason, and a message with these words.
func (w *world) wantReady(name, reason string, says ...string) {
	w.Helper()
	for _, c := range w.key(name).Status.Conditions {
		if c.Type != v1alpha1.ConditionReady && c.Type != v1alpha1.ConditionWithinLimits {
			continue
		}
		if c.Reason != reason {
			w.Errorf("%s: %s %s, want %s", name, c.Reason, c.Message, reason)
		}
		for _, words := range says {
			if !strings.Contains(c.Message, words) {
				w.Errorf("%s: %q doesn't say %q", name, c.Message, words)
			}
		}
	}
}

// wantTold demands the events since the last time.
func (w *world) wantTold(want ...string) {
	w.Helper()
	got := w.told
	w.told = nil
	if len(got) != len(want) {
		w.Errorf("events %q, want %q", got, want)
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			w.Errorf("event %q, want %q…", got[i], want[i])
		}
	}
}

func requestFor(name client.ObjectKey) ctrl.Request { return ctrl.Request{NamespacedName: name} }
