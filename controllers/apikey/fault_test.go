package apikey

import (
	"context"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// mode is what happens to one write.
type mode string

const (
	failed     mode = "fails"
	timedOut   mode = "is done, and answered with a timeout"
	conflicted mode = "conflicts"
	lostRace   mode = "is done, and answered with a conflict"
	denied     mode = "is refused"
	killedAt   mode = "is not done, the controller is killed"
	killedPast mode = "is done, the controller is killed"
	stalled    mode = "is under way for long, the controller is killed"
)

var (
	allModes = []mode{failed, timedOut, conflicted, lostRace, denied, killedAt, killedPast, stalled}
	kills    = []mode{killedAt, killedPast, stalled}
)

// fault lets something happen to the write of number at of one controller.
type fault struct {
	at   int
	mode mode

	writes int    // how many there were
	what   string // the one it happened to
	late   func() error
}

// client is an API server's client with the fault.
func (f *fault) client(c client.WithWatch) client.WithWatch {
	return interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return f.write("create", o, func(o client.Object) error { return c.Create(context.WithoutCancel(ctx), o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return f.write("update", o, func(o client.Object) error { return c.Update(context.WithoutCancel(ctx), o, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return f.write("delete", o, func(o client.Object) error { return c.Delete(context.WithoutCancel(ctx), o, opts...) })
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			return f.write("update "+sub+" of", o, func(o client.Object) error {
				return c.SubResource(sub).Update(context.WithoutCancel(ctx), o, opts...)
			})
		},
	})
}

func (f *fault) write(verb string, o client.Object, do func(client.Object) error) error {
	if f.writes++; f.writes != f.at {
		return do(o)
	}
	kind := reflect.TypeOf(o).Elem().Name()
	f.what = fmt.Sprintf("%s %s", verb, kind)
	resource := schema.GroupResource{Resource: kind}
	switch f.mode {
	case failed:
		return apierrors.NewInternalError(quoting(o))
	case timedOut:
		return first(do(o), apierrors.NewTimeoutError(quoting(o).Error(), 1))
	case conflicted:
		return apierrors.NewConflict(resource, o.GetName(), quoting(o))
	case lostRace:
		return first(do(o), apierrors.NewConflict(resource, o.GetName(), quoting(o)))
	case denied:
		return apierrors.NewForbidden(resource, o.GetName(), quoting(o))
	case killedPast:
		_ = do(o)
	case killedAt:
	case stalled:
		copied := o.DeepCopyObject().(client.Object)
		f.late = func() error { return do(copied) }
	}
	panic(killed{})
}

// quoting is an answer that shows what it is about.
func quoting(o client.Object) error {
	if s, ok := o.(*corev1.Secret); ok {
		return fmt.Errorf("about %s", s.Data)
	}
	return fmt.Errorf("about %s", o.GetName())
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// run lets a new controller reconcile with the fault. What it returns is written
// down only.
func (f *fault) run(w *world, name string) {
	w.Helper()
	defer func() {
		if r := recover(); r != nil && r != (killed{}) {
			panic(r)
		}
		w.hear(nil)
	}()
	_, _ = w.try(f.client(w.client), name)
}
