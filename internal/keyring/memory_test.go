package keyring_test

import (
	"runtime"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// TestMemoryPerKey holds keys with terms in common to what they took when this was
// written, 340 bytes, and those with a holder and attributes each to 610, with some to
// spare: of more keys each takes less.
func TestMemoryPerKey(t *testing.T) {
	tests := map[string]struct {
		key func(int) *keyring.Key
		max float64
	}{
		"terms and holder in common": {keyNumber, 420},
		"a holder each":              {planNumber, 680},
	}
	for name, tt := range tests {
		r, bytesPerKey := ringOf(20_000, tt.key)
		t.Logf("%s: %.0f bytes", name, bytesPerKey)
		if bytesPerKey > tt.max {
			t.Errorf("%s: a key takes %.0f bytes, more than %.0f", name, bytesPerKey, tt.max)
		}
		runtime.KeepAlive(r)
	}
}

// TestNothingIsLeft: keys that came, were edited and went take no memory.
func TestNothingIsLeft(t *testing.T) {
	const n = 20_000
	r := keyring.New(keyring.HostPolicy{})
	before := heap()
	for range 2 {
		for i := range n {
			r.SetKey(planNumber(i))
		}
		for i := range n {
			k := planNumber(i + 1)
			k.Name = planNumber(i).Name
			r.SetKey(k)
		}
		for i := range n / 2 {
			r.DeleteKey(planNumber(i).Name)
		}
		r.KeepKeys("", nil)
	}
	if left := float64(heap()) - float64(before); r.Len() != 0 || left > n {
		t.Errorf("%d keys and %.0f bytes are left", r.Len(), left)
	}
	runtime.KeepAlive(r)
}
