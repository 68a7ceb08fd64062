// Package namespaces tells the reconcilers and admission what is known of
// namespaces: in all of a cluster what the API server says, and of the few that an
// operator with --namespaces watches only their names.
package namespaces

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/controllers/compile"
)

// Source tells of namespaces.
type Source struct {
	// Reader reads the metadata of Namespaces. It isn't asked where Watched is set.
	Reader client.Reader
	// Watched are the only namespaces that are watched; empty: all.
	Watched []string
}

// Limited reports whether only some namespaces are watched. Objects of kind
// Namespace can't be read then.
func (s Source) Limited() bool { return len(s.Watched) > 0 }

// Watches reports whether the operator sees what is in a namespace.
func (s Source) Watches(name string) bool { return !s.Limited() || slices.Contains(s.Watched, name) }

// NamespaceLabels returns the labels of a namespace, and whether it is known: in the
// cluster it exists, among some it is one of those. Of these it returns the name's
// label only, so a ProtectedAPI's selector must never be held against the result: give
// One to compile.API.
func (s Source) NamespaceLabels(ctx context.Context, name string) (set labels.Set, known bool, err error) {
	if s.Limited() {
		if !s.Watches(name) {
			return nil, false, nil
		}
		return compile.NameLabel(name), true, nil
	}
	n := &metav1.PartialObjectMetadata{}
	n.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	switch err := s.Reader.Get(ctx, client.ObjectKey{Name: name}, n); {
	case apierrors.IsNotFound(err):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return n.Labels, true, nil
}

// One is a namespace alone, for compile.API to say whether an API admits it. One that
// isn't known is selected by nothing.
func (s Source) One(ctx context.Context, name string) (compile.Selectable, error) {
	set, known, err := s.NamespaceLabels(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case s.Limited() && known:
		return compile.Watched{name}, nil
	case s.Limited():
		return compile.Watched{}, nil
	case known:
		return compile.Namespaces{name: set}, nil
	default:
		return compile.Namespaces{}, nil
	}
}

// All are all namespaces that are known.
func (s Source) All(ctx context.Context) (compile.Selectable, error) {
	if s.Limited() {
		return compile.Watched(s.Watched), nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := s.Reader.List(ctx, list); err != nil {
		return nil, fmt.Errorf("listing namespaces: %w", err)
	}
	out := make(compile.Namespaces, len(list.Items))
	for i := range list.Items {
		out[list.Items[i].Name] = list.Items[i].Labels
	}
	return out, nil
}
