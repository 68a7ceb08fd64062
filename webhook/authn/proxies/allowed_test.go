package proxies

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// forged are what a client would like the upstream to believe.
var forged = []string{
	"X-Apikey-Name: admin", "X-Apikey-Namespace: admin", "x-apikey-scopes: *", "X-Apikey-Scopes: ADMIN", "X-APIKEY-PROJECT: admin",
	"X-Apikey-Environment: admin", "X-Apikey-Hint: admin", "X-Apikey-Owner: admin", "X-Apikey-Owner: admin", "X-Apikey-Owner-Email: admin",
	"X_Apikey_Name: admin", "X_Apikey_Project: admin", "X-Forwarded-For: 198.51.100.9",
}

// added are the headers that a proxy adds on its own.
func (s *system) added() http.Header {
	if s.door.adds != nil {
		return s.door.adds(s.client)
	}
	if s.door.part == parts.Nginx {
		return http.Header{"X-Forwarded-For": {"198.51.100.9, " + s.client}, "X-Real-Ip": {s.client}}
	}
	return http.Header{
		"X-Forwarded-For": {"198.51.100.9," + s.client}, "X-Forwarded-Proto": {"http"}, "X-Request-Id": {"any"},
		"X-Envoy-Expected-Rq-Timeout-Ms": {"15000"}, "X-Envoy-External-Address": {s.client},
	}
}

// TestAllowed is about everything that reaches the upstream, and the client.
func TestAllowed(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		everything := s.key("everything", func(k *keyring.Key) {
			k.Scopes = keyring.Scopes{"READ_BUDGETS", "WRITE_BUDGETS", "customers:*"}
			k.Project, k.Environment, k.OwnerName, k.OwnerEmail = "proj_abc123", "live", "Jürg Müller, \"Shop\"", "ops@shop.example"
		})
		nothing := s.key("nothing", func(k *keyring.Key) { k.Scopes = keyring.Scopes{"*"}; k.Versions[0].Hint = "" })
		all := http.Header{
			"X-Apikey-Name": {"everything"}, "X-Apikey-Namespace": {"shop"}, "X-Apikey-Project": {"proj_abc123"},
			"X-Apikey-Scopes": {"READ_BUDGETS,WRITE_BUDGETS,customers:*"}, "X-Apikey-Environment": {"live"},
			"X-Apikey-Hint": {everything[:12]}, "X-Apikey-Owner": {`J%C3%BCrg M%C3%BCller, "Shop"`}, "X-Apikey-Owner-Email": {"ops@shop.example"},
		}
		none := http.Header{"X-Apikey-Name": {"nothing"}, "X-Apikey-Namespace": {"shop"}, "X-Apikey-Scopes": {"*"}}
		for _, row := range []struct {
			what    string
			request request
			want    http.Header
		}{
			{"a Bearer token", request{fields: bearer(everything)}, all},
			{"a header", request{fields: []string{"x-api-key:  " + everything}}, all},
			{"a body", request{method: http.MethodPost, fields: bearer(everything), body: `{"amount": 7}`}, all},
			{"a query", request{target: "/api/public/budgets?page=2&page=3&scopes=&x=%2e%2F", fields: bearer(everything)}, all},
			{"a key with nothing to tell", request{fields: bearer(nothing)}, none},
			{"a key with nothing to tell, in a header", request{method: http.MethodDelete, fields: []string{"X-API-Key: " + nothing}}, none},
			{"another API's host", request{fields: bearer(everything), host: "API.billoget.com"}, all},
		} {
			got, arrived := s.allowed(t, row.what, row.request.with(forged...))
			if got.String() != "200\nContent-Type: text/plain\n\nhello\n" {
				t.Errorf("%s: the client gets %s", row.what, got)
			}
			want := s.added()
			maps.Copy(want, row.want)
			want.Set("User-Agent", "test")
			s.fill(want, row.request, arrived.Header)
			if row.request.body != "" {
				want.Set("Content-Length", fmt.Sprint(len(row.request.body)))
			}
			if arrived.Header.Get("X-Request-Id") != "" {
				arrived.Header.Set("X-Request-Id", "any")
			}
			if !reflect.DeepEqual(arrived.Header, want) || arrived.Body != row.request.body {
				t.Errorf("%s: the upstream gets %v and %q\nwant %v and %q", row.what, arrived.Header, arrived.Body, want, row.request.body)
			}
		}
	})
}

// fill adds to the headers that are wanted what depends on the request, and makes
// equal in those that arrived what depends on the machine.
func (s *system) fill(want http.Header, r request, arrived http.Header) {
	if s.door.adds != nil {
		want.Set("X-Forwarded-Host", "api.billoget.com")
		if r.host != "" {
			want.Set("X-Forwarded-Host", r.host)
		}
	}
	if arrived.Get("X-Forwarded-Server") != "" {
		arrived.Set("X-Forwarded-Server", "any")
	}
	for _, name := range authn.IdentityHeaders {
		if s.door.fills && want.Get(name) == "" {
			want.Set(name, "")
		}
	}
}

// The longest values that an APIKey may have arrive too.
func TestLongestIdentity(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		raw := s.key("long", func(k *keyring.Key) {
			for i := range 64 {
				k.Scopes = append(k.Scopes, fmt.Sprintf("%0128d", i))
			}
			k.Project, k.OwnerName = strings.Repeat("p", 128), strings.Repeat("\U0001f511", 128)
			k.OwnerEmail = strings.Repeat("ü", 240) + "@shop.example"
		})
		got, arrived := s.allowed(t, "the longest identity", request{fields: bearer(raw)})
		want := []int{200, 128, 65*129 - 1 - 129 + len("READ_BUDGETS,"), 128 * 4 * 3, 240*2*3 + len("@shop.example")}
		h := arrived.Header
		if lengths := []int{
			got.status, len(h.Get("X-Apikey-Project")), len(h.Get("X-Apikey-Scopes")), len(h.Get("X-Apikey-Owner")), len(h.Get("X-Apikey-Owner-Email")),
		}; !slices.Equal(lengths, want) {
			t.Errorf("got lengths %v, want %v", lengths, want)
		}
	})
}

// The upstream gets the path that was judged: the one that the client sent.
func TestPathsArriveAsTheyWereSent(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		good := s.key("good")
		for _, target := range []string{
			"/api/public/budgets", "/api/public/budgets/", "/api/public/budgets?", "/api/public/budgets??x=//../%00", "/api/public/budgets/%41%7e",
			"/api/public/budgets/a%20b", "/api/public/budgets/%C3%BC", "/api/public/budgets/a:b@c,d=e!$&'()*+", "/api/public/budgets/%3F%23",
		} {
			want := target
			if s.door.cleans {
				want = strings.Replace(target, "%41%7e", "A~", 1)
			}
			if _, arrived := s.allowed(t, target, request{target: target, fields: bearer(good)}); arrived.Target != want {
				t.Errorf("sent %s, the upstream gets %s", target, arrived.Target)
			}
		}
	})
}

// What the upstream answers is not touched, whatever it is.
func TestAnswersOfTheUpstream(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		good := s.key("good", func(k *keyring.Key) { k.Limit.Requests, k.Limit.Period = 100, 1e9 })
		for i, status := range []string{"201", "400", "401", "403", "404", "429", "500", "502", "503"} {
			got, _ := s.allowed(t, status, request{fields: append(bearer(good), "X-Want-Status: "+status)})
			want := fmt.Sprintf("%s\nContent-Type: text/plain\n%sX-Upstream: said so\n\nhello\n", status,
				s.door.tells(fmt.Sprintf("Ratelimit-Policy: \"default\";q=100;w=1\nRatelimit: \"default\";r=%d;t=1\n", 99-i)))
			if got.String() != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

// The auth server is told what it needs, and never a body.
func TestWhatTheAuthServerIsTold(t *testing.T) {
	for _, row := range []struct {
		door    door
		allowed []string
		denied  []string
	}{
		{envoyHTTP, []string{
			`POST api.billoget.com /authorize/envoy/apis/billoget/api/public/budgets/7?x=y "" map[Authorization:[Bearer KEY] Content-Length:[0] Email:[a] X-Envoy-Expected-Rq-Timeout-Ms:[2000] X-Envoy-Internal:[true] X-Forwarded-For:[CLIENT] X-Forwarded-Proto:[http] X-Request-Id:[ANY]]`,
		}, []string{
			`POST api.billoget.com /authorize/envoy/apis/billoget/api/public/budgets/7?x=y "" map[Authorization:[Bearer x] Content-Length:[0] Email:[a] X-Envoy-Expected-Rq-Timeout-Ms:[2000] X-Envoy-Internal:[true] X-Forwarded-For:[CLIENT] X-Forwarded-Proto:[http] X-Request-Id:[ANY]]`,
		}},
		{nginx, []string{
			`GET apikey_operator /authorize/nginx/apis/billoget?scopes=WRITE_BUDGETS "" map[Authorization:[Bearer KEY] Email:[a] User-Agent:[test] X-Forwarded-For:[CLIENT] X-Original-Method:[POST] X-Original-Url:[http://budgets.billoget.com/api/public/budgets/7?x=y] X-Real-Ip:[CLIENT]]`,
		}, []string{
			`GET apikey_operator /authorize/nginx/apis/billoget?scopes=WRITE_BUDGETS "" map[Authorization:[Bearer x] Email:[a] User-Agent:[test] X-Forwarded-For:[CLIENT] X-Original-Method:[POST] X-Original-Url:[http://budgets.billoget.com/api/public/budgets/7?x=y] X-Real-Ip:[CLIENT]]`,
			`GET apikey_operator /denial "" map[X-Apikey-Denial:[realm=apis%2Fbilloget&reason=malformed_credential&scheme=Bearer]]`,
		}},
		{caddy, []string{
			`GET api.billoget.com /authorize/caddy/apis/billoget "" map[Accept-Encoding:[gzip] Authorization:[Bearer KEY] Email:[a] User-Agent:[test] Via:[1.1 Caddy] X-Forwarded-For:[CLIENT] X-Forwarded-Host:[api.billoget.com] X-Forwarded-Method:[POST] X-Forwarded-Proto:[http] X-Forwarded-Uri:[/api/public/budgets/7?x=y]]`,
		}, []string{
			`GET api.billoget.com /authorize/caddy/apis/billoget "" map[Accept-Encoding:[gzip] Authorization:[Bearer x] Email:[a] User-Agent:[test] Via:[1.1 Caddy] X-Forwarded-For:[CLIENT] X-Forwarded-Host:[api.billoget.com] X-Forwarded-Method:[POST] X-Forwarded-Proto:[http] X-Forwarded-Uri:[/api/public/budgets/7?x=y]]`,
		}},
		{traefik, []string{
			`GET AUTH /authorize/traefik/apis/billoget "" map[Accept-Encoding:[gzip] Authorization:[Bearer KEY] Email:[a] User-Agent:[test] X-Forwarded-For:[CLIENT] X-Forwarded-Host:[api.billoget.com] X-Forwarded-Method:[POST] X-Forwarded-Port:[80] X-Forwarded-Proto:[http] X-Forwarded-Uri:[/api/public/budgets/7?x=y]]`,
		}, []string{
			`GET AUTH /authorize/traefik/apis/billoget "" map[Accept-Encoding:[gzip] Authorization:[Bearer x] Email:[a] User-Agent:[test] X-Forwarded-For:[CLIENT] X-Forwarded-Host:[api.billoget.com] X-Forwarded-Method:[POST] X-Forwarded-Port:[80] X-Forwarded-Proto:[http] X-Forwarded-Uri:[/api/public/budgets/7?x=y]]`,
		}},
		{haproxy, []string{
			`GET AUTH /authorize/haproxy/apis/billoget "" map[Accept:[*/*] Authorization:[Bearer KEY] Email:[a] User-Agent:[test] X-Forwarded-For:[CLIENT] X-Forwarded-Host:[api.billoget.com] X-Forwarded-Method:[POST] X-Forwarded-Proto:[http] X-Forwarded-Uri:[/api/public/budgets/7?x=y]]`,
		}, []string{
			`GET AUTH /authorize/haproxy/apis/billoget "" map[Accept:[*/*] Authorization:[Bearer x] Email:[a] User-Agent:[test] X-Forwarded-For:[CLIENT] X-Forwarded-Host:[api.billoget.com] X-Forwarded-Method:[POST] X-Forwarded-Proto:[http] X-Forwarded-Uri:[/api/public/budgets/7?x=y]]`,
		}},
	} {
		t.Run(row.door.recipe, func(t *testing.T) {
			parts.Need(t, row.door.part)
			t.Parallel()
			s := run(t, row.door)
			raw := s.key("writer", func(k *keyring.Key) { k.Scopes = keyring.Scopes{"*"} })
			var mu sync.Mutex
			var told []string
			s.server.wrap(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if r.Header.Get("X-Request-Id") != "" {
						r.Header.Set("X-Request-Id", "ANY")
					}
					told = append(told, strings.NewReplacer(raw, "KEY", s.client, "CLIENT", fmt.Sprintf("127.0.0.1:%d", s.server.httpPort), "AUTH").Replace(fmt.Sprintf("%s %s %s %q %v", r.Method, r.Host, r.RequestURI, body, r.Header)))
					next.ServeHTTP(w, r)
				})
			})
			r := request{method: http.MethodPost, target: "/api/public/budgets/7?x=y", body: `{"amount": 7}`}
			if row.door.scoped {
				r.host = budgetsHost
			}
			if row.door.adds != nil {
				r.host = "api.billoget.com"
			}
			s.allowed(t, "allowed", r.with(append(bearer(raw), "Email: a")...))
			s.stopped(t, "denied", r.with(append(bearer("x"), "Email: a")...))
			mu.Lock()
			defer mu.Unlock()
			if want := slices.Concat(row.allowed, row.denied); !slices.Equal(told, want) {
				t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// A change of a key counts from the next request.
func TestLifecycle(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		set := func(change func(k *keyring.Key)) request { return request{fields: bearer(s.key("changing", change))} }
		active := func(*keyring.Key) {}
		s.allowed(t, "active", set(active))
		s.denied(t, "suspended", set(func(k *keyring.Key) { k.State = keyring.Suspended }), suspended)
		s.allowed(t, "resumed", set(active))
		if s.door.scoped {
			less := set(func(k *keyring.Key) { k.Scopes = keyring.Scopes{"READ_CUSTOMERS"} })
			less.host = budgetsHost
			s.denied(t, "without its scope", less, readMissing)
			set(active)
			s.allowed(t, "with its scope again", less)
		}
		deadline := set(func(k *keyring.Key) { k.ExpiresAt = keyring.At(start.Add(10e9)) })
		s.advance(10e9 - 1)
		s.allowed(t, "a moment before its deadline", deadline)
		s.advance(1)
		s.denied(t, "at its deadline", deadline, unauthorized)
		s.allowed(t, "with a later deadline", set(active))
		s.denied(t, "revoked", set(func(k *keyring.Key) { k.State = keyring.Revoked }), unauthorized)
		s.allowed(t, "another object", set(active))
		s.ring.DeleteKey(keyring.Name{Namespace: "shop", Name: "changing"})
		s.denied(t, "deleted", request{fields: bearer(rawOf("changing"))}, unauthorized)
	})
}

// The other APIs of the recipes: each key opens its own.
func TestOtherAPIs(t *testing.T) {
	for _, d := range []door{envoyGRPC, nginx, caddy, traefik, haproxy} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			s := run(t, d)
			staxai := keyring.Name{Namespace: "apis", Name: "staxai"}
			s.ring.SetAPI(&keyring.API{
				Name: staxai, CreatedAt: start, AllNamespaces: true, Hosts: []string{"api.stax.ai"},
				Credentials: []keyring.Credential{{Place: keyring.Bearer}}, Formats: []key.Format{{Alphabet: key.Base36, Length: 40}},
				Bindings: []keyring.Binding{{Header: "email", Field: keyring.OwnerEmail, FoldCase: true}},
			})
			raws := map[string]string{
				"api.billoget.com": s.key("billoget"),
				"api.stax.ai":      s.key("staxai", func(k *keyring.Key) { k.API, k.OwnerEmail = staxai, "ops@shop.example" }),
				"shop.example":     s.key("default", func(k *keyring.Key) { k.API = keyring.DefaultAPI }),
			}
			for of, raw := range raws {
				for host := range raws {
					r := request{host: host, fields: append(bearer(raw), "Email:  OPS@shop.example ")}
					if of == host {
						if _, arrived := s.allowed(t, host, r); arrived.Host != host {
							t.Errorf("%s: the upstream gets host %s", host, arrived.Host)
						}
						continue
					}
					if got := s.stopped(t, host, r); got.status != 401 {
						t.Errorf("a key of %s at %s: got %s", of, host, got)
					}
				}
			}
			if got := s.stopped(t, "without the email", request{host: "api.stax.ai", fields: bearer(raws["api.stax.ai"])}); got.status != 401 {
				t.Errorf("got %s", got)
			}
			if got := s.decided(); !reflect.DeepEqual(got, []auth.Reason{auth.HeaderMismatch}) {
				t.Errorf("decided %q", got)
			}
		})
	}
}
