package forwardauth_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

var billoget = keyring.Name{Namespace: "apis", Name: "billoget"}

func TestTargetComesFromTheURL(t *testing.T) {
	for _, convention := range []string{"nginx", "traefik", "caddy", "haproxy"} {
		for _, row := range []struct {
			url  string
			want auth.Target
		}{
			{"", auth.Target{}},
			{"/default", auth.Target{Kind: auth.ByDefault}},
			{"/apis/billoget", auth.Target{Kind: auth.ByName, Name: billoget}},
			{"/-/-", auth.Target{}},
			{"/-/default", auth.Target{Kind: auth.ByDefault}},
			{"?scopes=READ_BUDGETS", auth.Target{Scopes: []string{"READ_BUDGETS"}}},
			{"/default?scopes=a", auth.Target{Kind: auth.ByDefault, Scopes: []string{"a"}}},
			{"/apis/billoget?scopes=READ_BUDGETS,customers%3Aread", auth.Target{Kind: auth.ByName, Name: billoget, Scopes: []string{"READ_BUDGETS", "customers:read"}}},
		} {
			if got := understood(t, asks(convention, row.url)); !reflect.DeepEqual(got.Target, row.want) {
				t.Errorf("/authorize/%s%s: got %+v, want %+v", convention, row.url, got.Target, row.want)
			}
		}
	}
}

// A gateway that can't be understood might have demanded more.
func TestURLsThatArentUnderstood(t *testing.T) {
	for _, convention := range []string{"nginx", "traefik", "caddy", "haproxy"} {
		for _, url := range []string{
			"/",
			"//",
			"//x",
			"/billoget",
			"/Default",
			"/-",
			"/apis/",
			"/apis/-/-",
			"/apis/billoget/",
			"/apis/billoget/v1",
			"/default/",
			"/apis%2Fbilloget",
			"/.",
			"?",
			"?scopes",
			"?scopes=",
			"?scopes=*",
			"?scopes=a,,b",
			"?scopes=a&scopes=b",
			"?scopes=a&scopes=a",
			"?scopes=a;scopes=b",
			"?scopes=%zz",
			"?scope=READ_BUDGETS",
			"?Scopes=READ_BUDGETS",
			"?scopes=a&api=apis/other",
			"/apis/billoget?namespace=apis",
			"/apis/billoget?scopes=a?scopes=b,",
		} {
			if url == "?" {
				continue // the same as none
			}
			checkUnavailable(t, convention, url, asks(convention, url))
		}
	}
}

// Behind Envoy's path prefix comes what the client sent, and none of that is
// read as configuration.
func TestTargetOfEnvoy(t *testing.T) {
	for _, row := range []struct {
		what, prefix, sent string
		want               auth.Target
	}{
		{"by host", "/-/-", "/x", auth.Target{}},
		{"the default API", "/-/default", "/x", auth.Target{Kind: auth.ByDefault}},
		{"an API", "/apis/billoget", "/x", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"the root", "/apis/billoget", "/", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"the client names an API", "/-/-", "/apis/billoget/x?scopes=", auth.Target{}},
		{"the client names the default API", "/apis/billoget", "/-/default", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"the client names a door", "/apis/billoget", "/authorize/envoy/-/-/x", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"the client names a denial", "/apis/billoget", "/denial", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"the client demands scopes", "/apis/billoget", "/x?scopes=READ_BUDGETS", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"the client goes up", "/apis/billoget", "/../../default/-/x", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"the client begins with two slashes", "/apis/billoget", "//-/-/x", auth.Target{Kind: auth.ByName, Name: billoget}},
		{"the client sends a parameter twice", "/apis/billoget", "/x?scopes=a&scopes=b;c", auth.Target{Kind: auth.ByName, Name: billoget}},
	} {
		q := asks("envoy", "")
		q.target = "/authorize/envoy" + row.prefix + row.sent
		got := understood(t, q)
		if !reflect.DeepEqual(got.Target, row.want) || got.Path != row.sent {
			t.Errorf("%s: got %+v and path %q, want %+v and %q", row.what, got.Target, got.Path, row.want, row.sent)
		}
	}
	for _, prefix := range []string{"", "/", "/-", "/-/-", "/apis/billoget", "/apis/billoget?scopes=a", "?scopes=a"} {
		q := asks("envoy", "")
		q.target = "/authorize/envoy" + prefix
		checkUnavailable(t, "envoy", "only the prefix "+prefix, q)
	}
	for _, prefix := range []string{"/apis//x", "//billoget/x", "/billoget?/x", "/apis/billoget?scopes=a/x", "///x", "/a?b/c/d/e", "/../nginx/x"} {
		q := asks("envoy", "")
		q.target = "/authorize/envoy" + prefix
		if a := ask(t, handler(core()), q); a.allows() {
			t.Errorf("%s: allowed", prefix)
		}
	}
}

// Envoy asks with the client's own method.
func TestMethodOfEnvoy(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"} {
		q := asks("envoy", "")
		q.method = method
		if got := understood(t, q); got.Method != method {
			t.Errorf("got %s, want %s", got.Method, method)
		}
		// The method with which nginx asks is its own.
		q = asks("nginx", "")
		q.method = method
		if got := understood(t, q); got.Method != http.MethodGet {
			t.Errorf("nginx asks with %s: got %s, want GET", method, got.Method)
		}
	}
}

// Nothing but /authorize/<convention> and /denial is served, however it is spelt,
// to whoever would be allowed.
func TestPathsThatArentServed(t *testing.T) {
	h := handler(authntest.Always(authntest.Verdict(auth.Allowed)))
	for _, target := range []string{
		"/", "", "*", "/authorize", "/authorize/", "/authorize/apache", "/authorize/Nginx", "/authorize/nginx%2Fapis", "/authorize/ngin%78",
		"/authorize//nginx", "//authorize/nginx", "/./authorize/nginx", "/authorize/../authorize/nginx", "/authorize/./nginx",
		"/x/../authorize/nginx", "authorize/nginx", "http://127.0.0.1:9002/authorize/nginx", "127.0.0.1:9002", "/AUTHORIZE/nginx",
		"/authorize?/nginx", "/healthz", "/metrics", "/denials", "/denial/", "//denial",
	} {
		q := asks("nginx", "")
		q.target = target
		if a := ask(t, h, q); a.status != 404 || a.body != "404 page not found\n" {
			t.Errorf("%q: got %d %s, want 404", target, a.status, a.body)
		}
	}
	for _, target := range []string{"/authorize/nginx/", "/authorize/nginx//x", "/authorize/nginx/../nginx", "/authorize/nginx/a/../b"} {
		q := asks("nginx", "")
		q.target = target
		if a := ask(t, handler(core()), q); a.status != 403 || a.header.Get("X-Apikey-Denial") == "" {
			t.Errorf("%q: got %d %s, want 403", target, a.status, a.body)
		}
	}
}
