package keyring_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

var (
	now     = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	shop    = keyring.Name{Namespace: "shop", Name: "api"}
	billing = keyring.Name{Namespace: "billing", Name: "api"}
)

func digest(raw string) key.Digest { return key.NewRaw(raw).Digest() }

// newKey returns a key of the shop's API whose raw keys are given.
func newKey(name string, raws ...string) *keyring.Key {
	k := keyring.NewKey()
	k.Name, k.UID, k.CreatedAt, k.API = keyring.Name{Namespace: "team", Name: name}, "uid of "+name, keyring.At(now), shop
	for _, raw := range raws {
		k.Versions = append(k.Versions, keyring.Version{Digest: digest(raw), Hint: raw[:1]})
	}
	return k
}

// find returns the name of the key that a raw key belongs to, or "".
func find(r *keyring.Ring, api keyring.Name, raw string) string {
	m, ok := r.Find(api, digest(raw))
	if !ok {
		return ""
	}
	return m.Key.Name.Name
}

// A key of one API never opens another.
func TestFindWithinOneAPI(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	for _, api := range []keyring.Name{shop, keyring.DefaultAPI} {
		k := newKey("of "+api.String(), "raw of "+api.String())
		k.API = api
		r.SetKey(k)
	}
	tests := []struct {
		api       keyring.Name
		raw, want string
	}{
		{shop, "raw of shop/api", "of shop/api"},
		{keyring.DefaultAPI, "raw of default", "of default"},
		{shop, "raw of default", ""},
		{keyring.DefaultAPI, "raw of shop/api", ""},
		{billing, "raw of shop/api", ""},
		{keyring.Name{Namespace: "shop"}, "raw of shop/api", ""},
		{keyring.Name{Name: "api"}, "raw of shop/api", ""},
		{shop, "another", ""},
	}
	for _, tt := range tests {
		if got := find(r, tt.api, tt.raw); got != tt.want {
			t.Errorf("%q in %s: found %q, want %q", tt.raw, tt.api, got, tt.want)
		}
	}
}

func TestFindTellsTheVersion(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	k := newKey("k", "current", "retiring")
	k.Versions[1].NotAfter = keyring.At(now.Add(time.Hour))
	r.SetKey(k)
	for i, raw := range []string{"current", "retiring"} {
		if m, ok := r.Find(shop, digest(raw)); !ok || m.Key != k || m.Version != &k.Versions[i] {
			t.Errorf("%s: got %+v, want %+v", raw, m, k.Versions[i])
		}
	}
}

func TestDuplicates(t *testing.T) {
	type holder struct {
		name  string
		age   int // in hours
		state keyring.State
		err   error
	}
	tests := map[string][]holder{ // in the order in which they win
		"older before younger": {{name: "b", age: 2}, {name: "a", age: 1}},
		"of one age, by name":  {{name: "a"}, {name: "b"}, {name: "c"}},
		"revoked before all": {
			{name: "revoked", age: 1, state: keyring.Revoked}, {name: "older", age: 3}, {name: "old", age: 2},
		},
		"of two revoked, the older": {
			{name: "b", age: 2, state: keyring.Revoked}, {name: "a", age: 1, state: keyring.Revoked}, {name: "c", age: 3},
		},
		"one that is being deleted leaves it to the others": {
			{name: "young", age: 1}, {name: "old", age: 3, state: keyring.Deleted},
		},
		"revoked before deleted": {
			{name: "revoked", age: 1, state: keyring.Revoked}, {name: "deleted", age: 2, state: keyring.Deleted},
		},
		"of two deleted, the older": {
			{name: "b", age: 2, state: keyring.Deleted}, {name: "a", age: 1, state: keyring.Deleted},
		},
		"suspended and broken ones hold it like others": {
			{name: "c", age: 3, state: keyring.Suspended}, {name: "b", age: 2, err: errors.New("broken")}, {name: "a", age: 1},
		},
	}
	for name, holders := range tests {
		t.Run(name, func(t *testing.T) {
			for _, order := range permutations(len(holders)) {
				r := keyring.New(keyring.HostPolicy{})
				for _, i := range order {
					h := holders[i]
					k := newKey(h.name, "raw")
					k.CreatedAt, k.State, k.Err = keyring.At(now.Add(-time.Duration(h.age)*time.Hour)), h.state, h.err
					r.SetKey(k)
				}
				var got, want []string
				for _, h := range holders {
					got, want = append(got, find(r, shop, "raw")), append(want, h.name)
					r.DeleteKey(keyring.Name{Namespace: "team", Name: h.name})
				}
				if left := find(r, shop, "raw"); !slices.Equal(got, want) || left != "" || r.Len() != 0 {
					t.Fatalf("set in order %v: %q won one after the other, then %q; want %q, then none", order, got, left, want)
				}
			}
		})
	}
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), i, n-1))
		}
	}
	return all
}

func TestNamespaceOrdersBeforeName(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	for _, name := range []keyring.Name{{Namespace: "b", Name: "a"}, {Namespace: "a", Name: "b"}} {
		k := newKey(name.Name, "raw")
		k.Name = name
		r.SetKey(k)
	}
	if got := find(r, shop, "raw"); got != "b" {
		t.Errorf("found %q, want %q of namespace a", got, "b")
	}
}

// Every edit of one of two holders of a digest decides anew who has it.
func TestDuplicatesWhileEdited(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	set := func(name string, age int, state keyring.State, raws ...string) {
		k := newKey(name, raws...)
		k.CreatedAt, k.State = keyring.At(now.Add(-time.Duration(age)*time.Hour)), state
		r.SetKey(k)
	}
	set("old", 2, keyring.Active, "raw")
	set("young", 1, keyring.Active, "raw")
	steps := []struct {
		name string
		edit func()
		want string
	}{
		{"the younger is revoked", func() { set("young", 1, keyring.Revoked, "raw") }, "young"},
		{"and loses the digest", func() { set("young", 1, keyring.Revoked, "other") }, "old"},
		{"and gets it again", func() { set("young", 1, keyring.Revoked, "raw") }, "young"},
		{"and is deleted", func() { set("young", 1, keyring.Deleted, "raw") }, "old"},
		{"the older is being deleted too", func() { set("old", 2, keyring.Deleted, "raw") }, "old"},
		{"the older is gone", func() { r.DeleteKey(keyring.Name{Namespace: "team", Name: "old"}) }, "young"},
		{"created again, it is the younger", func() { set("old", 0, keyring.Deleted, "raw") }, "young"},
	}
	for _, s := range steps {
		s.edit()
		if got := find(r, shop, "raw"); got != s.want {
			t.Errorf("%s: found %q, want %q", s.name, got, s.want)
		}
	}
}

func TestSetKeyReplaces(t *testing.T) {
	tests := map[string]struct {
		edit func(k *keyring.Key)
		want map[string]string // what is found by raw key, in the shop's API
	}{
		"nothing": {func(*keyring.Key) {}, map[string]string{"one": "k", "two": "k"}},
		"a version is dropped": {
			func(k *keyring.Key) { k.Versions = k.Versions[1:] }, map[string]string{"one": "", "two": "k"},
		},
		"a version is added": {
			func(k *keyring.Key) { k.Versions = append(k.Versions, keyring.Version{Digest: digest("three")}) },
			map[string]string{"one": "k", "two": "k", "three": "k"},
		},
		"all versions are others": {
			func(k *keyring.Key) { k.Versions = []keyring.Version{{Digest: digest("three")}} },
			map[string]string{"one": "", "two": "", "three": "k"},
		},
		"status is gone": {func(k *keyring.Key) { k.Versions = nil }, map[string]string{"one": "", "two": ""}},
		"another API":    {func(k *keyring.Key) { k.API = billing }, map[string]string{"one": "", "two": ""}},
		"another object": {func(k *keyring.Key) { k.UID = "other" }, map[string]string{"one": "k", "two": "k"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := keyring.New(keyring.HostPolicy{})
			r.SetKey(newKey("k", "one", "two"))
			edited := newKey("k", "one", "two")
			tt.edit(edited)
			r.SetKey(edited)
			for raw, want := range tt.want {
				if got := find(r, shop, raw); got != want {
					t.Errorf("%s: found %q, want %q", raw, got, want)
				}
				if m, ok := r.Find(shop, digest(raw)); ok && m.Key != edited {
					t.Errorf("%s leads to the key of before", raw)
				}
			}
			if edited.API == billing && find(r, billing, "one") != "k" {
				t.Error("not found in its new API")
			}
			r.DeleteKey(edited.Name)
			for _, raw := range []string{"one", "two", "three"} {
				if find(r, shop, raw)+find(r, billing, raw) != "" {
					t.Errorf("%s is found after DeleteKey", raw)
				}
			}
			if r.Len() != 0 {
				t.Errorf("%d keys are left", r.Len())
			}
		})
	}
}

// A match that was handed out stays as it was, whatever comes after.
func TestMatchesNeverChange(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	r.SetKey(newKey("k", "raw"))
	before, _ := r.Find(shop, digest("raw"))
	was := fmt.Sprintf("%+v %+v", before.Key, before.Version)
	edited := newKey("k", "raw")
	edited.State, edited.Versions[0].NotAfter = keyring.Revoked, keyring.At(now)
	r.SetKey(edited)
	r.DeleteKey(edited.Name)
	if is := fmt.Sprintf("%+v %+v", before.Key, before.Version); is != was {
		t.Errorf("it was %s\nand is %s", was, is)
	}
}

func TestDeleteKeyUnknown(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	r.SetKey(newKey("k", "raw"))
	r.DeleteKey(keyring.Name{Namespace: "team", Name: "other"})
	r.DeleteKey(keyring.Name{Namespace: "other", Name: "k"})
	if find(r, shop, "raw") != "k" || r.Len() != 1 {
		t.Error("deleting another key took this one out")
	}
}

// What was used of a rate limit stays with the APIKey through edits and
// rotations, and goes with it.
func TestRateLimitStaysWithTheAPIKey(t *testing.T) {
	limit := ratelimit.Limit{Requests: 3, Period: time.Hour}
	tests := map[string]struct {
		edit func(k *keyring.Key)
		want int64 // what remains after two requests before and one after
	}{
		"the same":       {func(*keyring.Key) {}, 0},
		"edited":         {func(k *keyring.Key) { k.Scopes = keyring.Scopes{"a"} }, 0},
		"rotated":        {func(k *keyring.Key) { k.Versions = []keyring.Version{{Digest: digest("new")}} }, 0},
		"raised":         {func(k *keyring.Key) { k.Limit.Requests = 10 }, 7},
		"another object": {func(k *keyring.Key) { k.UID = "other" }, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := keyring.New(keyring.HostPolicy{})
			k := newKey("k", "raw")
			k.Limit = limit
			r.SetKey(k)
			k.TakeRequest(now)
			k.TakeRequest(now)
			edited := newKey("k", "raw")
			edited.Limit = limit
			tt.edit(edited)
			r.SetKey(edited)
			if got := edited.TakeRequest(now); !got.Allowed || got.Remaining != tt.want {
				t.Errorf("got %+v, want %d remaining", got, tt.want)
			}
		})
	}
	t.Run("a request that found the key before the edit counts", func(t *testing.T) {
		r := keyring.New(keyring.HostPolicy{})
		before, after := newKey("k", "raw"), newKey("k", "raw")
		before.Limit, after.Limit = limit, limit
		r.SetKey(before)
		r.SetKey(after)
		before.TakeRequest(now)
		if got := after.TakeRequest(now); got.Remaining != 1 {
			t.Errorf("got %+v, want 1 remaining", got)
		}
	})
	t.Run("versions share it, keys don't", func(t *testing.T) {
		r := keyring.New(keyring.HostPolicy{})
		k, other := newKey("k", "one", "two"), newKey("other", "three")
		k.Limit, other.Limit = limit, limit
		r.SetKey(k)
		r.SetKey(other)
		var got []int64
		for _, raw := range []string{"one", "two", "three"} {
			m, _ := r.Find(shop, digest(raw))
			got = append(got, m.Key.TakeRequest(now).Remaining)
		}
		if want := []int64{2, 1, 2}; !slices.Equal(got, want) {
			t.Errorf("remaining: got %v, want %v", got, want)
		}
	})
}
