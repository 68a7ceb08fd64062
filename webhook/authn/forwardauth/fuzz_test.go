package forwardauth_test

import (
	"net/http"
	"testing"

	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// FuzzServeHTTP sends what strangers could, without the one key that is known.
// Nothing is allowed, and nothing is a failure to a proxy that might let it pass.
func FuzzServeHTTP(f *testing.F) {
	for _, convention := range conventions {
		q := asks(convention, "")
		f.Add(q.target, q.host, "Bearer bk_live_1", q.header.Get("X-Original-URL")+q.header.Get("X-Forwarded-Uri"), "203.0.113.7")
	}
	f.Add("/denial", "", "", "reason=unknown_key", "")
	f.Add("/authorize/nginx/apis/billoget?scopes=a,b", "a", "Basic Og==", "http://api.billoget.com/x", "::1")
	h := handler(core())
	f.Fuzz(func(t *testing.T, target, host, credential, path, source string) {
		if credential == "Bearer "+rawKey {
			t.Skip("it is known")
		}
		header := http.Header{}
		for _, name := range []string{"X-Original-Url", "X-Original-Method", "X-Forwarded-Uri", "X-Forwarded-Method", forwardauth.DenialHeader} {
			header[name] = []string{path}
		}
		header["X-Real-Ip"], header["X-Forwarded-For"], header["X-Forwarded-Host"] = []string{source}, []string{source}, []string{host}
		header["Authorization"] = []string{credential}
		a := ask(t, h, question{method: "GET", target: target, host: host, header: header, caller: "127.0.0.1:1"})
		if a.status < 400 || a.status > 503 {
			t.Errorf("got %d", a.status)
		}
	})
}
