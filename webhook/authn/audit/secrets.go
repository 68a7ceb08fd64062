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

	// apiKeyHeader is where keys commonly are, besides authorization.
	apiKeyHeader = "x-api-key"
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
//
// They are used again, for one request after the other.
type secrets struct {
	api       *keyring.API
	known     lookup
	presented []string
	tooMany   bool
}

// forget drops the credentials of a request.
func (s *secrets) forget() {
	clear(s.presented)
	*s = secrets{presented: s.presented[:0]}
}

// of gathers the credentials of a request. It looks wider than the verdict does: for
// every credential, not for the one.
func (s *secrets) of(r *auth.Request, api *keyring.API, known lookup) {
	s.api, s.known = api, known
	s.addHeader(r.Headers, keyring.Credential{Place: keyring.Bearer})
	s.addHeader(r.Headers, keyring.Credential{Place: keyring.Header, Name: apiKeyHeader})
	if api == nil {
		return
	}
	for _, p := range api.Credentials {
		switch {
		case p.Place == keyring.Bearer, p.Place == keyring.Basic, p.Place == keyring.Header && p.Name == apiKeyHeader:
			// looked at already
		case p.Place == keyring.Query:
			_, query, _ := strings.Cut(r.Path, "?")
			s.addPairs(query, "&", p.Name)
		default:
			s.addHeader(r.Headers, p)
		}
	}
}

// addHeader adds what a place in the headers holds: of every value as it is and,
// since some gateways join values with commas, split.
func (s *secrets) addHeader(h auth.Headers, p keyring.Credential) {
	name := p.Name
	switch p.Place {
	case keyring.Bearer, keyring.Basic:
		name = "authorization"
	case keyring.Cookie:
		name = "cookie"
	case keyring.Header:
	case keyring.Query, keyring.NoPlace:
		return
	}
	if h == nil {
		return
	}
	for i := 0; !s.tooMany; i++ {
		value, ok := h.Value(name, i)
		if !ok {
			return
		}
		s.addValue(p, value)
		for rest, more := value, strings.Contains(value, ","); more && !s.tooMany; {
			var part string
			part, rest, more = strings.Cut(rest, ",")
			s.addValue(p, part)
		}
	}
}

func (s *secrets) addValue(p keyring.Credential, value string) {
	switch p.Place {
	case keyring.Bearer, keyring.Basic:
		s.addAuthorization(value)
	case keyring.Cookie:
		s.addPairs(value, ";", p.Name)
	default:
		s.add(value)
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
	if !maybeBase64(token) {
		return
	}
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

// maybeBase64 is false for most tokens that aren't, such as ours and JWTs: its
// alphabet lacks these characters, and to find that out by decoding allocates.
func maybeBase64(token string) bool { return !strings.ContainsAny(token, "_-.") }

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
	return shorten(text, limit)
}

// showPath is show for each segment and for the whole, as keys may have slashes.
func (s *secrets) showPath(path string, limit int) string {
	if path == "" {
		return ""
	}
	path = s.hideSegments(clean(path, limit+key.MaxLength))
	if s.holds(path) {
		return "/" + hidden
	}
	if unescaped := unescape(path); unescaped != path && s.holds(unescaped) {
		return "/" + hidden
	}
	return shorten(path, limit)
}

func (s *secrets) hideSegments(path string) string {
	for rest, more := path, true; more; {
		var segment string
		if segment, rest, more = strings.Cut(rest, "/"); !s.in(segment) {
			continue
		}
		segments := strings.Split(path, "/")
		for i, segment := range segments {
			if s.in(segment) {
				segments[i] = hidden
			}
		}
		return strings.Join(segments, "/")
	}
	return path
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
	return s.is(text) || len(text) >= minLength && (s.holds(text) || s.hasWord(text))
}

// hasWord reports whether one of several words is a key.
func (s *secrets) hasWord(text string) bool {
	if look(text)&separator == 0 {
		return false // it is one word, that isn't
	}
	start := 0
	for i := range len(text) {
		if kindOf[text[i]]&separator == 0 {
			continue
		}
		if start < i && s.is(text[start:i]) {
			return true
		}
		start = i + 1
	}
	return start < len(text) && s.is(text[start:])
}

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
	for i := range s.api.Formats {
		if f := &s.api.Formats[i]; mayOccur(f, text) && f.Occurs(text) {
			return true
		}
	}
	return false
}

// mayOccur is false where a format's fixed parts are missing, or there is no room
// for a key: that is nearly everywhere, and costs little to see.
func mayOccur(f *key.Format, text string) bool {
	return len(text) >= len(f.Prefix)+len(f.Environment)+f.Length &&
		strings.Contains(text, f.Prefix) && strings.Contains(text, f.Environment)
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
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if unescaped, err := url.PathUnescape(s); err == nil {
		return unescaped
	}
	return s
}
