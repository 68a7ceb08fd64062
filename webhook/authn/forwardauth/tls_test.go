package forwardauth_test

import "testing"

// Whether a request came over TLS is what the proxy says, in the header that it
// overwrites, once. Where it says nothing, the request came over plain HTTP.
func TestTLS(t *testing.T) {
	for _, convention := range conventions {
		if convention == "nginx" {
			continue // see below
		}
		for _, row := range []struct {
			what   string
			values []string
			want   bool
		}{
			{"https", []string{"https"}, true},
			{"WebSockets over TLS, as Traefik writes it", []string{"wss"}, true},
			{"http", []string{"http"}, false},
			{"WebSockets", []string{"ws"}, false},
			{"nothing", nil, false},
			{"empty", []string{""}, false},
			{"twice", []string{"https", "https"}, false},
			{"a client's first", []string{"https", "http"}, false},
			{"a client's last", []string{"http", "https"}, false},
			{"a list", []string{"https, http"}, false},
			{"other letters", []string{"HTTPS"}, false},
			{"more than a scheme", []string{"https://"}, false},
		} {
			q := asks(convention, "")
			for _, v := range row.values {
				q = q.with("X-Forwarded-Proto", v)
			}
			// Headers of others say nothing.
			q = q.with("X-Original-URL", "https://api.billoget.com/x").with("X-Forwarded-Scheme", "https").with("X-Forwarded-Ssl", "on").with("Forwarded", "proto=https")
			if got := understood(t, q); got.TLS != row.want {
				t.Errorf("%s, %s: TLS is %v, want %v", convention, row.what, got.TLS, row.want)
			}
		}
	}
	for _, row := range []struct {
		url  string
		want bool
	}{
		{"https://api.billoget.com/x", true},
		{"http://api.billoget.com/x", false},
		{"HTTPS://api.billoget.com/x", false},
		{"http://api.billoget.com/https://api.billoget.com/x", false},
		{"://api.billoget.com/x", false},
		{"https ://api.billoget.com/x", false},
	} {
		q := asks("nginx", "").without("X-Original-URL").with("X-Original-URL", row.url).with("X-Forwarded-Proto", "https")
		if got := understood(t, q); got.TLS != row.want {
			t.Errorf("nginx, %s: TLS is %v, want %v", row.url, got.TLS, row.want)
		}
	}
}

// An API that wants HTTPS is told by every convention.
func TestPlainHTTPIsDenied(t *testing.T) {
	a := core()
	api, _ := a.Ring.API(billoget)
	strict := *api
	strict.DenyPlainHTTP = true
	a.Ring.SetAPI(&strict)
	h := handler(a)
	for _, convention := range conventions {
		plain, secure := asks(convention, ""), asks(convention, "").with("X-Forwarded-Proto", "https")
		if convention == "nginx" {
			secure = secure.without("X-Original-URL").with("X-Original-URL", "https://api.billoget.com/api/public/budgets?page=2")
		}
		if a := ask(t, h, secure); a.status != 200 {
			t.Errorf("%s: over TLS: got %d %s", convention, a.status, a.body)
		}
		if a := shown(t, h, convention, ask(t, h, plain)); a.status != 403 || a.body != `{"error":"https_required","message":"HTTPS is required"}` {
			t.Errorf("%s: over plain HTTP: got %d %s", convention, a.status, a.body)
		}
	}
}
