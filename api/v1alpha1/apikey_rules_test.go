package v1alpha1_test

import "strings"

const ipMessage = "must be an IP address or a CIDR block, such as 192.0.2.7 or 192.0.2.0/24"

var (
	labelNames = map[string]string{
		"plain":                   `team`,
		"one letter":              `a`,
		"with a prefix":           `shop.example/team`,
		"all characters":          `shop.example/A-b_c.9`,
		"63 characters":           strings.Repeat("a", 63),
		"prefix of 253":           prefix(253) + "/a",
		"a domain like ours":      `myapikey-operator.dev/a`,
		"a domain like k8s.io":    `notk8s.io/a`,
		"below our name's parent": `kubernetes.io.shop.example/a`,
		"no prefix, but the name": `kubernetes.io`,
	}
	unqualifiedNames = map[string]string{
		"empty":                 `""`,
		"64 characters":         strings.Repeat("a", 64),
		"prefix of 254":         prefix(254) + "/a",
		"blank":                 `"a b"`,
		"starts with a dash":    `-a`,
		"ends with a dot":       `a.`,
		"two slashes":           `a/b/c`,
		"empty prefix":          `/a`,
		"empty name":            `a.example/`,
		"prefix in upper case":  `Shop.example/a`,
		"prefix with two dots":  `shop..example/a`,
		"prefix with a dot-":    `shop.-example/a`,
		"our domain in capital": `Kubernetes.io/a`,
		"not ASCII":             `téam`,
		"line feed at its end":  `"a\n"`,
	}
	reservedNames = map[string]string{
		"ours":                `apikey-operator.dev/apikey-uid`,
		"below ours":          `x.apikey-operator.dev/a`,
		"kubernetes.io":       `kubernetes.io/a`,
		"below kubernetes.io": `app.kubernetes.io/name`,
		"k8s.io":              `k8s.io/a`,
		"far below k8s.io":    `a.b.k8s.io/c`,
		"beside a good one":   `a: b, meta.k8s.io/a`,
	}
	qualified = "names must be qualified names: an optional DNS prefix of up to 253 characters and '/', then up to 63 letters, digits, '-', '_' and '.'"
)

// prefix is a DNS subdomain of n characters.
func prefix(n int) string {
	return strings.Repeat("a.", n)[:n-1] + "a"
}

// manifests puts each of the names into a manifest in place of NAME.
func manifests(manifest string, names map[string]string) map[string]string {
	all := map[string]string{}
	for what, name := range names {
		all[what] = strings.ReplaceAll(manifest, "NAME", name)
	}
	return all
}

var apiKeyRules = []rule{
	{
		kind: apiKey, at: "spec.attributes",
		says: "names are up to 63 letters, digits, '.', '_' and '-', and start and end with a letter or digit",
		accepted: manifests("attributes: {NAME: value}", map[string]string{
			"a word":         `team`,
			"one character":  `"9"`,
			"all characters": `A.b_c-9`,
			"63 characters":  strings.Repeat("a", 63),
		}),
		refused: manifests("attributes: {good: value, NAME: value}", map[string]string{
			"empty":                `""`,
			"64 characters":        strings.Repeat("a", 64),
			"blank":                `"a b"`,
			"starts with a dot":    `.a`,
			"ends with a dash":     `a-`,
			"slash":                `a/b`,
			"not ASCII":            `é`,
			"line feed at its end": `"a\n"`,
		}),
	},
	{
		kind: apiKey, at: "spec.allowedIPs[0]", says: ipMessage,
		accepted: manifests("allowedIPs: [NAME]", goodIPs), refused: manifests("allowedIPs: [NAME, 192.0.2.7]", badIPs),
	},
	{
		kind: apiKey, at: "spec.expiresAt", says: "must be a time as in RFC 3339, in upper case, from 1970 on",
		accepted: manifests("expiresAt: NAME", map[string]string{
			"future":      `"2999-12-31T23:59:59Z"`,
			"past":        `"2001-01-01T00:00:00Z"`,
			"first":       `"1970-01-01T00:00:00Z"`,
			"last":        `"9999-12-31T23:59:59Z"`,
			"offset":      `"2026-12-31T23:59:59+05:30"`,
			"fraction":    `"2026-12-31T23:59:59.123456789-01:00"`,
			"leap day":    `"2028-02-29T00:00:00Z"`,
			"first, west": `"1969-12-31T23:00:00-01:00"`,
		}),
		// OpenAPI's date-time takes all of these, Go takes none of the first five:
		// one such object would stop every informer of APIKeys.
		refused: manifests("expiresAt: NAME", map[string]string{
			"lower case t":       `"2026-12-31t23:59:59Z"`,
			"lower case z":       `"2026-12-31T23:59:59z"`,
			"fraction after x":   `"2026-12-31T23:59:59x5Z"`,
			"offset of 99 hours": `"2026-12-31T23:59:59+99:99"`,
			"T at its end":       `"2026-12-31T23:59:59ZT"`,
			// Go's zero time, which reads as unset.
			"year one":    `"0001-01-01T00:00:00Z"`,
			"1969":        `"1969-12-31T23:59:59Z"`,
			"first, east": `"1970-01-01T00:00:00+01:00"`,
		}),
	},
	{
		kind: apiKey, at: "spec.secret.data", says: "data must not name the entry that holds the raw key",
		accepted: map[string]string{
			"another entry":               "secret: {data: {header: x}}",
			"api-key under another entry": "secret: {entry: token, data: {api-key: x}}",
			"other case":                  "secret: {data: {API-KEY: x}}",
			"no data":                     "secret: {entry: token}",
		},
		refused: map[string]string{
			"the default entry":       "secret: {data: {api-key: x}}",
			"the named entry":         "secret: {entry: token, data: {token: x}}",
			"the named default entry": "secret: {entry: api-key, data: {a: x, api-key: x}}",
		},
	},
	{
		kind: apiKey, at: "spec.secret.data",
		says:     "names are up to 253 letters, digits, '-', '_' and '.', and neither '.' nor start with '..'",
		accepted: manifests("secret: {data: {NAME: x}}", dataNames), refused: manifests("secret: {data: {a: x, NAME: x}}", badDataNames),
	},
	{
		kind: apiKey, at: "spec.secret.labels", says: qualified,
		accepted: manifests("secret: {labels: {NAME: x}}", labelNames), refused: manifests("secret: {labels: {a: x, NAME: x}}", unqualifiedNames),
	},
	{
		kind: apiKey, at: "spec.secret.labels",
		says:     "labels in the domains apikey-operator.dev, kubernetes.io and k8s.io are reserved",
		accepted: manifests("secret: {labels: {NAME: x}}", labelNames), refused: manifests("secret: {labels: {NAME: x}}", reservedNames),
	},
	{
		kind: apiKey, at: "spec.secret.annotations", says: qualified,
		accepted: manifests("secret: {annotations: {NAME: x}}", labelNames), refused: manifests("secret: {annotations: {a: x, NAME: x}}", unqualifiedNames),
	},
	{
		kind: apiKey, at: "spec.secret.annotations",
		says:     "annotations in the domains apikey-operator.dev, kubernetes.io and k8s.io are reserved",
		accepted: manifests("secret: {annotations: {NAME: x}}", labelNames), refused: manifests("secret: {annotations: {NAME: x}}", reservedNames),
	},
}

var (
	goodIPs = map[string]string{
		"IPv4": `192.0.2.7`, "IPv4 block": `192.0.2.0/24`, "every IPv4": `0.0.0.0/0`, "one IPv4": `192.0.2.7/32`,
		"IPv6": `"2001:db8::1"`, "IPv6 block": `"2001:db8::/32"`, "every IPv6": `"::/0"`, "IPv6 in upper case": `"2001:DB8::A"`,
		"the longest": `"2001:0db8:0000:0000:0000:0000:0000:0001/128"`, "the shortest": `"::"`,
		"a block by an address inside": `192.0.2.7/24`, "NAT64": `"64:ff9b::192.0.2.7"`,
	}
	badIPs = map[string]string{
		"too many bits": `10.0.0.0/33`, "too many bits, IPv6": `"2001:db8::/129"`, "three numbers": `1.2.3`, "five numbers": `1.2.3.4.5`,
		"256": `256.0.0.1`, "leading zero": `010.0.0.1`, "leading zero in the length": `10.0.0.0/08`, "no length": `10.0.0.0/`,
		"a mask": `10.0.0.0/255.0.0.0`, "negative length": `10.0.0.0/-1`, "zone": `"fe80::1%eth0"`, "zone of loopback": `"::1%eth0"`, "zone in a block": `"fe80::%eth0/64"`,
		"IPv4-mapped": `"::ffff:1.2.3.4"`, "IPv4-mapped in hexadecimal": `"::ffff:102:304"`, "IPv4-mapped block": `"::ffff:0:0/96"`,
		"a range": `10.0.0.1-10.0.0.9`, "a host": `localhost`, "port": `1.2.3.4:80`, "brackets": `"[::1]"`, "blank before": `" 1.2.3.4"`,
		"line feed": `"1.2.3.4\n"`, "asterisk": `"10.0.0.*"`, "hexadecimal": `"0x7f000001"`, "one number": `"2130706433"`, "other digits": `"١.٢.٣.٤"`,
	}
	dataNames = map[string]string{
		"a word": `header`, "upper case": `AUTHORIZATION`, "a file": `config.json`, "hidden": `.npmrc`, "all characters": `A-b_c.9`,
		"only a dash": `"-"`, "253 characters": strings.Repeat("a", 253), "dots inside": `a..b`,
	}
	badDataNames = map[string]string{
		"empty": `""`, "254 characters": strings.Repeat("a", 254), "blank": `"a b"`, "slash": `a/b`, "not ASCII": `é`,
		// The API server would refuse the Secret.
		"dot": `"."`, "two dots": `".."`, "starts with two dots": `..data`, "line feed at its end": `"a\n"`,
	}
)
