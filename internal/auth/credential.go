package auth

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// found is a credential of a request: where it was, and how it can be read.
type found struct {
	credential keyring.Credential
	// readings are tried in order; the second is only Basic's user name.
	readings [2]key.Raw
}

// extract looks for the one credential in the places of an API. The reason is
// empty if there is exactly one; whether it is a key isn't asked here.
func extract(places []keyring.Credential, h Headers, query string) (found, Reason) {
	var f found
	count := 0
	for _, p := range places {
		n, r := look(p, h, query)
		if n > 0 {
			f = found{credential: p, readings: r}
		}
		count += n
	}
	switch {
	case count == 0:
		return f, MissingCredential
	case count > 1:
		return f, AmbiguousCredential
	default:
		return f, ""
	}
}

// look counts the credentials in one place and returns the last one's readings.
func look(p keyring.Credential, h Headers, query string) (n int, r [2]key.Raw) {
	switch p.Place {
	case keyring.Bearer, keyring.Basic:
		v, ok := h.Value("authorization", 0)
		if !ok {
			return 0, r
		}
		if _, more := h.Value("authorization", 1); more {
			return 2, r // which of them an upstream reads can't be known
		}
		if token, ok := schemeToken(v, p.Place); ok {
			return 1, readings(p.Place, token)
		}
	case keyring.Header:
		for v, ok := h.Value(p.Name, 0); ok; v, ok = h.Value(p.Name, n) {
			r[0] = key.NewRaw(strings.Trim(v, " \t"))
			n++
		}
	case keyring.Query:
		n, r[0] = lookQuery(p.Name, query)
	case keyring.Cookie:
		n, r[0] = lookCookies(p.Name, h)
	case keyring.NoPlace:
	}
	return n, r
}

// schemeToken returns what follows "Bearer" or "Basic" (RFC 9110, section 11.4).
func schemeToken(v string, p keyring.Place) (string, bool) {
	want := "Bearer"
	if p == keyring.Basic {
		want = "Basic"
	}
	scheme, token, _ := strings.Cut(strings.Trim(v, " \t"), " ")
	if !strings.EqualFold(scheme, want) {
		return "", false
	}
	return strings.TrimLeft(token, " "), true
}

// readings are the token itself and, for Basic with an empty password, the user
// name (RFC 7617).
func readings(p keyring.Place, token string) [2]key.Raw {
	r := [2]key.Raw{key.NewRaw(token)}
	if p != keyring.Basic || len(token) > 2*key.MaxLength {
		return r
	}
	if pair, err := base64.StdEncoding.Strict().DecodeString(token); err == nil {
		if user, password, ok := strings.Cut(string(pair), ":"); ok && password == "" {
			r[1] = key.NewRaw(user)
		}
	}
	return r
}

func lookQuery(name, query string) (n int, r key.Raw) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(k); err != nil || k != name {
			continue
		}
		n++
		v, err := url.QueryUnescape(v)
		if err != nil {
			v = "" // there, but not a key
		}
		r = key.NewRaw(v)
	}
	return n, r
}

func lookCookies(name string, h Headers) (n int, r key.Raw) {
	for i := 0; ; i++ {
		cookies, ok := h.Value("cookie", i)
		if !ok {
			return n, r
		}
		for cookies != "" {
			var pair string
			pair, cookies, _ = strings.Cut(cookies, ";")
			k, v, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if ok && k == name {
				n++
				r = key.NewRaw(v)
			}
		}
	}
}
