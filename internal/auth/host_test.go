package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestNormalizeHost(t *testing.T) {
	longest := repeat(repeat("l", 63)+".", 3) + repeat("n", 61)
	tests := map[string]string{
		"api.shop.dev":          "api.shop.dev",
		"API.Shop.DEV":          "api.shop.dev",
		"api.shop.dev:443":      "api.shop.dev",
		"api.shop.dev:0":        "api.shop.dev",
		"api.shop.dev:65535":    "api.shop.dev",
		"api.shop.dev:":         "api.shop.dev",
		"api.shop.dev.":         "api.shop.dev",
		"api.shop.dev.:8080":    "api.shop.dev",
		"localhost":             "localhost",
		"LOCALHOST:3000":        "localhost",
		"x":                     "x",
		"xn--bcher-kva.example": "xn--bcher-kva.example",
		"my_service.default":    "my_service.default",
		"_dns.example":          "_dns.example",
		"1.2.3.4":               "1.2.3.4",
		"1.2.3.4:80":            "1.2.3.4",
		"[::1]":                 "[::1]",
		"[::1]:8080":            "[::1]",
		"[::1]:":                "[::1]",
		"[2001:DB8:0:0::1]:443": "[2001:db8::1]",
		"[::ffff:192.0.2.1]":    "[::ffff:192.0.2.1]",
		longest:                 longest,
		longest + ".:443":       longest,
	}
	for host, want := range tests {
		if got, err := NormalizeHost(host); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", host, got, err, want)
		}
	}
}

func TestNormalizeHostRefuses(t *testing.T) {
	tests := map[string][]string{
		"nothing":         {"", ".", ":", ":80", "..", ".:80"},
		"empty labels":    {".a", "a..b", "a...", "a..", ".a.b", "a..:80"},
		"ports":           {"a:b", "a:80:80", "a:-1", "a:+1", "a:65536", "a:99999", "a:000080", "a: 80", "a:80 ", "a:8 0", "a:０", "a:80."},
		"other hyphens":   {"-a", "a.-b", "-"},
		"patterns":        {"*", "*.shop.dev", "a*.dev"},
		"URLs":            {"http://a", "a/b", "//a", "a?b", "a#b", "u@a", "u:p@a", "a\\b"},
		"bad characters":  {"a b", " a", "a ", "a\tb", "a\nb", "a\x00", "a,b", "a;b", "a%2eb", "a%20", "a$b", "a'b", `"a"`, "a(b)", "ä.dev", "a\xff", "\u212a.dev", "a。b", "ａ"},
		"bare IPv6":       {"::1", "2001:db8::1", "::ffff:1.2.3.4", "fe80::1%eth0"},
		"bracketed":       {"[", "]", "[]", "[]:80", "[::1", "::1]", "[::1]x", "[::1]80", "[::1]:x", "[::1]:65536", "[[::1]]", "[::1].", "a[::1]"},
		"not IPv6":        {"[1.2.3.4]", "[a.dev]", "[::1%eth0]", "[fe80::1%25eth0]", "[::g]", "[::1/64]", "[v1.x]"},
		"254 characters":  {repeat(repeat("l", 63)+".", 3) + repeat("n", 62)},
		"very long":       {repeat("a.", 1000) + "a", repeat("a", 100000)},
		"more than a dot": {"a.dev..", "a.dev.:80."},
	}
	for class, hosts := range tests {
		for _, host := range hosts {
			if got, err := NormalizeHost(host); !errors.Is(err, ErrHost) || got != "" {
				t.Errorf("%s: %q: got %q, %v, want ErrHost", class, host, got, err)
			}
		}
	}
}

func FuzzNormalizeHost(f *testing.F) {
	for _, seed := range []string{"api.shop.dev:443", "A.", "[::1]:80", "[2001:DB8::1]", "::1", "1.2.3.4", "", "*.a", "a..b", "[::ffff:1.2.3.4]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		sameHost(t, host)
		got, err := NormalizeHost(host)
		if err != nil {
			if got != "" || !errors.Is(err, ErrHost) {
				t.Errorf("got %q, %v, want ErrHost", got, err)
			}
			return
		}
		if again, err := NormalizeHost(got); err != nil || again != got {
			t.Errorf("%q, once more: got %q, %v", got, again, err)
		}
		if got == "" || got != strings.ToLower(got) || strings.ContainsAny(got, "*@/\\?#%, \t\r\n\x00") || strings.HasSuffix(got, ".") {
			t.Errorf("%q was read as %q", host, got)
		}
		if !strings.HasPrefix(got, "[") && strings.Contains(got, ":") || len(got) > 253 {
			t.Errorf("%q was read as %q", host, got)
		}
	})
}
