package apikey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/namespaces"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// Reconciler issues the keys of APIKeys.
type Reconciler struct {
	// Client writes, and reads from a cache: ProtectedAPIs, and which Secrets are
	// ours.
	Client client.Client
	// Live reads APIKeys and Secrets from the API server: a decision about keys is
	// never made from a cache.
	Live     client.Reader
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	// Random is crypto/rand's Reader outside tests.
	Random io.Reader
	// Roster says which auth servers there are and how far each is. Their Leases are
	// in LeaseNamespace.
	Roster         *presence.Roster
	LeaseNamespace string
	// Namespaces are the only ones that are watched, none for all: Client and Live
	// then read there only, and no Namespaces.
	Namespaces []string
	// Metrics count what was delivered, and how.
	Metrics *Metrics

	memory memory
}

// maxSteps is more than any APIKey needs to settle: what is left after it is
// tried again like an error.
const maxSteps = 12

// Reconcile brings one APIKey nearer to what it declares, step by step, looking
// anew after each write.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var refused *refusal
	for range maxSteps {
		o, secrets, err := r.observe(ctx, request.NamespacedName, refused)
		if err != nil {
			return ctrl.Result{}, err // tried again
		}
		if o == nil {
			r.memory.forget(request.NamespacedName)
			return ctrl.Result{}, nil // the APIKey is gone or going, and its Secret with it
		}
		plan := Decide(*o)
		refused = nil
		switch err := r.apply(ctx, *o, secrets, plan); {
		case errors.As(err, &refused):
			continue // say so in status
		case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err):
			continue // somebody wrote in between: look again
		case err != nil:
			return ctrl.Result{}, err // tried again
		case plan.settles(*o):
			r.memory.wait(o.Key, waits(plan.Status))
			return ctrl.Result{RequeueAfter: plan.Again}, nil // done
		}
	}
	return ctrl.Result{}, fmt.Errorf("not settled after %d steps", maxSteps)
}

// secrets are the objects that a decision was made on, and the raw keys in them.
type secrets struct {
	target, previous       *corev1.Secret
	inTarget, inPrev, hand issued
	given                  key.Raw
	format                 key.Format
	known                  *recollection
}

// observe reads all that a decision is made from. It returns nil for an APIKey
// that doesn't exist or is being deleted.
func (r *Reconciler) observe(ctx context.Context, name client.ObjectKey, refused *refusal) (*Observed, secrets, error) {
	k := &v1alpha1.APIKey{}
	if err := r.Live.Get(ctx, name, k); err != nil {
		return nil, secrets{}, client.IgnoreNotFound(err)
	}
	if !k.DeletionTimestamp.IsZero() {
		return nil, secrets{}, nil
	}
	o := &Observed{Key: k, Now: r.Clock.Now()}
	if refused != nil {
		o.Refused = &refused.Problem
	}
	s := secrets{known: r.memory.of(k, o.Now)}
	var err error
	if s.format, err = r.format(ctx, o); err != nil && !errors.As(err, &o.Problem) {
		return nil, s, err
	}
	if s.target, err = r.secret(ctx, k.Namespace, SecretName(k)); err != nil {
		return nil, s, err
	}
	o.Target, s.inTarget = held(k, s.target)
	s.inTarget = withHint(s.inTarget, k, s.format)
	o.Hint = s.inTarget.hint
	for _, look := range []func(context.Context, *Observed, *secrets) error{r.observeOthers, r.observeExisting, r.observeServers} {
		if err := look(ctx, o, &s); err != nil {
			return nil, s, err
		}
	}
	if o.Problem == nil && o.Target.Digest != nil {
		want, err := desiredSecret(k, s.inTarget, s.target)
		if err != nil && !errors.As(err, &o.Problem) {
			return nil, s, err
		}
		o.Target.UpToDate = err == nil && sameSecret(s.target, want)
	}
	return o, s, nil
}

// observeOthers reads our Secrets of other names: that of status.secretName, and
// those that a rename or a late write left behind, which the cache knows of.
func (r *Reconciler) observeOthers(ctx context.Context, o *Observed, s *secrets) error {
	k := o.Key
	names := sets.New(k.Status.SecretName)
	var list corev1.SecretList
	err := r.Client.List(ctx, &list, client.InNamespace(k.Namespace),
		client.MatchingLabels{v1alpha1.LabelAPIKeyUID: string(k.UID)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return err
	}
	for i := range list.Items {
		names.Insert(list.Items[i].Name)
	}
	for _, name := range sets.List(names.Delete("", SecretName(k))) {
		other, err := r.secret(ctx, k.Namespace, name)
		if err != nil {
			return err
		}
		if h, raw := held(k, other); usefulness(k.Status.Keys, h) > usefulness(k.Status.Keys, o.Previous) {
			o.Previous, s.previous, s.inPrev = h, other, withHint(raw, k, s.format)
		}
	}
	return nil
}

// secret reads a Secret live; nil if there is none.
func (r *Reconciler) secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	s := &corev1.Secret{}
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, s); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	default:
		return s, nil
	}
}

// withHint takes the hint and the time of issue from status, where the version is
// known, and else makes the hint from the format.
func withHint(i issued, k *v1alpha1.APIKey, format key.Format) issued {
	if i.raw.IsZero() {
		return i
	}
	digest := i.raw.Digest().String()
	n := slices.IndexFunc(k.Status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Digest == digest })
	if n < 0 {
		i.hint = shapedHint(i.raw, format)
		return i
	}
	i.hint, i.at = k.Status.Keys[n].Hint, k.Status.Keys[n].IssuedAt.Time
	return i
}

// format reads the key's API and returns the format of new keys, or a Problem.
func (r *Reconciler) format(ctx context.Context, o *Observed) (key.Format, error) {
	k := o.Key
	var spec *v1alpha1.KeyFormat
	if k.Spec.APIRef != nil {
		api, err := r.api(ctx, k)
		if err != nil {
			return key.Format{}, err
		}
		o.API, spec = &api.Spec, api.Spec.KeyFormat
	}
	format, err := compile.Format(spec, k.Spec.Environment)
	if err != nil {
		return format, &Problem{Reason: v1alpha1.ReasonInvalidEnvironment, Message: err.Error()}
	}
	return format, CheckTemplates(k, format)
}

// namespaces tells of namespaces.
func (r *Reconciler) namespaces() namespaces.Source {
	return namespaces.Source{Reader: r.Client, Watched: r.Namespaces}
}

// api returns the ProtectedAPI that an APIKey refers to, or a Problem.
func (r *Reconciler) api(ctx context.Context, k *v1alpha1.APIKey) (*v1alpha1.ProtectedAPI, error) {
	name := compile.APIName(k)
	known := r.namespaces()
	if !known.Watches(name.Namespace) {
		return nil, &Problem{
			Reason: v1alpha1.ReasonAPINotFound,
			Message: fmt.Sprintf("spec.apiRef: the operator doesn't watch namespace %q, so that nothing serves ProtectedAPI %s, and requests are denied: "+
				"create an APIKey that refers to an API elsewhere, or have the namespace added to --namespaces of the controller and the auth servers", name.Namespace, name),
		}
	}
	api := &v1alpha1.ProtectedAPI{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, api)
	if apierrors.IsNotFound(err) {
		return nil, &Problem{
			Reason:  v1alpha1.ReasonAPINotFound,
			Message: fmt.Sprintf("spec.apiRef: there is no ProtectedAPI %s: create it, or create an APIKey that refers to another", name),
		}
	}
	if err != nil {
		return nil, err
	}
	own, err := known.One(ctx, k.Namespace)
	if err != nil {
		return nil, err
	}
	compiled := compile.API(api, own)
	if compiled.Err != nil {
		return nil, &Problem{
			Reason:  v1alpha1.ReasonInvalidAPI,
			Message: fmt.Sprintf("spec.apiRef: ProtectedAPI %s can't be used: see its Ready condition", name),
		}
	}
	if !compiled.Admits(k.Namespace) {
		return nil, &Problem{
			Reason:  v1alpha1.ReasonNamespaceNotAllowed,
			Message: fmt.Sprintf("spec.apiRef: spec.allowedNamespaces of ProtectedAPI %s doesn't include namespace %q; requests are denied", name, k.Namespace),
		}
	}
	return api, nil
}
