package audit

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

const (
	// maxPresented bounds the credentials of one request that are looked for.
	// Where there are more, nothing that its client wrote is shown.
	maxPresented = 16
	// minLength is the length from which a key is looked for within words, and of
	// words that are looked up: a shorter one is in too many. One that was presented
	// is still hidden where it stands alone.
	minLength = 8
	// longRun is the length of the shortest random part that a key can have (128
	// bits of Base64).
	longRun = 22
)

// hidden stands for what holds a key.
var hidden = key.Raw{}.String()

// lookup finds the key of a digest, as keyring.Ring.Find does.
type lookup func(keyring.Name, key.Digest) (keyring.Match, bool)

// secrets tells what of a client's words may not be shown:
//
//   - what it sent where the API looks for keys or where keys commonly are,
//     whatever the verdict,
//   - a known key, sent elsewhere,
//   - what has the form of a key of the API.
type secrets struct {
	api       *keyring.API
	known     lookup
	presented []string
	tooMany   bool
}

// secretsOf looks wider than the verdict does: for every credential, not for the
// one.
func secretsOf(r *auth.Request, api *keyring.API, known lookup) *secrets {
	s := &secrets{api: api, known: known}
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

// addHeader adds every value of a header, as it is and, since some gateways join
// values with commas, split.
func (s *secrets) addHeader(h auth.Headers, name string, add func(string)) {
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

// addAuthorization adds what follows the scheme, or all where there is none, and
// the user name and password that it may hold.
func (s *secrets) addAuthorization(value string) {
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

// addPairs adds the values of a name in a query or in cookies.
func (s *secrets) addPairs(pairs, separator, name string) {
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

// add adds the beginning of a value as long as a key can be: texts are looked at
// no further either.
func (s *secrets) add(value string) {
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

// show cleans a client's words, hides them if they hold a key, and cuts them.
func (s *secrets) show(text string, limit int) string {
	text = clean(text, limit+key.MaxLength) // a key that begins within the limit ends there too
	if s.in(text) {
		return hidden
	}
	return clean(text, limit)
}

// showPath is show for each segment and for the whole, as keys may have slashes.
func (s *secrets) showPath(path string, limit int) string {
	if path == "" {
		return ""
	}
	path = clean(path, limit+key.MaxLength)
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if s.in(segment) {
			segments[i] = hidden
		}
	}
	path = strings.Join(segments, "/")
	if s.holds(path) || s.holds(unescape(path)) {
		return "/" + hidden
	}
	return clean(path, limit)
}

// in reports whether a text is a key, has one among its words, or holds one.
func (s *secrets) in(text string) bool {
	switch {
	case text == "":
		return false
	case s.tooMany || s.inReading(text):
		return true
	default:
		unescaped := unescape(text)
		return unescaped != text && s.inReading(unescaped)
	}
}

func (s *secrets) inReading(text string) bool {
	return s.is(text) || len(text) >= minLength && (s.holds(text) || slices.ContainsFunc(strings.FieldsFunc(text, betweenWords), s.is))
}

// betweenWords holds for what commonly stands beside a key.
func betweenWords(r rune) bool { return strings.ContainsRune(` /?&=:;,"'()<>[]{}`, r) }

// is reports whether a word is a key.
func (s *secrets) is(word string) bool {
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

// holds reports whether a key is somewhere in a text. Without an API nothing says
// what a key looks like: then every long run of letters and digits may be one.
func (s *secrets) holds(text string) bool {
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

func hasLongRun(text string) bool {
	run := 0
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			if run++; run == longRun {
				return true
			}
		default:
			run = 0
		}
	}
	return false
}

func unescape(s string) string {
	if unescaped, err := url.PathUnescape(s); err == nil {
		return unescaped
	}
	return s
}
