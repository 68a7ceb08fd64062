package audit

import (
	"encoding/base64"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestKeysAreHidden(t *testing.T) {
	const long = "https://other.example/a-token-of-somebody-else-that-is-not-ours"
	for _, tc := range []struct {
		name    string
		headers fields
		path    string
		want    Record // Path, Source and RequestID
	}{
		{
			"nothing to hide", withKey, "/v1/budgets/7",
			Record{Path: "/v1/budgets/7", Source: "API"},
		},
		{
			"the presented key in every word of the client's",
			fields{"authorization": {"Bearer " + rawKey}, "x-audit-source": {"key " + rawKey + "!"}, "x-request-id": {rawKey}}, "/v1/" + rawKey + "/7",
			Record{Path: "/v1/[redacted key]/7", Source: "[redacted key]", RequestID: "[redacted key]"},
		},
		{
			"percent-encoded", fields{"authorization": {"Bearer " + importKey}, "x-audit-source": {url.PathEscape(importKey)}}, "/v1/an/old%2Bkey%3Dof%3Ano@form",
			Record{Path: "/[redacted key]", Source: "[redacted key]"},
		},
		{
			"torn by what is dropped", fields{"authorization": {"Bearer " + rawKey}, "x-audit-source": {rawKey[:9] + "\x00\u200b" + rawKey[9:]}}, "/v1/" + rawKey[:9] + "\u200b" + rawKey[9:],
			Record{Path: "/v1/[redacted key]", Source: "[redacted key]"},
		},
		{
			"beyond where the source is cut", fields{"authorization": {"Bearer " + rawKey}, "x-audit-source": {strings.Repeat("x", 120) + rawKey}}, "/v1/budgets/7",
			Record{Path: "/v1/budgets/7", Source: "[redacted key]"},
		},
		{
			"as a Basic user name", fields{"authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("old-secret:"))}, "x-audit-source": {"old-secret"}}, "/v1/budgets/7",
			Record{Path: "/v1/budgets/7", Source: "[redacted key]"},
		},
		{
			"as a Basic password", fields{"authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("me:old-secret"))}, "x-audit-source": {"me"}}, "/v1/old-secret",
			Record{Path: "/v1/[redacted key]", Source: "me"},
		},
		{
			"as a Basic token", fields{"authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("0:secret"))}, "x-audit-source": {base64.StdEncoding.EncodeToString([]byte("0:secret"))}}, "/v1/budgets/0",
			Record{Path: "/v1/budgets/0", Source: "[redacted key]"},
		},
		{
			"somebody else's token, too long to be ours", fields{"authorization": {"Bearer " + strings.Repeat(long, 20)}, "x-audit-source": {strings.Repeat(long, 20)}}, "/v1/budgets/7",
			Record{Path: "/v1/budgets/7", Source: "[redacted key]"},
		},
		{
			"the query's", nil, "/v1/" + otherKey[8:] + "/x?api_key=" + otherKey[8:],
			Record{Path: "/v1/[redacted key]/x", Source: "API"},
		},
		{
			"the cookie's", fields{"cookie": {"a=b; key=" + otherKey[8:]}, "x-request-id": {otherKey[8:]}}, "/v1/budgets/7",
			Record{Path: "/v1/budgets/7", Source: "API", RequestID: "[redacted key]"},
		},
		{
			"all of several", fields{"x-shop-key": {"first-secret", "second-secret,third-secret"}, "x-audit-source": {"third-secret"}, "x-request-id": {"second-secret"}}, "/v1/first-secret",
			Record{Path: "/v1/[redacted key]", Source: "[redacted key]", RequestID: "[redacted key]"},
		},
		{
			"more than can be looked for", fields{"x-shop-key": strings.Fields(strings.Repeat("a b c d e f g h i j k l m n o p q ", 2)), "x-audit-source": {"source"}}, "/v1/budgets/7",
			Record{Path: "/[redacted key]", Source: "[redacted key]"},
		},
		{
			"where the API doesn't look", fields{"x-api-key": {"a-legacy-secret"}, "x-audit-source": {"a-legacy-secret"}}, "/v1/budgets/7",
			Record{Path: "/v1/budgets/7", Source: "[redacted key]"},
		},
		{
			"a known key that wasn't presented", fields{"x-audit-source": {"key=" + rawKey}}, "/v1/budgets/7",
			Record{Path: "/v1/budgets/7", Source: "[redacted key]"},
		},
		{
			"a known key of no form that wasn't presented", fields{"x-audit-source": {importKey}}, "/v1/budgets/7",
			Record{Path: "/v1/budgets/7", Source: "[redacted key]"},
		},
		{
			"a key of the API's form that nobody has", fields{"x-audit-source": {otherKey}}, "/v1/" + otherKey + ".json",
			Record{Path: "/v1/[redacted key]", Source: "[redacted key]"},
		},
		{
			"a short credential hides where it stands alone only", fields{"x-shop-key": {"7"}, "x-audit-source": {"7"}}, "/v1/budgets/7/17",
			Record{Path: "/v1/budgets/[redacted key]/17", Source: "[redacted key]"},
		},
		{
			"IDs are no keys", nil, "/v1/5e7a1c86-0d6c-4c5f-9a70-2f9c5ce2f1f0/da39a3ee5e6b4b0d3255bfef95601890afd80709",
			Record{Path: "/v1/5e7a1c86-0d6c-4c5f-9a70-2f9c5ce2f1f0/da39a3ee5e6b4b0d3255bfef95601890afd80709", Source: "API"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(tc.headers)
			r.Path = tc.path
			got := parse(t, newWorld(t).ask(r))
			if got := (Record{Path: got.Path, Source: got.Source, RequestID: got.RequestID}); got != tc.want {
				t.Errorf("\n got %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// What a client sends where an API doesn't look is somebody's credential too.
func TestAuthorizationIsHiddenFromEveryAPI(t *testing.T) {
	w := newWorld(t)
	w.api.Credentials = []keyring.Credential{{Place: keyring.Header, Name: "x-shop-key"}}
	got := w.record(t, fields{"authorization": {"Bearer somebodys-token"}, "x-audit-source": {"somebodys-token"}})
	if got.Source != hidden || got.Reason != "missing_credential" {
		t.Errorf("got %+v", got)
	}
}

// Without an API nothing says what a key looks like.
func TestKeysAreHiddenWithoutAnAPI(t *testing.T) {
	for _, path := range []string{"/v1/" + rawKey + "/7", "/v1//" + rawKey, "/v1/../" + rawKey + "/%00"} {
		r := request(fields{"x-audit-source": {rawKey}, "x-request-id": {"5e7a1c86-0d6c-4c5f-9a70-2f9c5ce2f1f0"}})
		r.Path, r.Host = path, "other.dev"
		got := parse(t, newWorld(t).ask(r))
		if got.API != "" || got.Source != hidden || strings.Contains(got.Path, rawKey[8:]) || !strings.HasPrefix(got.Path, "/v1/") || got.RequestID == hidden {
			t.Errorf("%s: got %+v", path, got)
		}
	}
}

// TestNoLineHoldsAKey sends a key in every place at once, whole and in parts,
// escaped or not, and looks for it in the lines. The key of no form is always
// among those that are presented: docs/audit.md says what else can't be known.
func TestNoLineHoldsAKey(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	one := func(options ...string) string { return options[random.IntN(len(options))] }
	w := newWorld(t)
	seen := map[string]int{}
	for range 20_000 {
		raw := one(rawKey, otherKey, importKey)
		text := func() string {
			return one("", "x", "API - "+raw, raw, raw+raw, url.PathEscape(raw), raw[:5]+"\x00"+raw[5:], raw[:5]+"\u202e"+raw[5:],
				strings.Repeat("é ", random.IntN(80))+raw, "key="+raw+";", "\t"+raw+"\r\n")
		}
		headers := fields{}
		for _, name := range []string{"x-audit-source", "x-request-id", "x-shop-key", "x-api-key", "cookie", "authorization"} {
			for range max(0, random.IntN(4)-1) {
				headers[name] = append(headers[name], one("", "Bearer ", "bearer  ", "Digest ", "a=b; key=")+
					one(text(), "Basic "+base64.StdEncoding.EncodeToString([]byte(raw+":")), raw+",Bearer "+raw))
			}
		}
		if raw == importKey {
			headers["x-api-key"] = append(headers["x-api-key"], raw)
		}
		r := request(headers)
		r.TLS = random.IntN(4) > 0
		r.Host, r.Method = one("api.shop.dev", "api.shop.dev:443", "other.dev", raw, raw+".shop.dev"), one("GET", "POST", raw)
		r.Path = one("/v1/budgets/", "/", "//", "/../") + one("7", url.PathEscape(text()), text()) +
			one("", "?", "?page=2&api_key="+url.QueryEscape(raw), "?"+raw, "#"+raw)
		w.api.DenyPlainHTTP, w.api.Audit.SourceHeader = random.IntN(2) == 0, one("", "x-request-id")

		got := parse(t, w.ask(r))
		seen[got.Reason]++
		for _, shown := range []string{got.Method, got.Host, got.Path, got.Source, got.RequestID} {
			checkClean(t, shown, maxPath)
			if strings.Contains(shown, raw) || strings.Contains(unescape(shown), raw) {
				t.Fatalf("%q holds the key of %+v", shown, r)
			}
		}
		if strings.Contains(w.out.String(), raw) {
			t.Fatalf("%s holds the key of %+v", w.out.String(), r)
		}
	}
	for _, reason := range []string{"allowed", "missing_credential", "ambiguous_credential", "unknown_key", "invalid_path", "invalid_host", "unknown_api", "plain_http"} {
		if seen[reason] == 0 {
			t.Errorf("no request was judged %s: %v", reason, seen)
		}
	}
}
