package apikey

import (
	"context"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// stall holds the first write to a Secret until it is let go.
type stall struct {
	reached, release chan struct{}
	held             bool
	err              error // what the API server said to it in the end
}

func (s *stall) client(c client.WithWatch) client.WithWatch {
	hold := func(o client.Object, do func() error) error {
		if _, secret := o.(*corev1.Secret); !secret || s.held {
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
			return hold(o, func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return hold(o, func() error { return c.Update(ctx, o, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return hold(o, func() error { return c.Delete(ctx, o, opts...) })
		},
	})
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
		{"first-issue", nil, func(w *world, name string) { w.create(name) }, apierrors.IsAlreadyExists, "Current"},
		{"lost-key", issuedBefore, (*world).deleteSecret, apierrors.IsAlreadyExists, "Current, Retiring 1h"},
		{"changed-key", issuedBefore, change, apierrors.IsConflict, "Current, Retiring 1h"},
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
			s := &stall{reached: make(chan struct{}), release: make(chan struct{})}
			former := make(chan error, 1)
			slow := w.reconciler(s.client(w.client))
			go func() {
				_, err := slow.Reconcile(w.Context(), requestFor(w.named(row.name)))
				former <- err
			}()
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
