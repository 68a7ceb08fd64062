package auth

import (
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// A server that may have missed a key says so of those that it doesn't know. What
// it knows stays as it is, and so does what can't be a key.
func TestNotCurrent(t *testing.T) {
	tests := map[string]struct {
		sent  string
		apply func(w *world)
		want  Reason
	}{
		"a known key":                    {good, nil, Allowed},
		"a known key that is denied":     {good, func(w *world) { w.key.State = keyring.Revoked }, RevokedKey},
		"an unknown key":                 {other, nil, NotCurrent},
		"a key of another shape":         {"imported", nil, NotCurrent},
		"a key with a comma":             {"one,two", nil, NotCurrent},
		"two keys that a gateway joined": {good + ", " + other, nil, AmbiguousCredential},
		"a key that can't be one":        {"\xff", nil, MalformedCredential},
		"no key":                         {"", nil, MalformedCredential},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.current = false
			if tt.apply != nil {
				tt.apply(w)
			}
			w.headers["authorization"] = []string{"Bearer " + tt.sent}
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

// What comes in while a request is looked at counts, if the server became current
// by it: the key may have been delivered since.
func TestBecomingCurrent(t *testing.T) {
	w := newWorld()
	a := w.authenticator()
	w.ring.DeleteKey(keyName)
	a.Current = func() bool {
		w.ring.SetKey(w.key)
		return true
	}
	expectReason(t, outcomeOf(a.Authenticate(&w.request)), Allowed)
}

// Only requests that are let through are uses.
func TestUse(t *testing.T) {
	for _, f := range append(failures, failure{reason: Allowed, apply: func(*world) {}}) {
		t.Run(string(f.reason), func(t *testing.T) {
			w := newWorld()
			f.apply(w)
			a := w.authenticator()
			expectReason(t, outcomeOf(a.Authenticate(&w.request)), f.reason)
			used := w.ring.TakeUses(9)
			if f.reason != Allowed {
				if len(used) != 0 {
					t.Errorf("it counts as a use: %v", used)
				}
				return
			}
			digest := key.NewRaw(good).Digest()
			if len(used) != 1 || used[0].Digest != [8]byte(digest[:8]) || !used[0].At.Equal(now.Truncate(time.Minute)) {
				t.Errorf("got %v, want one use of the key now", used)
			}
		})
	}
}
