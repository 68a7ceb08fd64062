package keyring_test

import (
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// label is 63 characters long, name 253.
var (
	label = strings.Repeat("l", 63)
	name  = strings.Repeat(label+".", 3) + strings.Repeat("n", 61)
)

func TestParseHostPattern(t *testing.T) {
	good := map[string]string{
		"api.billoget.com": "api.billoget.com",
		"*.billoget.dev":   "*.billoget.dev",
		"*":                "*",
		"localhost":        "localhost",
		"API.Billoget.COM": "api.billoget.com",
		"*.X-1.Dev":        "*.x-1.dev",
		"10.0.0.1":         "10.0.0.1",
		"xn--bcher-kva.de": "xn--bcher-kva.de",
		"my_host.dev":      "my_host.dev",
		label + ".dev":     label + ".dev",
		name:               name,
	}
	for text, want := range good {
		if got, err := keyring.ParseHostPattern(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ".", "*.", "**", "*.*", "*a.dev", "a.*.dev", "a*.dev", "*.*.dev", "*dev", "a.dev.*",
		".a.dev", "a.dev.", "a..dev", "*..dev", "*.a.dev.",
		"-a.dev", "a.-b.dev", "a-.dev", "a.dev-",
		"a.dev:80", "https://a.dev", "a.dev/", "a.dev/path", "u@a.dev", "a.dev?x", "a.dev#x", "[::1]", "::1",
		"a b.dev", " a.dev", "a.dev ", "a\t.dev", "a.dev\n", "a\x00.dev", "a,b", "a.dev,b.dev", "a=b", "a%2e.dev", "a$.dev", "a;b", `a"b`,
		"bücher.de", "a\xff.dev", "\u212a.dev",
		"l" + label + ".dev", name + "n",
	} {
		if got, err := keyring.ParseHostPattern(text); err == nil || got != "" {
			t.Errorf("%q: got %q, want an error", text, got)
		} else if !strings.Contains(err.Error(), "host pattern") {
			t.Errorf("%q: the error doesn't say what is wrong: %v", text, err)
		}
	}
}

func TestParseGrant(t *testing.T) {
	good := map[string]keyring.Grant{
		"shop=*.billoget.dev":  {Namespace: "shop", Pattern: "*.billoget.dev"},
		"shop=API.example.com": {Namespace: "shop", Pattern: "api.example.com"},
		"gateway-1=*":          {Namespace: "gateway-1", Pattern: "*"},
		label + "=a.dev":       {Namespace: label, Pattern: "a.dev"},
	}
	for text, want := range good {
		if got, err := keyring.ParseGrant(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "=", "shop", "shop=", "=a.dev", "a.dev=", "*.dev", "shop:*.dev", "shop *.dev",
		"shop==a.dev", "shop=a=b", "shop=*.a.dev,b.dev", "shop=a.dev:80",
		"*=a.dev", "Shop=a.dev", "sh op=a.dev", " shop=a.dev", "shop =a.dev", "shop= a.dev", "shop/api=a.dev", "a.b=a.dev",
		"-shop=a.dev", "shop-=a.dev", "sh_op=a.dev", "shöp=a.dev", "l" + label + "=a.dev",
	} {
		if got, err := keyring.ParseGrant(text); err == nil || got != (keyring.Grant{}) {
			t.Errorf("%q: got %+v, want an error", text, got)
		} else if !strings.Contains(err.Error(), "host claim") {
			t.Errorf("%q: the error doesn't say what is wrong: %v", text, err)
		}
	}
}
