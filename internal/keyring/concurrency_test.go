package keyring_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// whileChanging reads from several goroutines until change has returned.
func whileChanging(change func(), read func()) {
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					read()
				}
			}
		})
	}
	change()
	close(done)
	readers.Wait()
}

// A digest that stays is never missing, and one that isn't there never found,
// whatever else changes.
func TestFindWhileKeysChange(t *testing.T) {
	const rounds = 3000
	tests := map[string]struct {
		before *keyring.Key
		change func(r *keyring.Ring, i int)
	}{
		"rotations of the key": {newKey("k", "stays"), func(r *keyring.Ring, i int) {
			r.SetKey(newKey("k", fmt.Sprint("new ", i), "stays", fmt.Sprint("old ", i)))
		}},
		"a re-created key": {newKey("k", "stays"), func(r *keyring.Ring, i int) {
			k := newKey("k", "stays")
			k.UID = fmt.Sprint(i)
			r.SetKey(k)
		}},
		"other keys": {newKey("k", "stays"), func(r *keyring.Ring, i int) {
			other := newKey(fmt.Sprint("other ", i%10), fmt.Sprint("raw ", i))
			r.SetKey(other)
			if i%3 == 0 {
				r.DeleteKey(other.Name)
			}
		}},
		"duplicates that win and lose": {newKey("k", "stays"), func(r *keyring.Ring, i int) {
			other := newKey("a duplicate", "stays")
			other.State = keyring.State(i % 4)
			r.SetKey(other)
			if i%3 == 0 {
				r.DeleteKey(other.Name)
			}
		}},
		"a digest that moves between duplicates": {newKey("k", "stays"), func(r *keyring.Ring, i int) {
			if i%2 == 0 {
				r.SetKey(newKey("other", "stays"))
				r.SetKey(newKey("k"))
			} else {
				r.SetKey(newKey("k", "stays"))
				r.SetKey(newKey("other"))
			}
		}},
		"APIs": {newKey("k", "stays"), func(r *keyring.Ring, i int) {
			r.SetAPI(&keyring.API{Name: shop, Hosts: []string{fmt.Sprint("h", i)}})
			if i%3 == 0 {
				r.DeleteAPI(shop)
			}
		}},
	}
	stays, never := digest("stays"), digest("never")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := keyring.New(keyring.HostPolicy{})
			r.SetKey(tt.before)
			whileChanging(func() {
				for i := range rounds {
					tt.change(r, i)
				}
			}, func() {
				m, ok := r.Find(shop, stays)
				if !ok || m.Version.Digest != stays || m.Key.API != shop {
					t.Errorf("the digest that stays: found %v %+v", ok, m)
				}
				m.Key.TakeRequest(now)
				if m, ok := r.Find(shop, never); ok {
					t.Errorf("found %+v", m)
				}
			})
		})
	}
}

// An API that stays keeps its host while others come and go, and the host of one
// that comes and goes never leads to another.
func TestAPIForHostWhileAPIsChange(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{Grants: grants(t, "shop=*.shop.dev", "team=*.team.dev"), DefaultHosts: []string{"*"}})
	r.SetAPI(claim{name: "shop/stays", hosts: []string{"x.shop.dev"}}.api())
	whileChanging(func() {
		for i := range 1000 {
			r.SetAPI(claim{name: "shop/other", age: 9, hosts: []string{"*.shop.dev", fmt.Sprintf("h%d.shop.dev", i)}}.api())
			r.SetAPI(claim{name: "team/api", hosts: []string{"a.team.dev"}}.api())
			r.DeleteAPI(keyring.Name{Namespace: "team", Name: "api"})
		}
	}, func() {
		if api, ok := r.APIForHost("x.shop.dev"); !ok || api.Name.Name != "stays" {
			t.Errorf("x.shop.dev leads to %+v", api)
		}
		if api, ok := r.APIForHost("a.team.dev"); ok && api.Name.Namespace != "team" {
			t.Errorf("a.team.dev leads to %s", api.Name)
		}
		if _, ok := r.API(keyring.DefaultAPI); !ok {
			t.Error("the default API is gone")
		}
	})
}
