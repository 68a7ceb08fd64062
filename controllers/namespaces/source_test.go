package namespaces_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/namespaces"
)

var errAsked = errors.New("the API server was asked")

func cluster(t *testing.T, fails error) client.Reader {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme)
	for _, name := range []string{"a", "b"} {
		b = b.WithObjects(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": name}}})
	}
	return b.WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, name client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if fails != nil {
				return fails
			}
			return c.Get(ctx, name, o, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if fails != nil {
				return fails
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
}

func TestSource(t *testing.T) {
	all := namespaces.Source{Reader: cluster(t, nil)}
	some := namespaces.Source{Reader: cluster(t, errAsked), Watched: []string{"a", "c"}}
	for _, tt := range []struct {
		source namespaces.Source
		name   string
		want   string // limited, watches, known, labels
	}{
		{all, "a", "false true true team=a"},
		{all, "z", "false true false "},
		{some, "a", "true true true kubernetes.io/metadata.name=a"},
		{some, "c", "true true true kubernetes.io/metadata.name=c"},
		{some, "b", "true false false "},
	} {
		set, known, err := tt.source.NamespaceLabels(t.Context(), tt.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(tt.source.Limited(), tt.source.Watches(tt.name), known, set); got != tt.want {
			t.Errorf("of %s: got %q, want %q", tt.name, got, tt.want)
		}
		selects(t, tt.source.One, tt.name, known)
	}
	for _, tt := range []struct {
		source namespaces.Source
		want   compile.Selectable
	}{
		{all, compile.Namespaces{"a": {"team": "a"}, "b": {"team": "b"}}},
		{some, compile.Watched{"a", "c"}},
	} {
		if got, err := tt.source.All(t.Context()); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("all are %v (%v), want %v", got, err, tt.want)
		}
	}
}

// selects demands that a namespace alone is what everything selects, if it is known.
func selects(t *testing.T, one func(context.Context, string) (compile.Selectable, error), name string, known bool) {
	t.Helper()
	n, err := one(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := n.Select(labels.Everything())
	if want := []string{name}; err != nil || known && !reflect.DeepEqual(got, want) || !known && len(got) > 0 {
		t.Errorf("%s alone is %q (%v), and is known: %v", name, got, err, known)
	}
}

func TestSourceFails(t *testing.T) {
	s := namespaces.Source{Reader: cluster(t, errAsked)}
	if _, known, err := s.NamespaceLabels(t.Context(), "a"); !errors.Is(err, errAsked) || known {
		t.Errorf("labels: %v, known: %v", err, known)
	}
	if _, err := s.One(t.Context(), "a"); !errors.Is(err, errAsked) {
		t.Errorf("one: %v", err)
	}
	if _, err := s.All(t.Context()); !errors.Is(err, errAsked) {
		t.Errorf("all: %v", err)
	}
}
