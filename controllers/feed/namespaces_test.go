package feed

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// newSome returns a feed of namespaces that a test fills by hand.
func newSome(namespaces ...string) *Feed {
	f := &Feed{ring: keyring.New(keyring.HostPolicy{}), watched: namespaces, moved: make(chan struct{}, 1), selecting: map[keyring.Name]*v1alpha1.ProtectedAPI{}}
	for _, namespace := range namespaces {
		f.keys = append(f.keys, &keys{namespace: namespace, ring: f.ring, moved: f.moved})
	}
	return f
}

// keyIn returns an APIKey that holds a raw key which is its name.
func keyIn(namespace, name string) *v1alpha1.APIKey {
	k := apiKeyOf(name, namespace+name, "1", name)
	k.Namespace = namespace
	return k
}

func TestPositionsOfNamespaces(t *testing.T) {
	f := newSome("busy", "idle")
	want := func(step, least, busy, idle string, names ...string) {
		t.Helper()
		if got, want := f.Positions(), map[string]string{"busy": busy, "idle": idle}; f.Position() != least || !maps.Equal(got, want) {
			t.Errorf("%s: at %q, and %v; want %q, and %v", step, f.Position(), got, least, want)
		}
		var known []string
		for _, name := range []string{"a", "b", "c", "d"} {
			if _, ok := f.ring.Find(keyring.DefaultAPI, key.NewRaw(name).Digest()); ok {
				known = append(known, name)
			}
		}
		if !slices.Equal(known, names) {
			t.Errorf("%s: known are %q, want %q", step, known, names)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want("before", "", "", "")
	busy, idle := f.keys[0].begin(t.Context()), f.keys[1].begin(t.Context())
	must(busy.Replace([]any{keyIn("busy", "a"), keyIn("busy", "b")}, "100"))
	want("one is listed", "", "100", "", "a", "b")
	must(idle.Replace([]any{keyIn("idle", "c")}, "99"))
	want("both are", "99", "100", "99", "a", "b", "c") // a list of one takes nothing from the other
	must(busy.Add(keyIn("busy", "d")))
	<-f.Moved()
	busy.UpdateResourceVersion("1000")
	<-f.Moved()
	want("an event", "99", "1000", "99", "a", "b", "c", "d")
	idle.UpdateResourceVersion("1001")
	want("a bookmark", "1000", "1000", "1001", "a", "b", "c", "d")

	f.Relist()
	want("anew", "", "", "", "a", "b", "c", "d")
	busy.UpdateResourceVersion("1002") // is of before
	f.keys[0].end(busy)
	must(f.keys[0].begin(t.Context()).Replace([]any{keyIn("busy", "b")}, "1003"))
	want("one is listed anew", "", "1003", "", "b", "c")
	must(f.keys[1].begin(t.Context()).Replace(nil, "1004"))
	want("both are anew", "1003", "1003", "1004", "b")
}

// A name that is missing isn't all namespaces.
func TestNamespacesHaveNames(t *testing.T) {
	if _, err := New(&rest.Config{}, runtime.NewScheme(), keyring.New(keyring.HostPolicy{}), "a", ""); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("got %v", err)
	}
}

// TestAnEditOfWhichItCannotBeToldWhomItAdmits ends what was admitted before it: the API
// isn't served until it can be told, as it isn't where it has never been.
func TestAnEditOfWhichItCannotBeToldWhomItAdmits(t *testing.T) {
	f := newSome("a", "b")
	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "api", UID: types.UID("1")}, Spec: v1alpha1.ProtectedAPISpec{
		AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll},
	}}
	want := func(step string, admitsB, unknown bool) {
		t.Helper()
		api, ok := f.ring.API(keyring.Name{Namespace: "a", Name: "api"})
		if !ok || api.Admits("b") != admitsB || errors.Is(api.Err, compile.ErrLabelsUnknown) != unknown || api.Err != nil != unknown {
			t.Errorf("%s: admits b: %v, error: %v", step, api.Admits("b"), api.Err)
		}
	}
	f.setAPI(p.DeepCopy())
	want("all", true, false)
	p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "x"}}}
	f.setAPI(p.DeepCopy())
	want("by a label", false, true)
	p.Spec.AllowedNamespaces.Selector.MatchLabels = map[string]string{"kubernetes.io/metadata.name": "b"}
	f.setAPI(p.DeepCopy())
	want("by name", true, false)
	p.Spec.AllowedNamespaces.Selector.MatchLabels = map[string]string{"": "x"} // can't be read at all: as before
	f.setAPI(p.DeepCopy())
	want("by nothing", true, false)
}
