package apikey

import (
	"context"
	"slices"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
)

const (
	// IndexAPI is the name of the index of APIKeys by the API that they open.
	IndexAPI = "spec.apiRef"
	// IndexSecret is that of APIKeys by the name of the Secret that they want.
	IndexSecret = "spec.secret.name"
	// IndexDigest is that of APIKeys by the digests of their key versions.
	IndexDigest = "status.keys.digest"
	// IndexUse is that of APIKeys by how auth servers name those when they report use.
	IndexUse = "status.keys.digest.beginning"
)

// indexes are those of the cache that the reconcilers and admission read.
var indexes = map[string]func(*v1alpha1.APIKey) []string{
	IndexAPI:    func(k *v1alpha1.APIKey) []string { return []string{compile.APIName(k).String()} },
	IndexSecret: func(k *v1alpha1.APIKey) []string { return []string{SecretName(k)} },
	IndexDigest: func(k *v1alpha1.APIKey) []string { return digestsOf(k, func(digest string) string { return digest }) },
	IndexUse:    func(k *v1alpha1.APIKey) []string { return digestsOf(k, presence.Beginning) },
}

func digestsOf(k *v1alpha1.APIKey, as func(string) string) []string {
	out := make([]string, len(k.Status.Keys))
	for i, v := range k.Status.Keys {
		out[i] = as(v.Digest)
	}
	return out
}

// concurrency is how many APIKeys are worked on at once: each waits on the API
// server most of the time.
const concurrency = 16

// SetupWithManager registers the reconciler. It watches APIKeys, our Secrets,
// the ProtectedAPIs and namespaces whose changes decide about issue, and the Leases
// of auth servers. Namespaces it can't watch where it watches only some of them.
func (r *Reconciler) SetupWithManager(ctx context.Context, m ctrl.Manager) error {
	for name, index := range indexes {
		err := m.GetFieldIndexer().IndexField(ctx, &v1alpha1.APIKey{}, name, func(o client.Object) []string {
			if k, ok := o.(*v1alpha1.APIKey); ok {
				return index(k)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	b := ctrl.NewControllerManagedBy(m).
		Named("apikey").
		For(&v1alpha1.APIKey{}).
		Owns(&corev1.Secret{}).
		Watches(&v1alpha1.APIKey{}, handler.EnqueueRequestsFromMapFunc(r.rivalsOf)).
		Watches(&v1alpha1.ProtectedAPI{}, handler.EnqueueRequestsFromMapFunc(r.keysOf), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&coordinationv1.Lease{}, r.leaseHandler()).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency})
	if !r.namespaces().Limited() {
		b = b.WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.keysIn), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	return b.Complete(r)
}

// rivalsOf returns the APIKeys that hold a key of this one which neither has
// generated: one of them must go.
func (r *Reconciler) rivalsOf(ctx context.Context, o client.Object) []reconcile.Request {
	k, ok := o.(*v1alpha1.APIKey)
	if !ok {
		return nil
	}
	var rivals []reconcile.Request
	for _, v := range k.Status.Keys {
		rivals = append(rivals, r.list(ctx, client.MatchingFields{IndexDigest: v.Digest})...)
	}
	return slices.DeleteFunc(rivals, func(q reconcile.Request) bool { return q.NamespacedName == client.ObjectKeyFromObject(k) })
}

// leaseHandler looks at each report once, and not at the one before it again.
func (r *Reconciler) leaseHandler() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(ctx context.Context, now, before client.Object, q queue) {
		for _, request := range r.keysSeen(ctx, now, before) {
			q.Add(request)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { add(ctx, e.Object, nil, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { add(ctx, e.ObjectNew, e.ObjectOld, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { add(ctx, e.Object, nil, q) },
	}
}

// keysSeen returns the APIKeys that an auth server's report is news for.
func (r *Reconciler) keysSeen(ctx context.Context, now, before client.Object) []reconcile.Request {
	lease, ok := now.(*coordinationv1.Lease)
	if !ok {
		return nil
	}
	r.Roster.Heed(lease)
	if err := r.readLeases(ctx); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Leases from the cache")
		return nil
	}
	var requests []reconcile.Request
	for _, name := range r.memory.reached(r.Roster.Floor()) {
		requests = append(requests, reconcile.Request{NamespacedName: name})
	}
	known := map[presence.Use]bool{}
	if before, ok := before.(*coordinationv1.Lease); ok {
		for _, u := range presence.Used(before) {
			known[u] = true
		}
	}
	for _, u := range presence.Used(lease) {
		if !known[u] {
			requests = append(requests, r.usedSince(ctx, u)...)
		}
	}
	return requests
}

// usedSince returns the APIKeys whose status doesn't know yet of a use.
func (r *Reconciler) usedSince(ctx context.Context, u presence.Use) []reconcile.Request {
	var keys v1alpha1.APIKeyList
	if err := r.Client.List(ctx, &keys, client.MatchingFields{IndexUse: u.Beginning}, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing APIKeys from the cache")
		return nil
	}
	var requests []reconcile.Request
	for i := range keys.Items {
		k := &keys.Items[i]
		for _, v := range k.Status.Keys {
			last, _ := r.Roster.LastUsed(v.Digest) // not what a clock that is fast says
			if presence.Beginning(v.Digest) == u.Beginning && newUse(v, last) {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(k)})
			}
		}
	}
	return requests
}

// keysOf returns the APIKeys of a ProtectedAPI.
func (r *Reconciler) keysOf(ctx context.Context, api client.Object) []reconcile.Request {
	return r.list(ctx, client.MatchingFields{IndexAPI: api.GetNamespace() + "/" + api.GetName()})
}

// keysIn returns the APIKeys of a namespace, whose labels have changed.
func (r *Reconciler) keysIn(ctx context.Context, namespace client.Object) []reconcile.Request {
	return r.list(ctx, client.InNamespace(namespace.GetName()))
}

func (r *Reconciler) list(ctx context.Context, options client.ListOption) []reconcile.Request {
	var keys v1alpha1.APIKeyList
	if err := r.Client.List(ctx, &keys, options, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing APIKeys from the cache")
		return nil
	}
	requests := make([]reconcile.Request, len(keys.Items))
	for i := range keys.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&keys.Items[i])
	}
	return requests
}
