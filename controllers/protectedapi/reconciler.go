package protectedapi

import (
	"context"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/namespaces"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// countEvery is how often the count of attached keys is written at most.
const countEvery = 30 * time.Second

// Reconciler reports on ProtectedAPIs.
type Reconciler struct {
	Client client.Client
	// Namespaces are the only ones that are watched, none for all: Client then reads
	// there only, and no Namespaces.
	Namespaces []string
	Hosts      keyring.HostPolicy
	Clock      clock.PassiveClock
}

// Reconcile writes the status of one ProtectedAPI.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	api := &v1alpha1.ProtectedAPI{}
	if err := r.Client.Get(ctx, request.NamespacedName, api); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err) // gone: nothing to report
	}
	if !api.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // going: nothing to report
	}
	o, err := r.observe(ctx, api)
	if err != nil {
		return ctrl.Result{}, err
	}
	want := status(o)
	if equality.Semantic.DeepEqual(api.Status, want) {
		return ctrl.Result{}, nil // already said
	}
	api = api.DeepCopy()
	api.Status = want
	err = r.Client.Status().Update(ctx, api)
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: time.Second}, nil // the cache is behind: nothing to alarm anybody with
	}
	return ctrl.Result{}, err
}

func (r *Reconciler) observe(ctx context.Context, api *v1alpha1.ProtectedAPI) (observed, error) {
	var apis v1alpha1.ProtectedAPIList
	if err := r.Client.List(ctx, &apis); err != nil {
		return observed{}, fmt.Errorf("listing ProtectedAPIs: %w", err)
	}
	all, err := r.namespaces().All(ctx)
	if err != nil {
		return observed{}, err
	}
	claims := make([]*keyring.API, len(apis.Items))
	for i := range apis.Items {
		claims[i] = compile.API(&apis.Items[i], nil)
	}
	o := observed{api: api, compiled: compile.API(api, all), now: r.Clock.Now()}
	_, lost := r.Hosts.Assign(claims, nil)
	o.lost = lost[o.compiled.Name]

	var keys v1alpha1.APIKeyList
	if err := r.Client.List(ctx, &keys, client.MatchingFields{apikey.IndexAPI: o.compiled.Name.String()}, client.UnsafeDisableDeepCopy); err != nil {
		return observed{}, fmt.Errorf("listing APIKeys: %w", err)
	}
	for i := range keys.Items {
		if o.compiled.Admits(keys.Items[i].Namespace) && o.attached < math.MaxInt32 {
			o.attached++
		}
	}
	return o, nil
}

func (r *Reconciler) namespaces() namespaces.Source {
	return namespaces.Source{Reader: r.Client, Watched: r.Namespaces}
}

// SetupWithManager registers the reconciler. A change of one ProtectedAPI may
// move hosts of others, so all of them are looked at again. Where it watches only some
// namespaces it can't watch their labels.
func (r *Reconciler) SetupWithManager(m ctrl.Manager) error {
	b := ctrl.NewControllerManagedBy(m).
		Named("protectedapi").
		For(&v1alpha1.ProtectedAPI{}).
		Watches(&v1alpha1.ProtectedAPI{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.APIKey{}, attached())
	if !r.namespaces().Limited() {
		b = b.WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	return b.Complete(r)
}

func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	var apis v1alpha1.ProtectedAPIList
	if err := r.Client.List(ctx, &apis); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ProtectedAPIs from the cache")
		return nil
	}
	requests := make([]reconcile.Request, len(apis.Items))
	for i := range apis.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&apis.Items[i])
	}
	return requests
}

// attached counts keys anew countEvery after one came or went: those that come
// in between are counted with it, since a queue holds an API once.
func attached() handler.EventHandler {
	later := func(o client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		k, ok := o.(*v1alpha1.APIKey)
		if !ok || k.Spec.APIRef == nil {
			return
		}
		name := compile.APIName(k)
		q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKey{Namespace: name.Namespace, Name: name.Name}}, countEvery)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			later(e.Object, q)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			later(e.Object, q)
		},
	}
}
