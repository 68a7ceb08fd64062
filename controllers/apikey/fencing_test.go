package apikey

import (
	"context"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// stall holds the first write to a Secret until it is let go.
type stall struct {
	deletion         bool // hold the first deletion instead
	reached, release chan struct{}
	held             bool
	err              error // what the API server said to it in the end
}

func (s *stall) client(c client.WithWatch) client.WithWatch {
	hold := func(o client.Object, deletion bool, do func() error) error {
		if _, secret := o.(*corev1.Secret); !secret || s.held || s.deletion && !deletion {
			return do()
		}
		s.held = true
		close(s.reached)
		<-s.release
		s.err = do()
		return s.err
	}
	return interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return hold(o, false, func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return hold(o, false, func() error { return c.Update(ctx, o, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return hold(o, true, func() error { return c.Delete(ctx, o, opts...) })
		},
	})
}

// stalled starts a controller whose first write to a Secret, or first deletion of
// one, is held.
func (w *world) stalled(name string, deletion bool) (*stall, chan error) {
	s := &stall{deletion: deletion, reached: make(chan struct{}), release: make(chan struct{})}
	slow, ended := w.reconciler(s.client(w.client)), make(chan error, 1)
	ctx, request := w.Context(), requestFor(w.named(name))
	go func() {
		_, err := slow.Reconcile(ctx, request)
		ended <- err
	}()
	return s, ended
}

// TestStalledLeader: a former leader's write to a Secret, held while its successor
// does the work, doesn't land; and the former leader, who goes on, does no harm.
func TestStalledLeader(t *testing.T) {
	w := newWorld(t)
	untouched := w.bystanders()
	for _, row := range []struct {
		name    string
		before  func(w *world, name string)
		change  func(w *world, name string)
		refused func(error) bool
		outcome string
	}{
		{"first-issue", nil, func(w *world, name string) { w.create(name) }, apierrors.IsAlreadyExists, "Current, Superseded 10m"},
		{"lost-key", issuedBefore, (*world).deleteSecret, apierrors.IsAlreadyExists, "Current, Superseded 10m, Retiring 1h"},
		{"changed-key", issuedBefore, change, apierrors.IsConflict, "Current, Superseded 10m, Retiring 1h"},
		{"entry", issuedBefore, func(w *world, name string) {
			w.edit(name, secretLike(v1alpha1.SecretTemplate{Entry: "token"}))
		}, apierrors.IsConflict, "Current"},
		{"deleted-meanwhile", issuedBefore, func(w *world, name string) {
			w.edit(name, secretLike(v1alpha1.SecretTemplate{Entry: "token"}))
		}, apierrors.IsConflict, "Current, Retiring 1h"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			if row.before != nil {
				row.before(w, row.name)
			}
			row.change(w, row.name)
			s, former := w.stalled(row.name, false)
			<-s.reached
			if row.name == "deleted-meanwhile" {
				w.deleteSecret(row.name)
			}
			w.reconcile(row.name)
			w.look(row.name).wantRight()
			after := w.secret(row.name)
			close(s.release)
			if err := <-former; err != nil {
				t.Errorf("the former leader ends with %v", err)
			}
			if !row.refused(s.err) {
				t.Errorf("the late write was answered with %v (%s)", s.err, reflect.TypeOf(s.err))
			}
			w.wantSame(after)
			w.look(row.name).wantRight()
			w.want(row.name, "Active | True Issued | Present "+row.name+" | "+row.outcome)
		})
	}
	untouched()
	w.wantNoStrays()
}

// TestStalledDeletion: a former leader's deletion doesn't reach another Secret of
// that name, nor the same one once it was written.
func TestStalledDeletion(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		name     string
		change   func(w *world, name string)
		meantime func(w *world, name string)
		outcome  string
	}{
		{"somebody-elses-by-now", revoke, func(w *world, name string) {
			w.reconcile(name)
			w.must(w.client.Create(w.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}))
		}, "Revoked | True Revoked | None | Current"},
		{"wanted-again", rename("-b"), func(w *world, name string) {
			w.edit(name, secretLike(v1alpha1.SecretTemplate{Name: name, Entry: "token"}))
			w.reconcile(name)
		}, "Active | True Issued | Present wanted-again | Current"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			issuedBefore(w, row.name)
			row.change(w, row.name)
			s, former := w.stalled(row.name, true)
			<-s.reached
			row.meantime(w, row.name)
			after := w.secret(row.name)
			close(s.release)
			if err := <-former; err != nil {
				t.Errorf("the former leader ends with %v", err)
			}
			if !apierrors.IsConflict(s.err) {
				t.Errorf("the late deletion was answered with %v", s.err)
			}
			w.wantSame(after)
			w.want(row.name, row.outcome)
		})
	}
}

// TestStalledBetweenItsReads: a former leader that read the APIKey, was held up, and
// then read the Secret that its successor has written since, doesn't write its own
// key over it: the resourceVersion that it read would let it.
func TestStalledBetweenItsReads(t *testing.T) {
	w := newWorld(t)
	w.report("a", "1")
	w.create("key")
	reached, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	hold := false
	former := w.reconciler(interceptor.NewClient(w.client, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, name client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, secret := o.(*corev1.Secret); secret && hold {
				hold = false
				close(reached)
				<-release
			}
			return c.Get(ctx, name, o, opts...)
		},
	}))
	w.with(former, "key") // has a key in hand, and waits for the auth server
	w.want("key", "Pending | False Issuing | None | Pending")
	hold = true
	ctx, request := w.Context(), requestFor(w.named("key"))
	go func() {
		_, err := former.Reconcile(ctx, request)
		ended <- err
	}()
	<-reached
	w.report("a", w.revision())
	successor := w.controller()
	w.with(successor, "key")
	w.report("a", w.revision())
	w.with(successor, "key")
	after := w.secret("key")
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.wantSame(after)
	w.want("key", "Active | True Issued | Present key | Current, Superseded 10m")
}

// TestCreateLandsAfterDeletion: a Create of a key that was lost, held until another
// key was shown once and its Secret deleted, lands: nothing is there that it could
// conflict with. What it puts there is accepted until we have deleted it.
func TestCreateLandsAfterDeletion(t *testing.T) {
	w := newWorld(t)
	w.create("key", deletedAfter("1m"))
	s, former := w.stalled("key", false)
	<-s.reached
	w.reconcile("key")
	w.later(time.Minute)
	w.reconcile("key")
	w.want("key", "Active | True Issued | Delivered | Current, Superseded 9m")
	close(s.release)
	if err := <-former; err != nil {
		t.Errorf("the former leader ends with %v", err)
	}
	w.look("key").wantHeldAreAccepted()
	w.reconcile("key")
	w.want("key", "Active | True Issued | Delivered | Current, Superseded 9m")
	if !w.isGone("key") {
		t.Error("the Secret that landed late stays")
	}
}
