package keyring_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// usage is a ring whose keys are used and edited, minutes after now.
type usage struct {
	*testing.T
	ring *keyring.Ring
}

func newUsage(t *testing.T) *usage { return &usage{t, keyring.New(keyring.HostPolicy{})} }

// set sets a key; raws that start with "ending" end.
func (u *usage) set(name string, raws ...string) *keyring.Key {
	k := newKey(name, raws...)
	for i, raw := range raws {
		if raw[0] == 'e' {
			k.Versions[i].NotAfter = keyring.At(now.Add(24 * time.Hour))
		}
	}
	u.ring.SetKey(k)
	return k
}

func (u *usage) use(raw string, minute int) {
	u.Helper()
	m, ok := u.ring.Find(shop, digest(raw))
	if !ok {
		u.Fatalf("%s isn't there", raw)
	}
	u.ring.MarkUsed(m.Version, now.Add(time.Duration(minute)*time.Minute+37*time.Second))
}

// want demands what is told: "raw minute", with those that end marked.
func (u *usage) want(n int, want ...string) {
	u.Helper()
	var got []string
	for _, use := range u.ring.TakeUses(n) {
		text := ""
		for _, raw := range []string{"a", "b", "c", "ending", "e2"} {
			if d := digest(raw); use.Digest == [8]byte(d[:8]) {
				text = raw
			}
		}
		text += fmt.Sprint(" ", use.At.Sub(now).Minutes())
		if use.Ends {
			text += " ends"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		u.Errorf("told of %q, want %q", got, want)
	}
}

func TestUsesAreToldOnceAndToTheMinute(t *testing.T) {
	u := newUsage(t)
	u.set("k", "a", "ending")
	u.want(9)
	u.use("a", 1)
	u.use("a", 1)
	u.want(9, "a 1")
	u.want(9)
	for minute := 2; minute <= 60; minute++ {
		u.use("a", minute)
	}
	u.want(9) // within the hour
	u.use("a", 61)
	u.use("a", 62)
	u.want(9, "a 62")
	u.use("a", 50) // a slow request, or a clock that was set back
	u.want(9)

	u.use("ending", 1)
	u.want(9, "ending 1 ends")
	u.use("ending", 2)
	u.use("ending", 2)
	u.want(9, "ending 2 ends")
}

func TestUsesThatSomebodyWaitsForComeFirst(t *testing.T) {
	u := newUsage(t)
	u.set("k", "a", "ending", "b", "e2", "c")
	for i, raw := range []string{"a", "b", "ending", "c", "e2"} {
		u.use(raw, i)
	}
	u.want(0)
	u.want(1, "ending 2 ends")
	u.use("ending", 7)
	u.want(3, "e2 4 ends", "ending 7 ends", "a 0")
	u.want(9, "b 1", "c 3")
	u.want(9)
}

func TestUsesStayWithTheVersionOfTheAPIKey(t *testing.T) {
	tests := map[string]struct {
		edit func(u *usage) // of a key that was used at minute 1 and told of, then at minute 5
		want []string       // is told after a use in minute 5
	}{
		"an edit":          {func(u *usage) { u.set("k", "a") }, nil},
		"a rotation":       {func(u *usage) { u.set("k", "b", "a") }, nil},
		"another object":   {func(u *usage) { k := newKey("k", "a"); k.UID = "other"; u.ring.SetKey(k) }, []string{"a 5"}},
		"deleted, created": {func(u *usage) { u.ring.DeleteKey(newKey("k").Name); u.set("k", "a") }, []string{"a 5"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u := newUsage(t)
			u.set("k", "a")
			u.use("a", 1)
			u.want(9, "a 1")
			tt.edit(u)
			u.use("a", 5)
			u.want(9, tt.want...)
		})
	}
}

// What nobody was told of because it wasn't due is, once the version is to end.
func TestUsesOfAVersionThatEndsFromNowOn(t *testing.T) {
	u := newUsage(t)
	u.set("k", "a")
	u.use("a", 1)
	u.want(9, "a 1")
	u.use("a", 30)
	u.want(9)
	k := newKey("k", "a")
	k.Versions[0].NotAfter = keyring.At(now.Add(time.Hour))
	u.ring.SetKey(k)
	u.want(9, "a 30 ends")
	again := *k
	u.ring.SetKey(&again)
	u.want(9)

	u.use("a", 31) // waits as one that ends
	plain := newKey("k", "a")
	u.ring.SetKey(plain)
	u.use("a", 99) // and as one that doesn't
	u.want(9, "a 99 ends")
	u.want(9)
}

func TestUsesWhileKeysChange(t *testing.T) {
	u := newUsage(t)
	u.set("k", "a", "ending")
	told := map[[8]byte]time.Time{}
	whileChanging(func() {
		for minute := range 2000 {
			u.set("k", "a", "ending")
			for _, use := range u.ring.TakeUses(1 + minute%3) {
				if !use.At.After(told[use.Digest]) {
					t.Errorf("told of %v after %v", use.At, told[use.Digest])
				}
				told[use.Digest] = use.At
			}
			u.use("ending", minute)
		}
	}, func() {
		u.use("a", 1)
		u.use("ending", 1)
	})
	u.ring.TakeUses(9)
	if d := digest("a"); len(told) == 0 || told[[8]byte(d[:8])].After(now.Add(time.Minute)) {
		t.Errorf("told of %v", told)
	}
}

// A version that no ring has given out has no mark, and is nothing to panic over.
func TestMarkUsedOfNoRing(t *testing.T) {
	u := newUsage(t)
	u.ring.MarkUsed(&keyring.Version{Digest: digest("a")}, now)
	u.want(9)
}

func BenchmarkMarkUsed(b *testing.B) {
	r, _ := ringOf(10_000, keyNumber)
	m, _ := r.Find(shop, seq(7))
	b.ReportAllocs()
	for b.Loop() {
		r.MarkUsed(m.Version, now)
	}
}
