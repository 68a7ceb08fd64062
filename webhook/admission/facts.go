package admission

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// apiFacts are what is known of the API that an APIKey opens.
type apiFacts struct {
	// spec is nil for the default API and for one that isn't there.
	spec     *v1alpha1.ProtectedAPISpec
	compiled *keyring.API // nil if it isn't there
	// unwatched is an API in a namespace that the operator doesn't serve.
	unwatched bool
}

// policyOf is nil for an API that isn't there or can't be used.
func (f apiFacts) policyOf() *policyOf {
	if f.compiled == nil || f.compiled.Err != nil {
		return nil
	}
	return &policyOf{compiled: f.compiled, spec: f.spec}
}

// readAPI reads the API of an APIKey.
func (v *Validators) readAPI(ctx context.Context, k *v1alpha1.APIKey) (apiFacts, error) {
	name := compile.APIName(k)
	if name == keyring.DefaultAPI {
		return apiFacts{compiled: keyring.NewDefaultAPI()}, nil
	}
	if !v.Namespaces.Watches(name.Namespace) {
		return apiFacts{unwatched: true}, nil
	}
	p := &v1alpha1.ProtectedAPI{}
	switch err := v.Cache.Get(ctx, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, p); {
	case apierrors.IsNotFound(err):
		return apiFacts{}, nil
	case err != nil:
		return apiFacts{}, fmt.Errorf("reading ProtectedAPI %s: %w", name, err)
	}
	own, err := v.Namespaces.One(ctx, k.Namespace)
	if err != nil {
		return apiFacts{}, err
	}
	return apiFacts{spec: &p.Spec, compiled: compile.API(p, own)}, nil
}

// neighbours are what else is to be known of a namespace that an APIKey comes into.
type neighbours struct {
	// secret is the metadata of the Secret of the wanted name, nil if there is none, and
	// sharer another APIKey that wants the same, "" if there is none.
	secret *metav1.ObjectMeta
	sharer string
	// unimportable is why an existing key can't be taken, nil if it can or none is
	// brought, and duplicate the APIKey that has it already, "" if there is none.
	unimportable *apikey.Problem
	duplicate    string
}

// readSecret reads who has or wants the Secret that an APIKey wants.
func (v *Validators) readSecret(ctx context.Context, k *v1alpha1.APIKey, n *neighbours) error {
	name := apikey.SecretName(k)
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	switch err := v.Live.Get(ctx, client.ObjectKey{Namespace: k.Namespace, Name: name}, secret); {
	case err == nil:
		n.secret = &secret.ObjectMeta
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading Secret %q: %w", name, err)
	}
	var keys v1alpha1.APIKeyList
	if err := v.Cache.List(ctx, &keys, client.InNamespace(k.Namespace), client.MatchingFields{apikey.IndexSecret: name}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing APIKeys: %w", err)
	}
	for i := range keys.Items {
		other := &keys.Items[i]
		leaving := !other.DeletionTimestamp.IsZero() || other.Spec.State == v1alpha1.DesiredRevoked
		if other.Name != k.Name && !leaving {
			n.sharer = other.Name
			return nil
		}
	}
	return nil
}

// readExisting looks at a key that is to be imported. A Secret is read only where its
// metadata says that it lets others do so.
func (v *Validators) readExisting(ctx context.Context, k *v1alpha1.APIKey, n *neighbours) error {
	e := k.Spec.ExistingKey
	if e == nil || len(k.Status.Keys) > 0 {
		return nil
	}
	digest := compile.HashDigest(e)
	if e.SecretKeyRef != nil {
		secret, err := v.importable(ctx, client.ObjectKey{Namespace: k.Namespace, Name: e.SecretKeyRef.Name})
		if err != nil {
			return fmt.Errorf("reading Secret %q: %w", e.SecretKeyRef.Name, err)
		}
		raw, err := apikey.Importable(e.SecretKeyRef, secret)
		if errors.As(err, &n.unimportable) {
			return nil
		} else if err != nil {
			return err
		}
		digest = raw.Digest().String()
	}
	var err error
	if n.duplicate, err = apikey.Duplicate(ctx, v.Cache, k, digest); err != nil {
		return fmt.Errorf("listing APIKeys: %w", err)
	}
	return nil
}

// importable reads a Secret, of one that doesn't let others import the metadata only.
// Nil is one that isn't there.
func (v *Validators) importable(ctx context.Context, name client.ObjectKey) (*corev1.Secret, error) {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	if err := v.Live.Get(ctx, name, metadata); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if metadata.Labels[v1alpha1.LabelImport] != "true" {
		return &corev1.Secret{ObjectMeta: metadata.ObjectMeta}, nil
	}
	secret := &corev1.Secret{}
	if err := v.Live.Get(ctx, name, secret); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return secret, nil
}
