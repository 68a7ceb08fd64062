package apikey

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
)

// IndexAPI is the name of the index of APIKeys by the API that they open.
const IndexAPI = "spec.apiRef"

// concurrency is how many APIKeys are worked on at once: each waits on the API
// server most of the time.
const concurrency = 8

// SetupWithManager registers the reconciler. It watches APIKeys, our Secrets,
// and the ProtectedAPIs and namespaces whose changes decide about issue.
func (r *Reconciler) SetupWithManager(ctx context.Context, m ctrl.Manager) error {
	err := m.GetFieldIndexer().IndexField(ctx, &v1alpha1.APIKey{}, IndexAPI, func(o client.Object) []string {
		if k, ok := o.(*v1alpha1.APIKey); ok {
			return []string{compile.APIName(k).String()}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(m).
		Named("apikey").
		For(&v1alpha1.APIKey{}).
		Owns(&corev1.Secret{}).
		Watches(&v1alpha1.ProtectedAPI{}, handler.EnqueueRequestsFromMapFunc(r.keysOf)).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.keysIn), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(r)
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
	if err := r.Client.List(ctx, &keys, options); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing APIKeys from the cache")
		return nil
	}
	requests := make([]reconcile.Request, len(keys.Items))
	for i := range keys.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&keys.Items[i])
	}
	return requests
}
