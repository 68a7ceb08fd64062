package apikey

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	// once demands that one other raw key, and no more, got into a Secret.
	once bool
	// right demands the end, nil is view.wantRight.
	right func(view)
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

// rotate asks for another key.
func rotate(overlap v1alpha1.Duration) func(*world, string) {
	return func(w *world, name string) {
		w.edit(name, rotation(v1alpha1.Rotation{Trigger: "now", Overlap: overlap}))
	}
}

func loseIfThere(w *world, name string) {
	if !w.isGone(name) {
		w.deleteSecret(name)
	}
}

// existing is a key of somebody else's making, a name to tell it by.
func (w *world) existing(name string) string {
	return "sk_live_0123456789abcdef_" + w.namespace + "_" + name
}

// withSource makes a Secret that may be imported from.
func withSource(w *world, name string) {
	w.must(w.client.Create(w.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name + "-source", Labels: map[string]string{v1alpha1.LabelImport: "true"}},
		Data:       map[string][]byte{"token": []byte(w.existing(name))},
	}))
	w.raws[w.existing(name)] = true
}

func imports(source string) edit {
	return func(s *v1alpha1.APIKeySpec) {
		s.ExistingKey = &v1alpha1.ExistingKey{SecretKeyRef: &v1alpha1.SecretKeyReference{Name: source, Key: "token"}}
	}
}

func (w *world) importsHash(name string) edit {
	return func(s *v1alpha1.APIKeySpec) {
		s.ExistingKey = &v1alpha1.ExistingKey{SHA256: key.NewRaw(w.existing(name)).Digest().String()[len("sha256:"):]}
	}
}

// withOrphan makes the Secret of an APIKey of another cluster, as a backup has it.
func withOrphan(w *world, name string) {
	raw := key.NewRaw(w.existing(name))
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, UID: "of-another-cluster"}}
	s, err := desiredSecret(k, issued{raw: raw, at: w.clock.Now()}, nil)
	w.must(err)
	s.OwnerReferences = nil
	w.must(w.client.Create(w.Context(), s))
	w.raws[raw.Reveal()] = true
}

// showForAMinute asks for the deletion of the Secret, and lets that time pass.
func showForAMinute(w *world, name string) {
	w.edit(name, deletedAfter("1m"))
	w.later(2 * time.Minute)
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
	{name: "rotation", before: issuedBefore, change: rotate("2h"), modes: allModes, once: true},
	{name: "rotation-at-once", before: issuedBefore, change: rotate("0s"), modes: allModes, once: true},
	{name: "rotation-then-rename", before: issuedBefore, change: rotate("2h"), then: rename("-b"), modes: kills, once: true},
	{name: "rotation-then-revoke", before: issuedBefore, change: rotate("2h"), then: revoke, modes: kills},
	{name: "rotation-then-lost", before: issuedBefore, change: rotate("2h"), then: loseIfThere, modes: kills},
	{name: "rotation-then-suspended", before: issuedBefore, change: rotate("2h"), modes: kills, once: true, then: func(w *world, name string) {
		w.edit(name, suspended)
		w.settle(name)
		w.edit(name, func(s *v1alpha1.APIKeySpec) { s.State = v1alpha1.DesiredActive })
	}},
	{name: "import", before: withSource, change: func(w *world, name string) { w.create(name, imports(name+"-source")) }, modes: allModes, keeps: true, right: view.wantImported},
	{name: "import-then-revoke", before: withSource, change: func(w *world, name string) { w.create(name, imports(name+"-source")) }, then: revoke, modes: kills, keeps: true},
	{name: "import-by-hash", change: func(w *world, name string) { w.create(name, w.importsHash(name)) }, modes: allModes, keeps: true, right: view.wantHashed},
	{name: "adoption", before: withOrphan, change: func(w *world, name string) { w.create(name) }, modes: allModes, keeps: true},
	{name: "adoption-then-revoke", before: withOrphan, change: func(w *world, name string) { w.create(name) }, then: revoke, modes: kills, keeps: true},
	{name: "delivered-once", before: issuedBefore, change: showForAMinute, modes: allModes, keeps: true, right: view.wantDelivered},
	{name: "delivered-once-then-revoke", before: issuedBefore, change: showForAMinute, then: revoke, modes: kills, keeps: true},
	{name: "delivered-once-then-rotation", before: issuedBefore, change: showForAMinute, then: rotate("2h"), modes: kills},
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
		if w.exists(name) {
			w.look(name).wantHeldAreAccepted()
		}
	}
	made, held := len(w.random.keys()), w.held(name)
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
	right := s.right
	if right == nil {
		right = view.wantRight
	}
	right(w.settle(name))
	if f.late != nil {
		err := f.late()
		if s.then == nil && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			w.Errorf("a write that was under way has landed late: %v", err)
		}
		right(w.settle(name))
	}
	if n := w.held(name) - held; s.once && n != 1 {
		w.Errorf("%d keys got into the Secret, want one", n)
	}
	switch made := len(w.random.keys()) - made; {
	case s.keeps && made > 0:
		w.Errorf("%d keys were made for nothing", made)
	case made > 2:
		w.Errorf("%d keys were made for one fault", made)
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
