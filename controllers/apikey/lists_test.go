package apikey

import (
	"context"
	"fmt"
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
	names  map[string]sets.Set[string]           // of Secrets, by the label with the uid
	keys   map[string]sets.Set[client.ObjectKey] // that ever held a digest
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
				return l.listKeys(ctx, c, list, opts)
			}
			return c.List(ctx, list, opts...)
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			if k, ok := o.(*v1alpha1.APIKey); ok {
				l.rememberKey(k)
			}
			return c.SubResource(sub).Update(ctx, o, opts...)
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

func (l *lists) rememberKey(k *v1alpha1.APIKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = map[string]sets.Set[client.ObjectKey]{}
	}
	for _, v := range k.Status.Keys {
		l.keys[v.Digest] = l.keys[v.Digest].Union(sets.New(client.ObjectKeyFromObject(k)))
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

// listKeys lists APIKeys, those with a digest as the cache's index would.
func (l *lists) listKeys(ctx context.Context, c client.Client, out *v1alpha1.APIKeyList, opts []client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	if options.FieldSelector == nil {
		return c.List(ctx, out, opts...)
	}
	digest, ok := options.FieldSelector.RequiresExactMatch(IndexDigest)
	if !ok {
		return fmt.Errorf("no test lists by %s", options.FieldSelector)
	}
	l.mu.Lock()
	names := l.keys[digest].UnsortedList()
	l.mu.Unlock()
	for _, name := range names {
		var k v1alpha1.APIKey
		err := c.Get(ctx, name, &k)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil && slices.Contains(indexes[IndexDigest](&k), digest) {
			out.Items = append(out.Items, k)
		}
	}
	return nil
}
