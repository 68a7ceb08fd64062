package auth

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalizePath(t *testing.T) {
	type want struct{ path, query string }
	tests := map[string]want{ // by target
		"/":                        {"/", ""},
		"/a":                       {"/a", ""},
		"/a/b/c":                   {"/a/b/c", ""},
		"/a/":                      {"/a/", ""},
		"/api/public/budgets/2026": {"/api/public/budgets/2026", ""},
		"/.well-known/x":           {"/.well-known/x", ""},
		"/a..b/..c/d../...":        {"/a..b/..c/d../...", ""},
		"/a.b":                     {"/a.b", ""},
		"/-._~":                    {"/-._~", ""},
		"/@:!$&'()*+,=":            {"/@:!$&'()*+,=", ""},
		"/*":                       {"/*", ""},

		"/a?":                    {"/a", ""},
		"/a?b=c":                 {"/a", "b=c"},
		"/a?b?c":                 {"/a", "b?c"},
		"/?":                     {"/", ""},
		"/a?x=//../%2f;%00%zz\\": {"/a", "x=//../%2f;%00%zz\\"},
		"/a?%41=%41+%20":         {"/a", "%41=%41+%20"},
		"/a/?/../b":              {"/a/", "/../b"},

		"/%41":             {"/A", ""},
		"/%61%62%63":       {"/abc", ""},
		"/%30%39":          {"/09", ""},
		"/%2d%5f%7e%2Dx":   {"/-_~-x", ""},
		"/%2ea":            {"/.a", ""},
		"/a%2E%2Eb":        {"/a..b", ""},
		"/%7Euser":         {"/~user", ""},
		"/a%20b":           {"/a%20b", ""},
		"/%25":             {"/%25", ""},
		"/%252e%252e":      {"/%252e%252e", ""},
		"/%252F":           {"/%252F", ""},
		"/%25zz":           {"/%25zz", ""},
		"/%3A%40%2b":       {"/%3A%40%2b", ""},
		"/%23%3f":          {"/%23%3f", ""},
		"/%e2%82%ac":       {"/%e2%82%ac", ""},
		"/%C3%A4":          {"/%C3%A4", ""},
		"/€":               {"/€", ""},
		"/ä/%C3%A4":        {"/ä/%C3%A4", ""},
		"/%F0%9F%94%91":    {"/%F0%9F%94%91", ""},
		"/a%3Fapi_key=k":   {"/a%3Fapi_key=k", ""},
		"/a/b%3F/..x":      {"/a/b%3F/..x", ""},
		"/%4a%4A/%5a%5A/x": {"/JJ/ZZ/x", ""},
	}
	for target, want := range tests {
		path, query, err := NormalizePath(target)
		if err != nil || path != want.path || query != want.query {
			t.Errorf("%q: got %q, %q, %v, want %q, %q", target, path, query, err, want.path, want.query)
		}
	}
}

func TestNormalizePathRefuses(t *testing.T) {
	tests := map[string][]string{
		"empty segments":        {"//", "//a", "/a//b", "/a//", "///", "/%41//"},
		"dot segments":          {"/.", "/./", "/a/.", "/a/./b", "/..", "/../", "/a/..", "/a/../b", "/../../etc/passwd"},
		"encoded dot segments":  {"/%2e", "/%2E/", "/a/%2e%2e/b", "/%2E%2e", "/.%2e/", "/%2e./x", "/a/%2E"},
		"encoded slashes":       {"/%2F", "/a%2fb", "/a/..%2F..%2Fb", "/%2f%2f"},
		"backslashes":           {"/\\", "/a\\b", "/..\\b", "/%5c", "/a%5Cb", "/a/..%5C"},
		"semicolons":            {"/;", "/a;b", "/..;/b", "/a;jsessionid=1", "/%3b", "/a%3Bb", "/a/.;/b"},
		"control characters":    {"/\x00", "/a\tb", "/a\nb", "/a\r", "/\x1f", "/\x7f", "/%00", "/%0a", "/%0D%0A", "/%09", "/%1F", "/%7f"},
		"raw spaces":            {"/a b", "/ ", "/a /", "/a HTTP/1.1", "/a %20b"},
		"invalid UTF-8":         {"/\xff", "/a\xc0\xae", "/%ff", "/%c0%ae", "/%C0%AE%C0%AE/", "/%e2%82", "/\xe2\x82", "/%c3", "/%ed%a0%80", "/%f8%88%80%80%80", "/%c0%af"},
		"malformed escapes":     {"/%", "/a%", "/%2", "/a/%4", "/%zz", "/%4g", "/%g4", "/%-1", "/% 41", "/%%41", "/%u0041", "/%\xff\xff"},
		"fragments":             {"/#", "/a#b", "/a?b#c", "#", "/a#?b"},
		"what is no path":       {"", "*", "a", "a/b", "?a", "?", "http://api.shop.dev/a", "https://h", "\\a", "%2Fa", " /a", ".", "..", "../a"},
		"the good beside a bad": {"/api/public/budgets/../admin?ok=1", "/v1/%2e%2e/admin?", "/%41/;?a=b"},
	}
	for class, targets := range tests {
		for _, target := range targets {
			if path, query, err := NormalizePath(target); !errors.Is(err, ErrPath) || path != "" || query != "" {
				t.Errorf("%s: %q: got %q, %q, %v, want nothing and ErrPath", class, target, path, query, err)
			}
		}
	}
}

func FuzzNormalizePath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a/b?c=d", "/%41%2e", "/%2e%2e/", "/a//b", "/%252e", "/%c0%ae", "/ä", "/%e2%82%ac", "/a%", "/;", "/\\", "/#", "*", "/a b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		samePath(t, target)
		path, query, err := NormalizePath(target)
		if err != nil {
			if path+query != "" || !errors.Is(err, ErrPath) {
				t.Errorf("got %q, %q, %v, want nothing and ErrPath", path, query, err)
			}
			return
		}
		if _, after, _ := strings.Cut(target, "?"); query != after {
			t.Errorf("query: got %q, want %q as it was", query, after)
		}
		if again, none, err := NormalizePath(path); err != nil || again != path || none != "" {
			t.Errorf("%q, once more: got %q, %q, %v", path, again, none, err)
		}
		decoded, err := url.PathUnescape(path)
		if err != nil || !utf8.ValidString(decoded) {
			t.Errorf("%q decodes to %q, %v", path, decoded, err)
		}
		if strings.ContainsAny(decoded, "\\;\x00\r\n\x7f") || strings.ContainsAny(path, "?# ") || !strings.HasPrefix(path, "/") {
			t.Errorf("%q decodes to %q", path, decoded)
		}
		// Decoding finds neither more nor other segments.
		segments := strings.Split(decoded, "/")
		if len(segments) != strings.Count(path, "/")+1 {
			t.Errorf("%q has other segments when decoded: %q", path, segments)
		}
		for i, s := range segments[1:] {
			if s == "." || s == ".." || s == "" && i+2 != len(segments) {
				t.Errorf("%q has segment %q", path, s)
			}
		}
		whole, err := url.PathUnescape(strings.SplitN(target, "?", 2)[0])
		if err != nil || whole != decoded {
			t.Errorf("%q was read as %q, which decodes to %q in place of %q", target, path, decoded, whole)
		}
	})
}
