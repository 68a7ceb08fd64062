package forwardauth_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// told is the status that a convention's proxy gets, for the client's and that of the
// reason.
func told(convention string, client, reason int) int {
	hidden := 403 // nginx knows these two only
	if reason == 401 {
		hidden = 401
	}
	switch {
	case convention == "nginx", client < 300, convention == "envoy" && client >= 500:
		return hidden
	default:
		return client
	}
}

// No API can make a denial a permission: whatever status it wants, no proxy is told
// 2xx, and the client's status is in a header, or asked for.
func TestNoStatusOfAnAPIIsAllowed(t *testing.T) {
	for _, reason := range authntest.Reasons(t) {
		plain := authntest.Verdict(reason)
		for _, status := range authntest.Statuses {
			v := authntest.Own(t, reason, status)
			want := authn.NewDenial(&v).Response()
			h := handlerOf(authntest.Always(v), v.API)
			for _, convention := range conventions {
				what := fmt.Sprintf("%s, %s as %d", convention, reason, status)
				a := ask(t, h, asks(convention, ""))
				if a.allows() {
					t.Fatalf("%s: the proxy gets %d", what, a.status)
				}
				if w := told(convention, status, authn.NewDenial(&plain).Response().Status); a.status != w {
					t.Errorf("%s: the proxy gets %d, want %d", what, a.status, w)
				}
				same(t, what, shown(t, h, convention, a), want)
			}
		}
	}
}

// /denial renders the denials of the API that the text names.
func TestDenialsOfAnAPI(t *testing.T) {
	v := authntest.Own(t, auth.UnknownKey, 200)
	denial := authn.NewDenial(&v)
	bare := func(realm string) authn.Response {
		return authn.Denial{Reason: auth.UnknownKey, Realm: realm, Scheme: "Bearer"}.Response()
	}
	for _, row := range []struct {
		what  string
		realm string
		want  authn.Response
	}{
		{"its own", "apis/billoget", denial.Response()},
		{"another API's", "apis/other", bare("apis/other")},
		{"of the same name elsewhere", "shop/billoget", bare("shop/billoget")},
		{"the default API's", "default", bare("default")},
		{"no API's", "", bare("")},
		{"an API in pieces", "apis/billoget/x", bare("apis/billoget/x")},
	} {
		text := authn.Denial{Reason: auth.UnknownKey, Realm: row.realm, Scheme: "Bearer"}.Encode()
		q := question{method: http.MethodGet, target: forwardauth.DenialPath, header: http.Header{forwardauth.DenialHeader: {text}}}
		same(t, row.what, ask(t, handlerOf(panicking{}, v.API), q), row.want)
	}
	// An API that is gone meanwhile denies as if it had none of its own.
	q := question{method: http.MethodGet, target: forwardauth.DenialPath, header: http.Header{forwardauth.DenialHeader: {denial.Encode()}}}
	denial.API = nil
	same(t, "gone", ask(t, handler(panicking{}), q), denial.Response())
}

// handlerOf knows one API.
func handlerOf(a authn.Authenticator, api *keyring.API) *forwardauth.Handler {
	return handlerWith(a, func(name keyring.Name) (*keyring.API, bool) {
		if name != api.Name {
			return nil, false
		}
		return api, true
	})
}
