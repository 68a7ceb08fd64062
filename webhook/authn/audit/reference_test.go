package audit

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// This is what a line is, in code that only wants to be plain: a Record, written by
// encoding/json. differential_test.go compares.

func plainLine(t testing.TB, known lookup, door string, r *auth.Request, v *auth.Verdict, took time.Duration) string {
	t.Helper()
	return encode(t, plainRecord(known, door, r, v, took))
}

func encode(t testing.TB, value any) string {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func plainRecord(known lookup, door string, r *auth.Request, v *auth.Verdict, took time.Duration) Record {
	var settings keyring.Audit
	if v.API != nil {
		settings = v.API.Audit
	}
	s := plainSecretsOf(r, v.API, known)
	record := Record{
		Time: r.Time.UTC(), Verdict: allowed, Reason: string(v.Reason), Status: http.StatusOK,
		Door: door, Key: plainIdentity(v),
		Method: s.show(r.Method, maxMethod), Host: s.show(r.Host, maxHost),
		Route: v.Route, Path: s.showPath(path(r, v), maxPath),
		Client: plainAddress(v.Client), Caller: plainAddress(r.Caller.Unmap()),
		Source:        cmp.Or(s.show(first(r.Headers, cmp.Or(settings.SourceHeader, SourceHeader)), maxWord), settings.DefaultSource, DefaultSource),
		RequestID:     s.show(first(r.Headers, requestIDHeader), maxWord),
		LatencyMicros: took.Microseconds(),
	}
	if v.API != nil {
		record.API = v.API.Name.String()
	}
	if !v.OK() {
		record.Verdict, record.Status = denied, authn.NewDenial(v).Response().Status
	}
	return record
}

func plainAddress(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func plainIdentity(v *auth.Verdict) *Key {
	k := v.Key
	if k == nil {
		return nil
	}
	out := &Key{
		Namespace: k.Name.Namespace, Name: k.Name.Name, UID: k.UID, Hint: v.Hint(),
		Project: k.Project, Environment: k.Environment,
	}
	if k.OwnerName+k.OwnerEmail != "" {
		out.Owner = &Owner{Name: k.OwnerName, Email: k.OwnerEmail}
	}
	return out
}

func plainClean(s string, limit int) string {
	var b strings.Builder
	for n := 0; s != "" && n < limit; {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		invalid := r == utf8.RuneError && size == 1
		if invalid || !unicode.IsPrint(r) || n == 0 && r == ' ' {
			continue
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimRight(b.String(), " ")
}

// plainSecrets is secrets in plain code.
type plainSecrets struct {
	api       *keyring.API
	known     lookup
	presented []string
	tooMany   bool
}

func plainSecretsOf(r *auth.Request, api *keyring.API, known lookup) *plainSecrets {
	s := &plainSecrets{api: api, known: known}
	places := []keyring.Credential{{Place: keyring.Bearer}, {Place: keyring.Header, Name: "x-api-key"}}
	if api != nil {
		places = append(places, api.Credentials...)
	}
	_, query, _ := strings.Cut(r.Path, "?")
	for _, p := range places {
		switch p.Place {
		case keyring.Bearer, keyring.Basic:
			s.addHeader(r.Headers, "authorization", s.addAuthorization)
		case keyring.Header:
			s.addHeader(r.Headers, p.Name, s.add)
		case keyring.Query:
			s.addPairs(query, "&", p.Name)
		case keyring.Cookie:
			s.addHeader(r.Headers, "cookie", func(cookies string) { s.addPairs(cookies, ";", p.Name) })
		case keyring.NoPlace:
		}
	}
	return s
}

func (s *plainSecrets) addHeader(h auth.Headers, name string, add func(string)) {
	if h == nil {
		return
	}
	for i := 0; !s.tooMany; i++ {
		value, ok := h.Value(name, i)
		if !ok {
			return
		}
		add(value)
		for rest, more := value, strings.Contains(value, ","); more && !s.tooMany; {
			var part string
			part, rest, more = strings.Cut(rest, ",")
			add(part)
		}
	}
}

func (s *plainSecrets) addAuthorization(value string) {
	token := strings.TrimSpace(value)
	if _, after, ok := strings.Cut(token, " "); ok {
		token = strings.TrimSpace(after)
	}
	s.add(token)
	pair, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return
	}
	user, password, _ := strings.Cut(string(pair), ":")
	for _, part := range []string{user, password} {
		if password == "" || len(part) >= minLength {
			s.add(part)
		}
	}
}

func (s *plainSecrets) addPairs(pairs, separator, name string) {
	for pairs != "" && !s.tooMany {
		var pair string
		pair, pairs, _ = strings.Cut(pairs, separator)
		n, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if unescaped, err := url.QueryUnescape(n); err == nil {
			n = unescaped
		}
		if n != name {
			continue
		}
		s.add(value)
		if unescaped, err := url.QueryUnescape(value); err == nil {
			s.add(unescaped)
		}
	}
}

func (s *plainSecrets) add(value string) {
	value = strings.TrimSpace(value)
	value = value[:min(len(value), key.MaxLength)]
	switch {
	case value == "" || slices.Contains(s.presented, value):
	case len(s.presented) == maxPresented:
		s.tooMany = true
	default:
		s.presented = append(s.presented, value)
	}
}

func (s *plainSecrets) show(text string, limit int) string {
	text = plainClean(text, limit+key.MaxLength) // a key that begins within the limit ends there too
	if s.in(text) {
		return hidden
	}
	return plainClean(text, limit)
}

func (s *plainSecrets) showPath(path string, limit int) string {
	if path == "" {
		return ""
	}
	path = plainClean(path, limit+key.MaxLength)
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if s.in(segment) {
			segments[i] = hidden
		}
	}
	path = strings.Join(segments, "/")
	if s.holds(path) || s.holds(plainUnescape(path)) {
		return "/" + hidden
	}
	return plainClean(path, limit)
}

func (s *plainSecrets) in(text string) bool {
	switch {
	case text == "":
		return false
	case s.tooMany || s.inReading(text):
		return true
	default:
		unescaped := plainUnescape(text)
		return unescaped != text && s.inReading(unescaped)
	}
}

func (s *plainSecrets) inReading(text string) bool {
	return s.is(text) || len(text) >= minLength && (s.holds(text) || slices.ContainsFunc(strings.FieldsFunc(text, plainBetweenWords), s.is))
}

func plainBetweenWords(r rune) bool { return strings.ContainsRune(` /?&=:;,"'()<>[]{}`, r) }

func (s *plainSecrets) is(word string) bool {
	if slices.Contains(s.presented, word) {
		return true
	}
	raw := key.NewRaw(word)
	if s.api == nil || len(word) < minLength || !raw.InBounds() {
		return false
	}
	_, ok := s.known(s.api.Name, raw.Digest())
	return ok
}

func (s *plainSecrets) holds(text string) bool {
	if s.tooMany {
		return true
	}
	for _, p := range s.presented {
		if len(p) >= minLength && strings.Contains(text, p) {
			return true
		}
	}
	if s.api == nil {
		return hasLongRun(text)
	}
	return slices.ContainsFunc(s.api.Formats, func(f key.Format) bool { return f.Occurs(text) })
}

func plainUnescape(s string) string {
	if unescaped, err := url.PathUnescape(s); err == nil {
		return unescaped
	}
	return s
}
