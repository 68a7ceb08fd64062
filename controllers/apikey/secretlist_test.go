package apikey

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// secretLists answers lists of Secrets as an informer's cache that is never
// behind would. The API server takes up to 100 ms for one that comes right after
// a write of another kind, and every reconciliation lists after such a write.
type secretLists struct {
	mu    sync.Mutex
	names map[string]sets.Set[string] // by the label with the uid
}

func (l *secretLists) client(c client.WithWatch) client.WithWatch {
	return interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			l.remember(o)
			return c.Create(ctx, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if secrets, ok := list.(*corev1.SecretList); ok {
				return l.list(ctx, c, secrets, opts)
			}
			return c.List(ctx, list, opts...)
		},
	})
}

func (l *secretLists) remember(o client.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if uid := o.GetLabels()[v1alpha1.LabelAPIKeyUID]; uid != "" {
		if l.names == nil {
			l.names = map[string]sets.Set[string]{}
		}
		l.names[uid] = l.names[uid].Union(sets.New(o.GetName()))
	}
}

func (l *secretLists) list(ctx context.Context, c client.Client, out *corev1.SecretList, opts []client.ListOption) error {
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
