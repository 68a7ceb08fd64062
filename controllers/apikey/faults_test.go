package apikey

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// scenario is a change that takes several writes, each of which may go wrong.
type scenario struct {
	name string
	// before is what there is before, settled; nil is nothing.
	before func(w *world, name string)
	// change is what the controller then acts on.
	change func(w *world, name string)
	// then is what somebody does after the fault and before the next controller.
	then  func(w *world, name string)
	modes []mode
	// keeps demands that no other raw key is made.
	keeps bool
}

func issuedBefore(w *world, name string) {
	w.create(name)
	w.reconcile(name)
}

func rename(suffix string) func(*world, string) {
	return func(w *world, name string) {
		w.edit(name, secretLike(v1alpha1.SecretTemplate{Name: name + suffix}))
	}
}

func revoke(w *world, name string) { w.edit(name, revoked) }

func change(w *world, name string) {
	w.changeSecret(name, func(s *corev1.Secret) { s.Data["api-key"] = []byte("something-else") })
}

var scenarios = []scenario{
	{name: "first-issue", change: func(w *world, name string) { w.create(name) }, modes: allModes},
	{name: "lost-key", before: issuedBefore, change: (*world).deleteSecret, modes: allModes},
	{name: "changed-key", before: issuedBefore, change: change, modes: allModes},
	{name: "rename", before: issuedBefore, change: rename("-b"), modes: allModes, keeps: true},
	{name: "revoke", before: issuedBefore, change: revoke, modes: allModes, keeps: true},
	{name: "labels", before: issuedBefore, modes: allModes, keeps: true, change: func(w *world, name string) {
		w.edit(name, secretLike(v1alpha1.SecretTemplate{Labels: map[string]v1alpha1.LabelValue{"a": "b"}}))
	}},
	{name: "entry", before: issuedBefore, modes: allModes, keeps: true, change: func(w *world, name string) {
		w.edit(name, secretLike(v1alpha1.SecretTemplate{Entry: "token"}))
	}},
	{name: "first-issue-then-rename", change: func(w *world, name string) { w.create(name) }, then: rename("-b"), modes: kills},
	{name: "first-issue-then-revoke", change: func(w *world, name string) { w.create(name) }, then: revoke, modes: kills},
	{name: "lost-key-then-rename", before: issuedBefore, change: (*world).deleteSecret, then: rename("-b"), modes: kills},
	{name: "changed-key-then-rename", before: issuedBefore, change: change, then: rename("-b"), modes: kills},
	{name: "lost-key-then-revoke", before: issuedBefore, change: (*world).deleteSecret, then: revoke, modes: kills},
	{name: "rename-then-again", before: issuedBefore, change: rename("-b"), then: rename("-c"), modes: kills, keeps: true},
	// A deletion that is under way for long can't know that the name is wanted again:
	// the key is lost then, and accepted for the overlap.
	{name: "rename-then-back", before: issuedBefore, change: rename("-b"), then: rename(""), modes: kills},
	{name: "rename-then-revoke", before: issuedBefore, change: rename("-b"), then: revoke, modes: kills, keeps: true},
}

// TestFaults lets every write of every scenario go wrong in every way, and then
// lets new controllers go on: the end is always right, and in between no consumer
// holds a key that isn't accepted.
func TestFaults(t *testing.T) {
	points := 0
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t)
			untouched := w.bystanders()
			undisturbed := &fault{}
			s.play(w, "plain", undisturbed)
			for at := range undisturbed.writes {
				for i, mode := range s.modes {
					f := &fault{at: at + 1, mode: mode}
					s.play(w, fmt.Sprintf("at-%d-%d", f.at, i), f)
					points++
				}
			}
			untouched()
			w.wantNoStrays()
		})
	}
	t.Logf("%d points", points)
}

// bystanders are another APIKey and a Secret of nobody; it returns the check that
// nobody wrote to them.
func (w *world) bystanders() (untouched func()) {
	w.Helper()
	w.create("bystander")
	w.reconcile("bystander")
	w.must(w.client.Create(w.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "theirs"}}))
	k, own, theirs := w.key("bystander"), w.secret("bystander"), w.secret("theirs")
	return func() {
		w.Helper()
		if w.key("bystander").ResourceVersion != k.ResourceVersion {
			w.Error("another APIKey was written")
		}
		w.wantSame(own)
		w.wantSame(theirs)
	}
}

func (s scenario) play(w *world, name string, f *fault) {
	w.Helper()
	if s.before != nil {
		s.before(w, name)
		w.look(name).wantHeldAreAccepted()
	}
	made := len(w.random.keys())
	s.change(w, name)
	f.run(w, name)
	defer func() {
		if w.Failed() {
			w.Fatalf("%s: write %d (%s) %s", name, f.at, f.what, f.mode)
		}
	}()
	w.look(name).wantHeldAreAccepted()
	if s.then != nil {
		s.then(w, name)
	}
	w.settle(name).wantRight()
	if f.late != nil {
		err := f.late()
		if s.then == nil && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			w.Errorf("a write that was under way has landed late: %v", err)
		}
		w.settle(name).wantRight()
	}
	switch made := len(w.random.keys()) - made; {
	case s.keeps && made > 0:
		w.Errorf("%d keys were made for nothing", made)
	case made > 2:
		w.Errorf("%d keys were made for one fault", made)
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
		if keys.Items[i].Spec.State != v1alpha1.DesiredRevoked {
			wanted[SecretName(&keys.Items[i])] = string(keys.Items[i].UID)
		}
	}
	var secrets corev1.SecretList
	w.must(w.client.List(w.Context(), &secrets, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.LabelAPIKeyUID}))
	for _, s := range secrets.Items {
		if owner := metav1.GetControllerOf(&s); owner == nil || wanted[s.Name] != string(owner.UID) {
			w.Errorf("Secret %s is left over", s.Name)
		}
		delete(wanted, s.Name)
	}
	if len(wanted) > 0 {
		w.Errorf("Secrets are missing: %v", wanted)
	}
}

// settle lets new controllers reconcile until nothing is left to do.
func (w *world) settle(name string) view {
	w.Helper()
	for range 5 {
		_, err := w.try(w.client, name)
		if v := w.look(name); err == nil && readyReason(&v.key.Status) != v1alpha1.ReasonWriteFailed {
			v.wantHeldAreAccepted()
			return v
		}
	}
	w.Fatalf("%s doesn't settle: %s", name, w.outcome(name))
	return view{}
}

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
		if of == v.key.Name && !accepted[key.NewRaw(raw).Digest().String()] && v.key.Spec.State != v1alpha1.DesiredRevoked {
			v.Error("a key that was in the Secret is not accepted")
		}
	}
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
