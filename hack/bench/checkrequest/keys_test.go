package checkrequest

import (
	"slices"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

func TestKeysAreAlwaysTheSame(t *testing.T) {
	many, err := Keys(1000)
	if err != nil {
		t.Fatal(err)
	}
	few, err := Keys(10)
	if err != nil || !slices.Equal(few, many[:10]) {
		t.Errorf("got %q, %v, want %q", few, err, many[:10])
	}
	seen := map[string]bool{}
	for _, k := range many {
		if seen[k] || len(k) > 55 || !Format.Matches(key.NewRaw(k)) {
			t.Errorf("%s is there twice, longer than 55 bytes or not of the format", k)
		}
		seen[k] = true
	}
}

func TestKeysAreBounded(t *testing.T) {
	for _, n := range []int{-1, 0, MaxKeys + 1} {
		if keys, err := Keys(n); err == nil {
			t.Errorf("%d: got %d keys", n, len(keys))
		}
	}
}
