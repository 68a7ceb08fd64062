package keyring_test

import (
	"slices"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// Digests stand in status for everybody to read: an APIKey that the API doesn't
// admit must not take one from those that it does.
func TestDuplicatesThatTheAPIDoesNotAdmit(t *testing.T) {
	type holder struct {
		namespace string
		age       int // in hours
		state     keyring.State
	}
	admits := func(namespaces ...string) *keyring.API {
		api := &keyring.API{Name: shop, Namespaces: map[string]bool{}}
		for _, n := range namespaces {
			api.Namespaces[n] = true
		}
		return api
	}
	tests := map[string]struct {
		api     *keyring.API
		holders []holder
		want    string
	}{
		"an older one":               {admits("in"), []holder{{"in", 1, keyring.Active}, {"out", 2, keyring.Active}}, "in"},
		"one that is revoked":        {admits("in"), []holder{{"in", 1, keyring.Active}, {"out", 2, keyring.Revoked}}, "in"},
		"before one that is going":   {admits("in"), []holder{{"in", 1, keyring.Deleted}, {"out", 2, keyring.Active}}, "in"},
		"the best of those admitted": {admits("in", "also"), []holder{{"in", 1, keyring.Active}, {"also", 2, keyring.Active}, {"out", 3, keyring.Revoked}}, "also"},
		"a revoked one admitted":     {admits("in", "also"), []holder{{"in", 1, keyring.Revoked}, {"also", 2, keyring.Active}, {"out", 3, keyring.Active}}, "in"},
		"none admitted":              {admits(), []holder{{"in", 1, keyring.Active}, {"out", 2, keyring.Active}}, "out"},
		"alone":                      {admits("in"), []holder{{"out", 2, keyring.Active}}, "out"},
		"all admitted":               {&keyring.API{Name: shop, AllNamespaces: true}, []holder{{"in", 1, keyring.Active}, {"out", 2, keyring.Active}}, "out"},
		"an API that isn't there":    {nil, []holder{{"in", 1, keyring.Active}, {"out", 2, keyring.Active}}, "out"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, order := range permutations(len(tt.holders)) {
				r := keyring.New(keyring.HostPolicy{})
				if tt.api != nil {
					r.SetAPI(tt.api)
				}
				for _, i := range order {
					h := tt.holders[i]
					k := newKey("k", "raw")
					k.Name.Namespace, k.UID = h.namespace, h.namespace
					k.CreatedAt, k.State = keyring.At(now.Add(-time.Duration(h.age)*time.Hour)), h.state
					r.SetKey(k)
				}
				if m, ok := r.Find(shop, digest("raw")); !ok || m.Key.Name.Namespace != tt.want {
					t.Fatalf("set in order %v: found %+v, want that of namespace %s", order, m.Key, tt.want)
				}
			}
		})
	}
}

// Whom an API admits is asked at each look: labels of namespaces change.
func TestDuplicatesWhileAdmissionChanges(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	for _, namespace := range []string{"b", "a"} {
		k := newKey("k", "raw")
		k.Name.Namespace, k.UID = namespace, namespace
		r.SetKey(k)
	}
	for _, want := range []string{"b", "a", "b"} {
		r.SetAPI(&keyring.API{Name: shop, Namespaces: map[string]bool{want: true}})
		if m, _ := r.Find(shop, digest("raw")); m.Key.Name.Namespace != want {
			t.Errorf("found that of %s, want that of %s", m.Key.Name.Namespace, want)
		}
	}
}

func TestKeepKeys(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	for _, name := range []string{"one", "two", "three"} {
		r.SetKey(newKey(name, "raw of "+name))
	}
	r.KeepKeys("", map[keyring.Name]bool{{Namespace: "team", Name: "two"}: true, {Namespace: "team", Name: "new"}: true})
	if find(r, shop, "raw of one")+find(r, shop, "raw of three") != "" || find(r, shop, "raw of two") != "two" || r.Len() != 1 {
		t.Errorf("%d keys are left, want two only", r.Len())
	}
	r.KeepKeys("", nil)
	if find(r, shop, "raw of two") != "" || r.Len() != 0 {
		t.Error("keys are left")
	}
}

// Who lists one namespace knows nothing of the keys of others.
func TestKeepKeysOfANamespace(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	for _, name := range []keyring.Name{{Namespace: "a", Name: "one"}, {Namespace: "a", Name: "two"}, {Namespace: "b", Name: "one"}, {Namespace: "b", Name: "two"}} {
		k := newKey("k", "raw of "+name.String())
		k.Name, k.UID = name, name.String()
		r.SetKey(k)
	}
	left := func(want ...string) {
		t.Helper()
		var got []string
		for _, name := range []string{"a/one", "a/two", "b/one", "b/two"} {
			if _, ok := r.Find(shop, digest("raw of "+name)); ok {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) || r.Len() != len(want) {
			t.Errorf("left are %q of %d, want %q", got, r.Len(), want)
		}
	}
	r.KeepKeys("a", map[keyring.Name]bool{{Namespace: "a", Name: "two"}: true})
	left("a/two", "b/one", "b/two")
	r.KeepKeys("b", nil)
	left("a/two")
	r.KeepKeys("c", nil)
	left("a/two")
}
