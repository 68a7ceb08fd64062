package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/throttle"
)

// sent is one request with a key, from an address, at a time.
type sent struct {
	key, from string
	at        time.Duration
	want      Reason
	wait      time.Duration
}

func TestWrongKeys(t *testing.T) {
	const eve, ann, malformed = "203.0.113.7", "203.0.113.8", "x"
	many := func(n int, s sent) []sent { return slices.Repeat([]sent{s}, n) }
	for name, tt := range map[string]struct {
		limit int
		apply func(w *world)
		sent  []sent
	}{
		"the budget, then one as it refills": {3, nil, []sent{
			{other, eve, 0, UnknownKey, 0},
			{malformed, eve, 0, MalformedCredential, 0},
			{other, eve, 0, UnknownKey, 0},
			{other, eve, 0, WrongKeyThrottled, 20 * time.Second},
			{malformed, eve, 5 * time.Second, WrongKeyThrottled, 15 * time.Second},
			{other, eve, 20 * time.Second, UnknownKey, 0},
			{other, eve, 20 * time.Second, WrongKeyThrottled, 20 * time.Second},
		}},
		"a valid key at once, after 10 000 wrong ones": {60, nil, slices.Concat(
			many(60, sent{other, eve, 0, UnknownKey, 0}), many(10_000, sent{other, eve, 0, WrongKeyThrottled, time.Second}),
			many(2, sent{good, eve, 0, Allowed, 0}), many(1, sent{other, eve, 0, WrongKeyThrottled, time.Second}),
			many(1, sent{good, eve, 0, Allowed, 0}),
		)},
		"valid keys take nothing of it": {1, func(w *world) { w.key.Limit.Requests = 1000 }, slices.Concat(
			many(1000, sent{good, eve, 0, Allowed, 0}), many(1, sent{other, eve, 0, UnknownKey, 0}),
		)},
		"another address has its own": {1, nil, []sent{
			{other, eve, 0, UnknownKey, 0}, {other, eve, 0, WrongKeyThrottled, time.Minute},
			{other, ann, 0, UnknownKey, 0}, {other, ann, 0, WrongKeyThrottled, time.Minute},
		}},
		"a /64 is one client": {1, func(w *world) { w.key.AllowedIPs = nil }, []sent{
			{other, "2001:db8::1", 0, UnknownKey, 0}, {other, "2001:db8::ffff:2", 0, WrongKeyThrottled, time.Minute},
			{other, "2001:db8:0:1::1", 0, UnknownKey, 0}, {good, "2001:db8::3", 0, Allowed, 0},
		}},
		"a key that is known is answered as ever": {1, func(w *world) { w.key.State = keyring.Revoked }, []sent{
			{other, eve, 0, UnknownKey, 0}, {other, eve, 0, WrongKeyThrottled, time.Minute}, {good, eve, 0, RevokedKey, 0},
		}},
		"no key is no wrong key":      {1, func(w *world) { w.headers["authorization"] = nil }, many(3, sent{"", eve, 0, MissingCredential, 0})},
		"two keys are not told apart": {1, nil, many(3, sent{good + "," + other, eve, 0, AmbiguousCredential, 0})},
		"a key that may be new isn't counted": {1, func(w *world) { w.current = false }, slices.Concat(
			many(3, sent{other, eve, 0, NotCurrent, 0}), many(1, sent{"\xff", eve, 0, MalformedCredential, 0}),
			many(1, sent{"\xff", eve, 0, WrongKeyThrottled, time.Minute}), many(1, sent{other, eve, 0, NotCurrent, 0}),
		)},
		"without a known address nobody is counted": {1, nil, slices.Concat(
			many(3, sent{other, "@", 0, UnknownKey, 0}), many(3, sent{other, "10.0.0.1", 0, UnknownKey, 0}), many(3, sent{other, "", 0, UnknownKey, 0}),
		)},
		"behind a trusted proxy it is the client's": {1, func(w *world) { w.request.ForwardedFor = []string{eve} }, []sent{
			{other, "10.0.0.1", 0, UnknownKey, 0}, {other, "10.0.0.2", 0, WrongKeyThrottled, time.Minute}, {other, ann, 0, UnknownKey, 0},
		}},
		"0 is no limit": {0, nil, many(1000, sent{other, eve, 0, UnknownKey, 0})},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.wrongKey = throttle.New(tt.limit).Take
			if tt.apply != nil {
				tt.apply(w)
			}
			a := w.authenticator()
			for i, s := range tt.sent {
				r := w.request
				r.Source, r.Time = s.from, now.Add(s.at)
				if s.key != "" {
					w.headers["authorization"] = []string{"Bearer " + s.key}
				} else {
					delete(w.headers, "authorization")
				}
				if v := a.Authenticate(&r); v.Reason != s.want || v.RetryAfter != s.wait {
					t.Fatalf("request %d, %+v: got %s and %v", i, s, v.Reason, v.RetryAfter)
				}
			}
		})
	}
}

// What lets a request through never asks about wrong keys, and so costs nothing:
// neither a lock nor memory.
func TestOnlyWrongKeysAreCounted(t *testing.T) {
	counted := []Reason{MalformedCredential, UnknownKey, WrongKeyThrottled}
	for _, f := range append(failures, failure{reason: Allowed, apply: func(*world) {}}) {
		t.Run(string(f.reason), func(t *testing.T) {
			w := newWorld()
			f.apply(w)
			said := w.wrongKey
			var asked []string
			w.wrongKey = func(client netip.Addr, at time.Time) time.Duration {
				asked = append(asked, fmt.Sprint(client, at.Sub(now)))
				if said != nil {
					return said(client, at)
				}
				return 0
			}
			expectReason(t, w.outcome(), f.reason)
			var want []string
			if slices.Contains(counted, f.reason) {
				want = []string{"203.0.113.7 0s"}
			}
			if !slices.Equal(asked, want) {
				t.Errorf("asked %q, want %q", asked, want)
			}
		})
	}
}
