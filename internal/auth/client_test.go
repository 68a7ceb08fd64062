package auth

import (
	"errors"
	"net/netip"
	"testing"
)

// The verdict says who the client was, whether or not the key's IP check asks.
func TestVerdictsClient(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*world)
		reason Reason
		want   string // "" is not known
	}{
		{"no proxy", func(*world) {}, Allowed, "203.0.113.7"},
		{"a key of any address", func(w *world) { w.key.AllowedIPs, w.request.Source = nil, "::ffff:198.51.100.9" }, Allowed, "198.51.100.9"},
		{"behind a trusted proxy", func(w *world) {
			w.request.Source, w.request.ForwardedFor = "10.0.0.1", []string{"8.8.8.8, 203.0.113.9", "10.0.0.2"}
		}, Allowed, "203.0.113.9"},
		{"behind a proxy that the API doesn't trust", func(w *world) {
			w.api.TrustedProxies = blocks("10.1.0.0/16")
			w.request.Source, w.request.ForwardedFor = "10.0.0.1", []string{"203.0.113.9"}
		}, IPNotAllowed, "10.0.0.1"},
		{"behind a proxy of an API that trusts none", func(w *world) {
			w.api.TrustedProxies = []netip.Prefix{}
			w.request.Source, w.request.ForwardedFor = "10.0.0.1", []string{"203.0.113.9"}
		}, IPNotAllowed, "10.0.0.1"},
		{"behind a proxy that only the API trusts", func(w *world) {
			w.api.TrustedProxies = blocks("203.0.113.0/24")
			w.request.ForwardedFor = []string{"203.0.113.9"}
		}, Allowed, "203.0.113.7"},
		{"a hop that can't be parsed", func(w *world) {
			w.request.Source, w.request.ForwardedFor = "10.0.0.1", []string{"unknown"}
		}, IPNotAllowed, ""},
		{"a source that can't be parsed", func(w *world) { w.request.Source, w.key.AllowedIPs = "@", nil }, Allowed, ""},
		{"a path that isn't normal", func(w *world) { w.request.Path = "//" }, InvalidPath, "203.0.113.7"},
		{"an API that isn't known", func(w *world) { w.api.Hosts = nil }, UnknownAPI, "203.0.113.7"},
		{"an API that can't be used", func(w *world) { w.api.Err = errors.New("broken") }, BrokenAPI, "203.0.113.7"},
		{"no credential", func(w *world) { delete(w.headers, "authorization") }, MissingCredential, "203.0.113.7"},
		{"a gateway that isn't trusted", func(w *world) { w.callers = nil }, CallerNotTrusted, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld()
			tc.change(w)
			v := w.authenticator().Authenticate(&w.request)
			got := ""
			if v.Client.IsValid() {
				got = v.Client.String()
			}
			if got != tc.want || v.Reason != tc.reason {
				t.Errorf("got %q and %s, want %q and %s", got, v.Reason, tc.want, tc.reason)
			}
		})
	}
}
