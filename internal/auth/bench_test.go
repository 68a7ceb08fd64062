package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/internal/route"
	"github.com/apikey-operator/apikey-operator/internal/throttle"
)

// busyWorld holds many keys, each with 10 blocks, 20 scopes and a limit; the
// request's key matches the last block and the last scope.
func busyWorld(keys int, algorithm ratelimit.Algorithm) (*Authenticator, *Request) {
	w := newWorld()
	w.api.Conditions = nil
	a := w.authenticator()
	shape := func(i int) *keyring.Key {
		k := newKey()
		k.AllowedIPs, k.Scopes, k.ExpiresAt = nil, nil, keyring.At(time.Now().Add(24*time.Hour))
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

// list is the headers of a request as a gateway sends them, in their order.
type list [][2]string

// Value implements Headers.
func (l list) Value(name string, i int) (string, bool) {
	for _, h := range l {
		if h[0] == name {
			if i == 0 {
				return h[1], true
			}
			i--
		}
	}
	return "", false
}

// envoys are 16 headers as Envoy passes them on.
func envoys(authorization string) list {
	l := list{
		{":authority", "api.shop.dev"}, {":method", "GET"}, {":path", "/v1/resource-24/42/items/7?page=2"}, {":scheme", "https"},
		{"user-agent", "shop-integration/2.4"}, {"accept", "application/json"}, {"accept-encoding", "gzip"}, {"accept-language", "en"},
		{"content-type", "application/json"}, {"content-length", "0"}, {"x-request-id", "4b1f7c1e-6b1f-4d0e-9a53-0f5c5d1c7d55"},
		{"x-forwarded-for", "203.0.113.7"}, {"x-forwarded-proto", "https"}, {"x-envoy-internal", "false"},
		{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
	if authorization != "" {
		l = append(l, [2]string{"authorization", authorization})
	}
	return l
}

// checkedWorld is what the targets of the decision alone are about: 10 000 keys in
// an API that the gateway names, each with 10 blocks, 20 scopes and a limit, and 100
// routes with scopes. Block and scope that match are the last.
func checkedWorld(b *testing.B, algorithm ratelimit.Algorithm) (*Authenticator, *Request) {
	a, r := busyWorld(10_000, algorithm)
	var routes []route.Route
	open := func(scope, pattern string, methods ...string) {
		routes = append(routes, route.Route{Methods: methods, Pattern: patterns(pattern)[0], Scope: scope})
	}
	for i := range 25 {
		resource := fmt.Sprint("/resource-", i)
		open("READ_BUDGETS", resource, "GET")
		open(resource+":write", resource+"/{id}", "PUT", "DELETE")
		open("READ_BUDGETS", resource+"/{id}/items/{item}", "GET")
		open(resource+":admin", resource+"/{id}/**")
	}
	table, err := route.Compile([]string{"/v1"}, routes)
	if err != nil {
		b.Fatal(err)
	}
	api, _ := a.Ring.API(shop)
	checked := *api
	checked.Credentials, checked.Bindings, checked.Routes = []keyring.Credential{bearer}, nil, table
	a.Ring.SetAPI(&checked)
	asked := *r
	asked.Target = Target{Kind: ByName, Name: shop}
	asked.Host, asked.Path = "api.shop.dev", "/v1/resource-24/42/items/7?page=2"
	asked.Headers = envoys("Bearer " + good)
	return a, &asked
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

	checked, full := checkedWorld(b, ratelimit.FixedWindow)
	checked.WrongKey = throttle.New(1_000_000_000).Take
	checkedBucket, _ := checkedWorld(b, ratelimit.TokenBucket)
	fully := func(authorization string) *Request {
		other := *full
		other.Headers = envoys(authorization)
		return &other
	}
	rows := []struct {
		name string
		auth *Authenticator
		r    *Request
		want Reason
	}{
		{"all checks", checked, full, Allowed},
		{"all checks, TokenBucket", checkedBucket, full, Allowed},
		{"all checks, unknown", checked, fully("Bearer " + other), UnknownKey},
		{"all checks, missing", checked, fully(""), MissingCredential},
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
			started := time.Now() // with a monotonic reading, as a server's
			row.r.Time = started
			for b.Loop() {
				row.r.Time = row.r.Time.Add(time.Microsecond)
				if v := row.auth.Authenticate(row.r); v.Reason != row.want {
					b.Fatal(v.Reason)
				}
				if row.r.Time.Sub(started) > 30*time.Minute {
					row.r.Time = started
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
