package keyring_test

import (
	"math"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestInstant(t *testing.T) {
	tests := map[string]struct {
		time time.Time
		want keyring.Instant
		back time.Time
	}{
		"none":                       {time.Time{}, 0, time.Time{}},
		"a nanosecond":               {now.Add(1), keyring.Instant(now.UnixNano() + 1), now.Add(1)},
		"another time zone":          {now.In(time.FixedZone("", 7200)), keyring.Instant(now.UnixNano()), now},
		"before 1970":                {time.Unix(-1, 5), -999_999_995, time.Unix(-1, 5)},
		"1970 has passed: not none":  {time.Unix(0, 0), 1, time.Unix(0, 1)},
		"the year 1, a second later": {time.Time{}.Add(time.Second), math.MinInt64, time.Unix(0, math.MinInt64)},
		"the year 9999":              {time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), math.MaxInt64, time.Unix(0, math.MaxInt64)},
		"what UnixNano can't hold":   {time.Unix(math.MaxInt64/1_000_000_000, 999_999_999), math.MaxInt64, time.Unix(0, math.MaxInt64)},
	}
	for name, tt := range tests {
		got := keyring.At(tt.time)
		if got != tt.want || !got.Time().Equal(tt.back) || got.IsZero() != tt.time.IsZero() {
			t.Errorf("%s: got %d (%v), want %d (%v)", name, got, got, tt.want, tt.back)
		}
	}
}

// Deadlines mean what they would as times, whatever is held against them.
func TestEndedAgainstTimes(t *testing.T) {
	times := []time.Time{
		{}, time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 0), now, now.Add(1), now.Add(-1), now.Add(time.Hour), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	ended := func(deadline, at time.Time) bool { return !deadline.IsZero() && !at.Before(deadline) }
	for _, expires := range times {
		for _, notAfter := range times {
			for _, at := range []time.Time{time.Unix(0, 1), now.Add(-1), now, now.Add(1), now.AddDate(10, 0, 0)} {
				k := keyring.NewKey()
				k.ExpiresAt = keyring.At(expires)
				got := k.Ended(&keyring.Version{NotAfter: keyring.At(notAfter)}, at)
				if want := ended(expires, at) || ended(notAfter, at); got != want {
					t.Errorf("expires %v, not after %v, at %v: %v, want %v", expires, notAfter, at, got, want)
				}
			}
		}
	}
}

// Clone makes a key that has nothing in common with the one in the ring.
func TestClone(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{})
	k, twin := newKey("k", "raw"), newKey("twin", "twin")
	k.Scopes, twin.Scopes = keyring.Scopes{"a", "b", "c", "d", "e"}, keyring.Scopes{"a", "b", "c", "d", "e"}
	r.SetKey(k)
	r.SetKey(twin)
	if k.Terms != twin.Terms || k.Holder != twin.Holder {
		t.Error("equal terms and holders aren't shared")
	}
	edited := k.Clone()
	edited.Scopes, edited.Project, edited.Versions[0].Hint = keyring.Scopes{"f"}, "p", "h"
	if !k.Grants("e") || k.Project != "" || k.Versions[0].Hint != "r" || edited.Grants("e") || !edited.Grants("f") {
		t.Errorf("%+v and %+v aren't apart", k, edited)
	}
	r.SetKey(edited)
	if m, _ := r.Find(shop, digest("raw")); m.Key != edited || !m.Key.Grants("f") || m.Key.Grants("e") || !twin.Grants("e") {
		t.Errorf("found %+v", m.Key)
	}
	other := newKey("k", "raw")
	other.Name.Namespace, other.Scopes = "other", twin.Scopes
	if r.SetKey(other); other.Terms == twin.Terms {
		t.Error("namespaces share terms")
	}
}
