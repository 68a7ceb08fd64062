package keyring_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestNewKnowsTheDefaultAPIOnly(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{DefaultHosts: []string{"*"}})
	want := &keyring.API{
		Credentials:   []keyring.Credential{{Place: keyring.Bearer}, {Place: keyring.Header, Name: "x-api-key"}},
		Formats:       []key.Format{{Prefix: "ak", Separator: "_", Alphabet: key.Base62, Length: 32}},
		AllNamespaces: true,
	}
	if got, ok := r.API(keyring.DefaultAPI); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, ok := r.APIForHost("any.example"); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("by host: got %+v, want %+v", got, want)
	}
	if got, ok := r.API(shop); ok {
		t.Errorf("%s is known: %+v", shop, got)
	}
}

func TestSetAPIAndDeleteAPI(t *testing.T) {
	const host = "shop.example"
	r := keyring.New(keyring.HostPolicy{
		Grants:       []keyring.Grant{{Namespace: "shop", Pattern: host}},
		DefaultHosts: []string{"*"},
	})
	k := newKey("k", "raw")
	r.SetKey(k)
	expect := func(step string, want *keyring.API) {
		t.Helper()
		byName, ok := r.API(shop)
		byHost, okHost := r.APIForHost(host)
		if byName != want || byHost != want || ok != (want != nil) || okHost != (want != nil) {
			t.Errorf("%s: got %+v by name and %+v by host, want %+v", step, byName, byHost, want)
		}
		if find(r, shop, "raw") != "k" {
			t.Errorf("%s: its key is gone", step)
		}
	}
	first := &keyring.API{Name: shop, CreatedAt: now, Hosts: []string{host}}
	broken := &keyring.API{Name: shop, CreatedAt: now, Hosts: []string{host}, Err: errors.New("broken")}
	expect("before", nil)
	r.SetAPI(first)
	expect("set", first)
	r.SetAPI(broken)
	expect("replaced by a broken one, which is never replaced by another API", broken)
	r.DeleteAPI(shop)
	expect("deleted, and its host doesn't fall to the default API", nil)
	r.DeleteAPI(shop)
	expect("deleted twice", nil)
	r.SetAPI(first)
	expect("set again", first)
	if api, ok := r.API(keyring.DefaultAPI); !ok || api.Name != keyring.DefaultAPI {
		t.Error("the default API is gone")
	}
}

// A table that was read stays as it was.
func TestCatalogIsReplacedNotChanged(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{Grants: []keyring.Grant{{Namespace: "shop", Pattern: "*.example"}}})
	api := &keyring.API{Name: shop, Hosts: []string{"a.example"}}
	r.SetAPI(api)
	r.SetAPI(&keyring.API{Name: shop, Hosts: []string{"b.example"}})
	if _, ok := r.APIForHost("a.example"); ok {
		t.Error("the host of before still leads to the API")
	}
	if len(api.Hosts) != 1 || api.Hosts[0] != "a.example" {
		t.Errorf("the API of before was changed: %+v", api)
	}
}

func TestAdmits(t *testing.T) {
	tests := map[string]struct {
		api  keyring.API
		want map[string]bool
	}{
		"none":        {keyring.API{}, map[string]bool{"shop": false, "": false}},
		"all":         {keyring.API{AllNamespaces: true}, map[string]bool{"shop": true, "other": true}},
		"same":        {keyring.API{Namespaces: map[string]bool{"shop": true}}, map[string]bool{"shop": true, "other": false, "Shop": false}},
		"not any one": {keyring.API{Namespaces: map[string]bool{"shop": false}}, map[string]bool{"shop": false}},
	}
	for name, tt := range tests {
		for namespace, want := range tt.want {
			if got := tt.api.Admits(namespace); got != want {
				t.Errorf("%s: admits %q: %v, want %v", name, namespace, got, want)
			}
		}
	}
}

func TestNameString(t *testing.T) {
	tests := map[keyring.Name]string{
		keyring.DefaultAPI:                      "default",
		shop:                                    "shop/api",
		{Namespace: "default", Name: "default"}: "default/default",
	}
	for name, want := range tests {
		if got := name.String(); got != want {
			t.Errorf("%#v: got %q, want %q", name, got, want)
		}
	}
}
