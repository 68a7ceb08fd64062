package apikey

import (
	"context"
	"slices"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// lists answers lists as an informer's cache that is never behind would. The API
// server takes up to 100 ms for one that comes right after a write of another kind,
// and every reconciliation lists after such a write. Auth servers' Leases are those
// that a test puts here.
type lists struct {
	mu     sync.Mutex
	names  map[string]sets.Set[string] // of Secrets, by the label with the uid
	leases []coordinationv1.Lease
}

func (l *lists) client(c client.WithWatch) client.WithWatch {
	return interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			l.remember(o)
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			l.remember(o)
			return c.Update(ctx, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			switch list := list.(type) {
			case *corev1.SecretList:
				return l.list(ctx, c, list, opts)
			case *coordinationv1.LeaseList:
				l.mu.Lock()
				defer l.mu.Unlock()
				list.Items = append(list.Items, l.leases...)
				return nil
			case *v1alpha1.APIKeyList:
				return listIndexed(ctx, c, list, opts)
			}
			return c.List(ctx, list, opts...)
		},
	})
}

func (l *lists) remember(o client.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if uid := o.GetLabels()[v1alpha1.LabelAPIKeyUID]; uid != "" {
		if l.names == nil {
			l.names = map[string]sets.Set[string]{}
		}
		l.names[uid] = l.names[uid].Union(sets.New(o.GetName()))
	}
}

func (l *lists) list(ctx context.Context, c client.Client, out *corev1.SecretList, opts []client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	uid, ok := options.LabelSelector.RequiresExactMatch(v1alpha1.LabelAPIKeyUID)
	if !ok {
		return c.List(ctx, out, opts...)
	}
	l.mu.Lock()
	names := sets.List(l.names[uid])
	l.mu.Unlock()
	for _, name := range names {
		var s corev1.Secret
		err := c.Get(ctx, client.ObjectKey{Namespace: options.Namespace, Name: name}, &s)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil && options.LabelSelector.Matches(labels.Set(s.Labels)) {
			out.Items = append(out.Items, s)
		}
	}
	return nil
}

// listIndexed lists APIKeys by an index of the cache.
func listIndexed(ctx context.Context, c client.Client, out *v1alpha1.APIKeyList, opts []client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	if options.FieldSelector == nil {
		return c.List(ctx, out, opts...)
	}
	var all v1alpha1.APIKeyList
	if err := c.List(ctx, &all, client.InNamespace(options.Namespace)); err != nil {
		return err
	}
	for _, k := range all.Items {
		matches := true
		for _, want := range options.FieldSelector.Requirements() {
			matches = matches && slices.Contains(indexes[want.Field](&k), want.Value)
		}
		if matches {
			out.Items = append(out.Items, k)
		}
	}
	return nil
}
