package auth

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// FuzzExtract sends anything in every place: nothing is allowed while nothing is
// known, and what is allowed once a key is known was that key.
func FuzzExtract(f *testing.F) {
	f.Add("Bearer "+good, "", "", "", "", byte(1))
	f.Add("Basic "+encoded(good+":"), "", "", "", "", byte(3))
	f.Add("basic "+staxBill, "Bearer x", good, "api_key="+good, "key="+good, byte(0xff))
	f.Add("", "", good+","+good, "api%5fkey=%62k_live_1234567890abcdef1234567890abcdef", "a=b; key="+good, byte(0x1c))
	f.Add("Bearer \xff\xfe", "", "\x00", "api_key=%zz&api_key", ";;key=;", byte(0x0f))
	places := only(bearer, basic, header, query, cookie)
	empty, holding := simpleWorld(good, places...), simpleWorld(good, places...)
	empty.key.Versions = nil
	knowsNothing, knowsGood := empty.authenticator(), holding.authenticator()
	f.Fuzz(func(t *testing.T, first, second, named, rawQuery, cookies string, configured byte) {
		r := empty.request
		r.Path = "/?" + rawQuery
		sent := fields{}
		for name, values := range map[string][]string{"authorization": {first, second}, "x-api-key": {named}, "cookie": {cookies}} {
			for _, v := range values {
				if v != "" {
					sent[name] = append(sent[name], v)
				}
			}
		}
		r.Headers = sent
		var some []keyring.Credential
		for i, p := range places {
			if configured>>i&1 == 1 {
				some = append(some, p)
			}
		}
		setPlaces(empty, some)
		setPlaces(holding, some)
		v := knowsNothing.Authenticate(&r)
		if !slices.Contains([]Reason{MissingCredential, AmbiguousCredential, MalformedCredential, UnknownKey, InvalidPath}, v.Reason) || v.Key != nil {
			t.Fatalf("nothing is known: got %+v", outcomeOf(v))
		}
		v = knowsGood.Authenticate(&r)
		if v.Reason == InternalError {
			t.Fatal("it panicked")
		}
		if v.OK() && (!contains(first, second, named, rawQuery, cookies) || !slices.Contains(some, v.Credential)) {
			t.Fatalf("allowed without the key, or elsewhere: %+v", outcomeOf(v))
		}
		if len(some) == 0 && v.Reason != MissingCredential && v.Reason != InvalidPath {
			t.Fatalf("no place is configured: got %+v", outcomeOf(v))
		}
	})
}

func setPlaces(w *world, places []keyring.Credential) {
	api := *w.api
	api.Credentials = places
	w.ring.SetAPI(&api)
}

// contains reports whether the good key is in one of the texts, in any reading.
func contains(texts ...string) bool {
	for _, text := range texts {
		decoded, _ := url.QueryUnescape(text)
		for pair := range strings.SplitSeq(text, "&") {
			one, _ := url.QueryUnescape(pair)
			decoded += one
		}
		words := strings.Fields(text)
		if len(words) > 0 {
			token, _ := base64.StdEncoding.DecodeString(words[len(words)-1])
			decoded += string(token)
		}
		if strings.Contains(text, good) || strings.Contains(decoded, good) {
			return true
		}
	}
	return false
}

// FuzzAuthenticate sends anything as host, path, source and hops with a good key:
// never a panic, and never an API that the host doesn't lead to.
func FuzzAuthenticate(f *testing.F) {
	f.Add("api.shop.dev", "/v1/budgets?x=1", "203.0.113.7", "")
	f.Add("API.SHOP.DEV.:443", "/%2e%2e/", "10.0.0.1", "203.0.113.7")
	f.Add("*.shop.dev", "//", "::ffff:203.0.113.7", ",")
	w := newWorld()
	w.policy.DefaultHosts = []string{"*"}
	w.key.Limit.Requests = 0
	a := w.authenticator()
	f.Fuzz(func(t *testing.T, host, path, source, hops string) {
		r := w.request
		r.Host, r.Path, r.Source, r.ForwardedFor = host, path, source, []string{hops}
		v := a.Authenticate(&r)
		if v.Reason == InternalError {
			t.Fatal("it panicked")
		}
		if !v.OK() {
			return
		}
		name, _, _ := strings.Cut(strings.ToLower(host), ":")
		if strings.TrimSuffix(name, ".") != "api.shop.dev" || v.API != w.api || !strings.HasPrefix(path, "/") || strings.Contains(v.Path, "//") {
			t.Errorf("allowed: %q %q: %+v", host, path, outcomeOf(v))
		}
	})
}
