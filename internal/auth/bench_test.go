package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/internal/throttle"
)

// busyWorld holds many keys, each with 10 blocks, 20 scopes and a limit; the
// request's key matches the last block and the last scope.
func busyWorld(keys int, algorithm ratelimit.Algorithm) (*Authenticator, *Request) {
	w := newWorld()
	w.api.Conditions = nil
	a := w.authenticator()
	shape := func(i int) *keyring.Key {
		k := newWorld().key
		k.AllowedIPs, k.Scopes = nil, nil
		for n := range 9 {
			k.AllowedIPs = append(k.AllowedIPs, blocks(fmt.Sprintf("198.51.%d.0/24", n))...)
		}
		k.AllowedIPs = append(k.AllowedIPs, blocks("203.0.113.0/24")...)
		for n := range 19 {
			k.Scopes = append(k.Scopes, fmt.Sprintf("resource-%d:read", n))
		}
		k.Scopes = append(k.Scopes, "READ_BUDGETS")
		k.Limit = ratelimit.Limit{Requests: 1_000_000_000, Period: time.Second, Algorithm: algorithm}
		k.Name.Name, k.UID = fmt.Sprint("key-", i), fmt.Sprint(i)
		k.Versions = []keyring.Version{version(fmt.Sprintf("bk_live_%032x", i))}
		return k
	}
	for i := range keys {
		w.ring.SetKey(shape(i))
	}
	k := shape(keys)
	k.Versions = []keyring.Version{version(good)}
	w.ring.DeleteKey(keyName)
	w.ring.SetKey(k)
	return a, &w.request
}

func BenchmarkAuthenticate(b *testing.B) {
	a, r := busyWorld(10_000, ratelimit.FixedWindow)
	bucket, _ := busyWorld(10_000, ratelimit.TokenBucket)
	sent := r.Headers.(fields)
	with := func(authorization string) *Request {
		other := *r
		other.Headers = fields{"authorization": {authorization}, "email": sent["email"]}
		return &other
	}
	strict := *a
	strict.WrongKey = throttle.New(60).Take
	plain := *r
	plain.Host, plain.Path = "api.shop.dev", "/v1/budgets"
	rows := []struct {
		name string
		auth *Authenticator
		r    *Request
		want Reason
	}{
		{"allowed", a, &plain, Allowed},
		{"allowed, with a limit of wrong keys", &strict, &plain, Allowed},
		{"allowed by TokenBucket", bucket, &plain, Allowed},
		{"allowed, host and path to normalize", a, r, Allowed},
		{"unknown", a, with("Bearer " + other), UnknownKey},
		{"malformed", a, with("Bearer x"), MalformedCredential},
		{"missing", a, with(""), MissingCredential},
	}
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				row.r.Time = row.r.Time.Add(time.Microsecond)
				if v := row.auth.Authenticate(row.r); v.Reason != row.want {
					b.Fatal(v.Reason)
				}
				if row.r.Time.Sub(now) > 30*time.Minute {
					row.r.Time = now
				}
			}
		})
	}
}

// What a wrong key costs when its address has nothing left.
func BenchmarkWrongKeyThrottled(b *testing.B) {
	a, r := busyWorld(10_000, ratelimit.FixedWindow)
	a.WrongKey = throttle.New(1).Take
	r.Headers = fields{"authorization": {"Bearer " + other}}
	a.Authenticate(r)
	b.ReportAllocs()
	for b.Loop() {
		if v := a.Authenticate(r); v.Reason != WrongKeyThrottled {
			b.Fatal(v.Reason)
		}
	}
}

func BenchmarkNormalizePath(b *testing.B) {
	for _, target := range []string{"/api/public/budgets/2026?page=2", "/api/%70ublic/budgets/%e2%82%ac"} {
		b.Run(target, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := NormalizePath(target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
