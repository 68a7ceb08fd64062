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
	reason := MissingCredential
	in := search{headers: h, query: query}
	for i := range places {
		n, r := in.look(&places[i])
		switch {
		case n == 0:
		case n > 1 || reason != MissingCredential:
			return found{}, AmbiguousCredential
		default:
			f, reason = found{credential: places[i], readings: r}, ""
		}
	}
	return f, reason
}

// search is one for credentials.
type search struct {
	headers Headers
	query   string
	// Two places are in Authorization, which is asked for once.
	asked         bool
	authorization string
	sent          int
}

// first returns the first value of a header and how many there are, 2 for more.
func first(h Headers, name string) (value string, n int) {
	value, sent := h.Value(name, 0)
	if !sent {
		return "", 0
	}
	if _, more := h.Value(name, 1); more {
		return value, 2
	}
	return value, 1
}

// look counts the credentials in one place and returns the readings of the only one.
func (s *search) look(p *keyring.Credential) (n int, r [2]key.Raw) {
	switch p.Place {
	case keyring.Bearer, keyring.Basic:
		if !s.asked {
			s.authorization, s.sent = first(s.headers, "authorization")
			s.asked = true
		}
		if s.sent != 1 {
			return s.sent, r // which of two an upstream reads can't be known
		}
		if token, ok := schemeToken(s.authorization, p.Place); ok {
			return 1, readings(p.Place, token)
		}
	case keyring.Header:
		v, sent := first(s.headers, p.Name)
		return sent, [2]key.Raw{key.NewRaw(trimBlanks(v))}
	case keyring.Query:
		n, r[0] = lookQuery(p.Name, s.query)
	case keyring.Cookie:
		n, r[0] = lookCookies(p.Name, s.headers)
	case keyring.NoPlace:
	}
	return n, r
}

// trimBlanks cuts off spaces and tabs around a header's value.
func trimBlanks(v string) string {
	for v != "" && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for v != "" && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// schemeToken returns what follows "Bearer" or "Basic" (RFC 9110, section 11.4).
func schemeToken(v string, p keyring.Place) (string, bool) {
	want := "Bearer"
	if p == keyring.Basic {
		want = "Basic"
	}
	scheme, token, _ := strings.Cut(trimBlanks(v), " ")
	if scheme != want && !strings.EqualFold(scheme, want) {
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
			k, v, ok := strings.Cut(trimBlanks(pair), "=")
			if ok && k == name {
				n++
				r = key.NewRaw(v)
			}
		}
	}
}
