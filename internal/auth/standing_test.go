package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// Deadlines are min(notAfter, expiresAt), and what comes at the deadline is late.
func TestDeadlines(t *testing.T) {
	deadline := now.Add(time.Hour)
	later := deadline.Add(time.Hour)
	tests := map[string]struct {
		expiresAt, notAfter time.Time
		at                  time.Time
		want                Reason
	}{
		"no deadline":                       {time.Time{}, time.Time{}, deadline.AddDate(100, 0, 0), Allowed},
		"a nanosecond before expiry":        {deadline, time.Time{}, deadline.Add(-1), Allowed},
		"exactly at expiry":                 {deadline, time.Time{}, deadline, ExpiredKey},
		"after expiry":                      {deadline, time.Time{}, deadline.Add(1), ExpiredKey},
		"in another time zone":              {deadline.In(time.FixedZone("", 7200)), time.Time{}, deadline, ExpiredKey},
		"a nanosecond before notAfter":      {time.Time{}, deadline, deadline.Add(-1), Allowed},
		"exactly at notAfter":               {time.Time{}, deadline, deadline, ExpiredKey},
		"notAfter first":                    {later, deadline, deadline, ExpiredKey},
		"expiry first: never extended":      {deadline, later, deadline, ExpiredKey},
		"before both":                       {later, deadline, deadline.Add(-1), Allowed},
		"expiry in the past at first apply": {now.AddDate(-1, 0, 0), time.Time{}, now, ExpiredKey},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.key.ExpiresAt, w.key.Versions[0].NotAfter, w.request.Time = keyring.At(tt.expiresAt), keyring.At(tt.notAfter), tt.at
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

func TestVersionsEndOneByOne(t *testing.T) {
	w := simpleWorld(good, bearer)
	w.key.Versions = append(w.key.Versions, version(other))
	w.key.Versions[1].NotAfter = keyring.At(now)
	a := w.authenticator()
	for raw, want := range map[string]Reason{good: Allowed, other: ExpiredKey} {
		w.send(authorization("Bearer " + raw))
		got := outcomeOf(a.Authenticate(&w.request))
		if got.Reason != want || got.Hint != raw[:12] {
			t.Errorf("%s: got %+v, want %s", raw, got, want)
		}
	}
}

// Edits work as soon as they are in the ring, and use no quota.
func TestLifecycle(t *testing.T) {
	w := newWorld()
	a := w.authenticator()
	edit := func(change func(k *keyring.Key)) func() {
		return func() {
			k := newWorld().key
			change(k)
			w.ring.SetKey(k)
		}
	}
	unchanged := edit(func(*keyring.Key) {})
	steps := []struct {
		name string
		do   func()
		want Reason
		left int64
	}{
		{"issued", func() {}, Allowed, 2},
		{"suspended", edit(func(k *keyring.Key) { k.State = keyring.Suspended }), SuspendedKey, 0},
		{"resumed", unchanged, Allowed, 1},
		{"expired", edit(func(k *keyring.Key) { k.ExpiresAt = keyring.At(now) }), ExpiredKey, 0},
		{"extended", edit(func(k *keyring.Key) { k.ExpiresAt = keyring.At(now.Add(1)) }), Allowed, 0},
		{"spent", unchanged, RateLimited, 0},
		{"limit raised", edit(func(k *keyring.Key) { k.Limit.Requests = 5 }), Allowed, 1},
		{"limit lowered", edit(func(k *keyring.Key) { k.Limit.Requests = 4 }), RateLimited, 0},
		{"limit taken away", edit(func(k *keyring.Key) { k.Limit = ratelimit.Limit{} }), Allowed, 0},
		{"and given back", unchanged, RateLimited, 0},
		{"broken", edit(func(k *keyring.Key) { k.Err = errors.New("broken") }), BrokenKey, 0},
		{"rotated", edit(func(k *keyring.Key) { k.Versions = []keyring.Version{version(other)} }), UnknownKey, 0},
		{"revoked", edit(func(k *keyring.Key) { k.State = keyring.Revoked }), RevokedKey, 0},
		{"being deleted", edit(func(k *keyring.Key) { k.State = keyring.Deleted }), DeletedKey, 0},
		{"gone", func() { w.ring.DeleteKey(keyName) }, UnknownKey, 0},
		{"another of its name", edit(func(k *keyring.Key) { k.UID = "other" }), Allowed, 2},
		{"its API broken", func() {
			api := newWorld().api
			api.Err = errors.New("broken")
			w.ring.SetAPI(api)
		}, BrokenAPI, 0},
		{"its API gone", func() { w.ring.DeleteAPI(shop) }, UnknownAPI, 0},
		{"its API back", func() { w.ring.SetAPI(newWorld().api) }, Allowed, 1},
		{"its namespace not admitted", func() {
			api := newWorld().api
			api.Namespaces = nil
			w.ring.SetAPI(api)
		}, NamespaceNotAllowed, 0},
		{"and admitted", func() { w.ring.SetAPI(newWorld().api) }, Allowed, 0},
		{"not synced any more", func() { w.synced = false }, NotSynced, 0},
	}
	for _, s := range steps {
		s.do()
		got := outcomeOf(a.Authenticate(&w.request))
		if got.Reason != s.want || got.Rate.Remaining != s.left && s.name != "limit taken away" {
			t.Errorf("%s: got %+v, want %s with %d left", s.name, got, s.want, s.left)
		}
	}
}

func TestRateLimit(t *testing.T) {
	w := newWorld()
	a := w.authenticator()
	steps := []struct {
		after time.Duration
		want  ratelimit.Result
	}{
		{0, ratelimit.Result{Allowed: true, Remaining: 2, Reset: time.Hour}},
		{time.Minute, ratelimit.Result{Allowed: true, Remaining: 1, Reset: 59 * time.Minute}},
		{time.Minute, ratelimit.Result{Allowed: true, Remaining: 0, Reset: 59 * time.Minute}},
		{time.Hour - 1, ratelimit.Result{RetryAfter: 1, Reset: 1}},
		{90 * time.Minute, ratelimit.Result{Allowed: true, Remaining: 2, Reset: time.Hour}},
	}
	w.key.ExpiresAt = 0
	for i, s := range steps {
		w.request.Time = now.Add(s.after)
		want := holding.because(Allowed)
		if want.Rate = s.want; !s.want.Allowed {
			want.Reason = RateLimited
		}
		if got := outcomeOf(a.Authenticate(&w.request)); got != want {
			t.Errorf("request %d:\n got %+v\nwant %+v", i+1, got, want)
		}
	}
}

// Whatever panics denies, says what is known by then, and shows nothing.
func TestNeverPanics(t *testing.T) {
	known := outcome{API: "apis/shop", Path: "/v1/budgets"}
	tests := map[string]struct {
		apply func(a *Authenticator, r *Request)
		want  outcome
	}{
		"headers panic":       {func(_ *Authenticator, r *Request) { r.Headers = panicking{} }, known},
		"no headers":          {func(_ *Authenticator, r *Request) { r.Headers = nil }, known},
		"no ring":             {func(a *Authenticator, _ *Request) { a.Ring = nil }, outcome{Path: "/v1/budgets"}},
		"Synced panics":       {func(a *Authenticator, _ *Request) { a.Synced = func() bool { panic(good) } }, outcome{Path: "/v1/budgets"}},
		"nobody knows Synced": {func(a *Authenticator, _ *Request) { a.Synced = nil }, outcome{Path: "/v1/budgets"}},
		"a binding's header panics": {func(_ *Authenticator, r *Request) {
			r.Headers = panickingAt{fields: fields{"authorization": {"Bearer " + good}}, name: "email"}
		}, holding},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			a := w.authenticator()
			tt.apply(a, &w.request)
			expect(t, outcomeOf(a.Authenticate(&w.request)), tt.want.because(InternalError))
		})
	}
	t.Run("no request", func(t *testing.T) {
		expect(t, outcomeOf(newWorld().authenticator().Authenticate(nil)), outcome{Reason: InternalError})
	})
	t.Run("no Authenticator", func(t *testing.T) {
		expect(t, outcomeOf((*Authenticator)(nil).Authenticate(&Request{})), outcome{Reason: InternalError})
	})
}

// panickingAt panics at one header.
type panickingAt struct {
	fields
	name string
}

func (p panickingAt) Value(name string, i int) (string, bool) {
	if name == p.name {
		panic(good)
	}
	return p.fields.Value(name, i)
}
