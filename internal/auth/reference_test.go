package auth

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// What is done fast beside what it does, done plainly.

func plainlyNormalPath(target string) (path, query string, err error) {
	path, query, _ = strings.Cut(target, "?")
	if strings.Contains(target, "#") || strings.Contains(path, " ") || !strings.HasPrefix(path, "/") {
		return "", "", ErrPath
	}
	out, raw := "", ""
	for i := 0; i < len(path); i++ {
		c, as := path[i], path[i:i+1]
		if c == '%' {
			if i+2 >= len(path) || unhex(path[i+1]) < 0 || unhex(path[i+2]) < 0 {
				return "", "", ErrPath
			}
			c, as = byte(unhex(path[i+1])<<4|unhex(path[i+2])), path[i:i+3]
			i += 2
			if c == '/' {
				return "", "", ErrPath
			}
			if isUnreserved(c) {
				as = string(rune(c))
			}
		}
		if isForbidden(c) {
			return "", "", ErrPath
		}
		out += as
		raw += string([]byte{c})
	}
	if !utf8.ValidString(raw) {
		return "", "", ErrPath
	}
	segments := strings.Split(out[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return "", "", ErrPath
		}
	}
	return out, query, nil
}

func plainlyExtract(places []keyring.Credential, h Headers) (found, Reason) {
	var f found
	count := 0
	authorizations := all(h, "authorization")
	for _, p := range places {
		switch p.Place {
		case keyring.Bearer, keyring.Basic:
			if len(authorizations) > 1 {
				count += 2
				continue
			}
			for _, v := range authorizations {
				scheme, token, _ := strings.Cut(strings.Trim(v, " \t"), " ")
				if strings.EqualFold(scheme, map[keyring.Place]string{keyring.Bearer: "Bearer", keyring.Basic: "Basic"}[p.Place]) {
					count++
					f = found{credential: p, readings: readings(p.Place, strings.TrimLeft(token, " "))}
				}
			}
		case keyring.Header:
			for _, v := range all(h, p.Name) {
				count++
				f = found{credential: p, readings: [2]key.Raw{key.NewRaw(strings.Trim(v, " \t"))}}
			}
		default: // as they were
		}
	}
	switch count {
	case 0:
		return f, MissingCredential
	case 1:
		return f, ""
	default:
		return f, AmbiguousCredential
	}
}

func all(h Headers, name string) []string {
	var values []string
	for v, ok := h.Value(name, 0); ok; v, ok = h.Value(name, len(values)) {
		values = append(values, v)
	}
	return values
}

func plainlyClient(source string, forwardedFor []string, trusted func(netip.Addr) bool) netip.Addr {
	addr, ok := parseAddr(source)
	hops := strings.Split(strings.Join(forwardedFor, ","), ",")
	if len(forwardedFor) == 0 {
		hops = nil
	}
	for ok && trusted(addr) {
		if len(hops) == 0 {
			return netip.Addr{}
		}
		addr, ok = parseAddr(strings.Trim(hops[len(hops)-1], " \t"))
		hops = hops[:len(hops)-1]
	}
	return addr
}

// some writes a text of a few pieces.
func some(random *rand.Rand, most int, pieces ...string) string {
	var b strings.Builder
	for range random.IntN(most + 1) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}

func TestAgainstPlain(t *testing.T) {
	proxies := blocks("10.0.0.0/8", "fd00::/8")
	trusted := func(a netip.Addr) bool { return Contains(proxies, a) }
	places := []keyring.Credential{bearer, basic, header, {Place: keyring.Header, Name: "authorization"}}
	for seed := range uint64(20_000) {
		random := rand.New(rand.NewPCG(seed, 1))
		samePath(t, some(random, 1, "/", "/", "/", "a", "")+
			some(random, 8, "a", "b.c", "/", "/", "?", "#", ".", "..", "%2e", "%41", "%20", "%2f", "%zz", "%", "é", "%c3%a9", "%C3", "\xff", ";", "\\", " ", "+", "\x00", strings.Repeat("x", 130)))
		sameHost(t, some(random, 6, "a", "api", "B", ".", "-", "_", "0", ":", "80", "[::1]", "::1", "é", " ", "xn--a", strings.Repeat("l", 63), strings.Repeat("y", 120)))

		hops := []string{}
		for range random.IntN(4) {
			hops = append(hops, some(random, 4, "10.0.0.1", ",", ", ", "203.0.113.7", "\t", "fd00::1", "x", "10.1.1.1,10.2.2.2"))
		}
		source := some(random, 1, "10.0.0.1", "203.0.113.7", "fd00::1", "::ffff:10.0.0.1", "x")
		if got, _ := clientAddr(source, hops, trusted); got != plainlyClient(source, hops, trusted) {
			t.Fatalf("client of %q, %q: got %v, want %v", source, hops, got, plainlyClient(source, hops, trusted))
		}

		sent := list{}
		for range random.IntN(4) {
			sent = append(sent, [2]string{
				some(random, 1, "authorization", "authorization", "x-api-key", "x"),
				some(random, 4, " ", "\t", "Bearer ", "bearer", "Basic ", "BASIC ", "Ba\u017fic ", good, encoded(good+":"), encoded("a:b")),
			})
		}
		asked := places[random.IntN(3):]
		got, reason := extract(asked, sent, "")
		want, because := plainlyExtract(asked, sent)
		if reason != because || reason == "" && (got.credential != want.credential || got.readings[0].Reveal() != want.readings[0].Reveal() || got.readings[1].Reveal() != want.readings[1].Reveal()) {
			t.Fatalf("%v of %q: got %v (%q), want %v (%q)", asked, sent, got.credential, reason, want.credential, because)
		}
	}
}

func samePath(t *testing.T, target string) {
	t.Helper()
	path, query, err := NormalizePath(target)
	if p, q, e := plainlyNormalPath(target); path != p || query != q || (err == nil) != (e == nil) {
		t.Fatalf("%q: got %q, %q, %v, want %q, %q, %v", target, path, query, err, p, q, e)
	}
}

// sameHost compares with the way of hosts that aren't plain, by which all can go.
func sameHost(t *testing.T, host string) {
	t.Helper()
	got, err := NormalizeHost(host)
	if want, e := normalizeHost(host); got != want || (err == nil) != (e == nil) {
		t.Fatalf("%q: got %q, %v, want %q, %v", host, got, err, want, e)
	}
}
