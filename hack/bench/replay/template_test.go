package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// Each key is an APIKey of its own, and the one that opens with the raw key of that number.
func TestKeys(t *testing.T) {
	const n = 250
	s, err := newStore(n)
	if err != nil {
		t.Fatal(err)
	}
	raws, err := checkrequest.Keys(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 7, n - 1} {
		text := s.appendKey([]byte("before"), i)
		var got v1alpha1.APIKey
		if err := json.Unmarshal(text[len("before"):], &got); err != nil {
			t.Fatalf("key %d: %v\n%s", i, err, text)
		}
		want := fmt.Sprintf("team-%02d/shop-integration-%07d 6bf524ce-2d41-43f5-958f-89530%07d %d", i%100, i, i, 10_000_000+i)
		if said := fmt.Sprintf("%s/%s %s %s", got.Namespace, got.Name, got.UID, got.ResourceVersion); said != want {
			t.Errorf("key %d: got %s, want %s", i, said, want)
		}
		digest := key.NewRaw(raws[i]).Digest().String()
		if k := got.Status.Keys[0]; k.Digest != digest || k.Hint != raws[i][:len("bk_live_")+4] {
			t.Errorf("key %d: got %s, %s, want %s, %s", i, k.Digest, k.Hint, digest, raws[i][:len("bk_live_")+4])
		}
		if len(got.Spec.Scopes) != 20 || len(got.Spec.AllowedIPs) != 10 || len(got.ManagedFields) != 2 {
			t.Errorf("key %d: %d scopes, %d blocks, %d managers", i, len(got.Spec.Scopes), len(got.Spec.AllowedIPs), len(got.ManagedFields))
		}
		if bytes.Contains(text, []byte("@")) != bytes.Contains(text, []byte("ops@shop.example")) || bytes.Count(text, []byte("@")) != 1 {
			t.Errorf("key %d: a mark is left in\n%s", i, text)
		}
		if problems := validation.IsDNS1123Subdomain(got.Name); len(problems) > 0 {
			t.Errorf("key %d: %v", i, problems)
		}
	}
}

// Edits keep what the request needs, and differ.
func TestEdits(t *testing.T) {
	all, err := edits()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, e := range all {
		var got v1alpha1.APIKey
		if err := json.Unmarshal(e.appendTo(nil, &filling{number: 1, hint: [4]byte([]byte("abcd"))}), &got); err != nil {
			t.Fatal(err)
		}
		if last := got.Spec.Scopes[len(got.Spec.Scopes)-1]; last != "READ_BUDGETS" {
			t.Errorf("edit %d: the last scope is %s", i, last)
		}
		seen[fmt.Sprint(got.Spec.DisplayName, got.Spec.Scopes)] = true
	}
	if len(seen) != 3 {
		t.Errorf("got %d different specs, want 3", len(seen))
	}
}

func TestProtectedAPI(t *testing.T) {
	p := protectedAPI()
	routes := map[string]bool{}
	for _, s := range p.Spec.Scopes {
		for _, r := range s.Routes {
			routes[fmt.Sprint(r.Methods, r.Path)] = true
		}
	}
	if len(p.Spec.Scopes) != 20 || len(routes) != 100 {
		t.Errorf("got %d scopes with %d routes, want 20 with 100", len(p.Spec.Scopes), len(routes))
	}
}

// Every key has its turn before one has its second.
func TestStride(t *testing.T) {
	for _, n := range []int{1, 2, 100, 7919, 2 * 7919} {
		seen := make([]bool, n)
		at := 0
		for range n {
			at = (at + stride(n)) % n
			if seen[at] {
				t.Errorf("%d keys: %d comes twice", n, at)
			}
			seen[at] = true
		}
	}
}
