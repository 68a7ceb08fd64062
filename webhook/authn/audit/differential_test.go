package audit

import (
	"encoding/base64"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// knownWords are keys that the API knows.
var knownWords = []string{rawKey, importKey, "old-secret", "12345678", "Registration", "a/b=c%d/e"}

func findKnown(_ keyring.Name, d key.Digest) (keyring.Match, bool) {
	return keyring.Match{}, slices.ContainsFunc(knownWords, func(word string) bool { return key.NewRaw(word).Digest() == d })
}

// variants are APIs that look for keys in all ways.
func variants(t testing.TB) []*keyring.API {
	t.Helper()
	all := newWorld(t).api
	with := func(change func(*keyring.API)) *keyring.API {
		api := *all
		change(&api)
		return &api
	}
	return []*keyring.API{
		nil, all, keyring.NewDefaultAPI(), {},
		with(func(a *keyring.API) {
			a.Name.Name = "sh\"o\u2028p"
			a.Formats = []key.Format{{Alphabet: key.Base64, Length: 24}}
			a.Credentials = []keyring.Credential{{}, {Place: keyring.Header, Name: "authorization"}, {Place: keyring.Cookie, Name: "key"}}
		}),
		with(func(a *keyring.API) {
			a.Formats = []key.Format{{Environment: "live", Alphabet: key.Base62, Length: 22, Checksum: true}, {Alphabet: key.Hex, Length: 32}}
			a.Audit = keyring.Audit{SourceHeader: "cookie", DefaultSource: "<Büro> \"1\"\n"}
			a.Denials = map[string]keyring.Denial{"unauthorized": {Status: 204}}
		}),
	}
}

func compare(t *testing.T, door string, r *auth.Request, v *auth.Verdict, took time.Duration) {
	t.Helper()
	var out lines
	New(&out, findKnown).write(door, r, v, took)
	if got, want := out.String(), plainLine(t, findKnown, door, r, v, took); got != want {
		t.Fatalf("\n got %s\nwant %s\nof %+v\nand %+v", got, want, r, v)
	}
}

func TestLinesAreWhatThePlainCodeWrites(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	one := func(options ...string) string { return options[random.IntN(len(options))] }
	words := []string{
		"", "x", "budgets", "5e7a1c86-0d6c-4c5f-9a70-2f9c5ce2f1f0", "Büro", "東京", "\u2028", "\u202e", "\x00", "\x7f", "\xff", "\ufffd", `"`, `\`, "<&>",
		"%", "%41", "%2F", "%zz", "%22", " ", "/", "=", ":", "bk", "live_", rawKey, rawKey[8:], otherKey, rawKey[:20], importKey, url.PathEscape(importKey),
		strings.ReplaceAll(importKey, "+", "%2B"), "old-secret", "12345678", "Registration", "live" + strings.Repeat("A", 28), strings.Repeat("0", 32),
		strings.Repeat("Zz9+", 6), strings.Repeat("é ", 60), strings.Repeat("é ", 130), strings.Repeat("ab/", 40), strings.Repeat("ab/", 500),
	}
	word := func() string { return one(words...) }
	text := func() string {
		var b strings.Builder
		for range random.IntN(6) {
			b.WriteString(word())
			b.WriteString(one("", "", " ", "/", ",", ";", "&", "?", "\""))
		}
		return b.String()
	}
	address := func() netip.Addr {
		addr, err := netip.ParseAddr(one("", "203.0.113.7", "::ffff:10.0.0.9", "2001:db8::1", `fe80::1%e"0`))
		if err != nil {
			return netip.Addr{}
		}
		return addr
	}
	apis := variants(t)
	for range 3_000 {
		headers := fields{}
		for _, name := range []string{"authorization", "x-api-key", "x-shop-key", "cookie", "x-audit-source", "x-request-id"} {
			for range max(0, random.IntN(4)-1) {
				headers[name] = append(headers[name], one("", "Bearer ", "key=", "a=b;%6bey=")+one(text(), word(), "Basic "+base64.StdEncoding.EncodeToString([]byte(text()+":"+text()))))
			}
		}
		r := request(headers)
		r.Method, r.Host, r.Path, r.Caller = one("GET", text()), one("api.shop.dev", text()), one("/", "")+text()+one("", "?api_key=", "?a=b&api%5fkey=")+text(), address()
		r.Time = at.Add(time.Duration(random.Int64N(2e9) * int64(1+random.IntN(1000))))
		v := auth.Verdict{API: apis[random.IntN(len(apis))], Reason: auth.Reason(one("allowed", "unknown_key", "rate_limited", word())), Route: text(), Path: one("", "/"+text()), Client: address()}
		if random.IntN(2) == 0 {
			v.Key = &keyring.Key{Name: keyring.Name{Namespace: word(), Name: word()}, UID: word(), Terms: &keyring.Terms{Environment: word()}, Holder: &keyring.Holder{Project: word(), OwnerName: word(), OwnerEmail: word()}}
			v.Version = &keyring.Version{Hint: word()}
		}
		compare(t, one("nginx", word()), r, &v, time.Duration(random.Int64N(1e9)-1e6))
	}
}

func FuzzLine(f *testing.F) {
	f.Add(0, "GET", "other.dev", "/a?b", "", "", "", "API", "1")
	f.Add(1, "GET", "api.shop.dev", "/v1/budgets/7?api_key=x", "Bearer "+rawKey, importKey, "a=b; key=c", "API - Registration Page", "5e7a1c86-0d6c-4c5f-9a70-2f9c5ce2f1f0")
	f.Add(4, "P\u00dcT", "a%2eb", "/v1//%62k_live_\xff"+rawKey[8:], "Basic "+base64.StdEncoding.EncodeToString([]byte("me:old-secret")), "a,b", "key=\"d\\", "\x00<\u2028>", "old-secret;x")
	apis := variants(f)
	f.Fuzz(func(t *testing.T, api int, method, host, path, authorization, header, cookie, source, id string) {
		r := request(fields{
			"authorization": {authorization}, "x-shop-key": {header, id}, "x-api-key": {header}, "cookie": {cookie}, "x-audit-source": {source}, "x-request-id": {id},
		})
		r.Method, r.Host, r.Path = method, host, path
		v := auth.Verdict{API: apis[uint(api)%uint(len(apis))], Reason: auth.UnknownKey, Route: source, Path: source}
		v.Key = &keyring.Key{Name: keyring.Name{Namespace: host, Name: path}, UID: id, Terms: &keyring.Terms{}, Holder: &keyring.Holder{OwnerName: header, OwnerEmail: cookie}}
		compare(t, "nginx", r, &v, 0)
		v.Path, v.Key = "", nil
		compare(t, source, r, &v, 0)
	})
}

func FuzzQuoted(f *testing.F) {
	for _, seed := range []string{"", "a", "é", `"`, `\`, "\x00\x1f\x7f\b\f\n\r\t", "<&>", "\u2027\u202a", "\u2028", "a\u2029", "\xe2\x80", "\xff", "\xe2\x80\xa8\xff", "\ufffd", "\U0001f6d2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendQuoted(nil, s))+"\n", encode(t, s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	})
}
