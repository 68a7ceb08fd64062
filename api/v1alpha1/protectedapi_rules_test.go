package v1alpha1_test

var protectedAPIRules = []rule{
	{
		kind: protectedAPI, at: "metadata", says: "default is what the default API is called in rights and by gateways: choose another name",
		accepted: manifests("name: NAME", map[string]string{"another": "shop", "one like it": "default-2", "with more behind it": "default.example"}),
		refused:  manifests("name: NAME", map[string]string{"default": "default"}),
	},
	{
		kind: protectedAPI, at: "spec.allowedNamespaces.selector",
		says: "selector is required with from Selector and refused otherwise",
		accepted: map[string]string{
			"Same":                      "allowedNamespaces: {from: Same}",
			"All":                       "allowedNamespaces: {from: All}",
			"Selector":                  "allowedNamespaces: {from: Selector, selector: {matchLabels: {team: shop}}}",
			"Selector by expression":    "allowedNamespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}}",
			"Selector of all, in words": "allowedNamespaces: {from: Selector, selector: {}}",
		},
		refused: map[string]string{
			"Selector without one": "allowedNamespaces: {from: Selector}",
			"Same with one":        "allowedNamespaces: {from: Same, selector: {matchLabels: {team: shop}}}",
			"All with one":         "allowedNamespaces: {from: All, selector: {}}",
		},
	},
	{
		kind: protectedAPI, at: "spec.clientIP.trustedProxies[0]", says: ipMessage,
		accepted: manifests("clientIP: {trustedProxies: [NAME]}", goodIPs),
		refused:  manifests("clientIP: {trustedProxies: [NAME, 192.0.2.7]}", badIPs),
	},
	{
		kind: protectedAPI, at: "spec.credentials[0].header",
		says: "header is required with type Header and refused otherwise",
		accepted: map[string]string{
			"Header with header": "credentials: [{type: Header, header: {name: X-API-Key}}]",
			"Bearer without":     "credentials: [{type: Bearer}]",
		},
		refused: map[string]string{
			"Header without header": "credentials: [{type: Header}]",
			"Bearer with header":    "credentials: [{type: Bearer, header: {name: X-API-Key}}]",
			"Basic with header":     "credentials: [{type: Basic, header: {name: X-API-Key}}]",
			"Query with header":     "credentials: [{type: Query, query: {name: key}, header: {name: X-API-Key}}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.credentials[0].query",
		says: "query is required with type Query and refused otherwise",
		accepted: map[string]string{
			"Query with query": "credentials: [{type: Query, query: {name: api_key}}]",
			"Basic without":    "credentials: [{type: Basic}]",
		},
		refused: map[string]string{
			"Query without query": "credentials: [{type: Query}]",
			"Basic with query":    "credentials: [{type: Basic, query: {name: api_key}}]",
			"Cookie with query":   "credentials: [{type: Cookie, cookie: {name: key}, query: {name: api_key}}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.credentials[1].cookie",
		says: "cookie is required with type Cookie and refused otherwise",
		accepted: map[string]string{
			"Cookie with cookie": "credentials: [{type: Cookie, cookie: {name: session}}]",
			"Bearer without":     "credentials: [{type: Bearer}]",
		},
		refused: map[string]string{
			"Cookie without cookie": "credentials: [{type: Bearer}, {type: Cookie}]",
			"Basic with cookie":     "credentials: [{type: Bearer}, {type: Basic, cookie: {name: session}}]",
			"Header with cookie":    "credentials: [{type: Bearer}, {type: Header, header: {name: X-Key}, cookie: {name: session}}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.credentials[0].header.name",
		says: "Authorization, Cookie, Host, hop-by-hop headers and headers that proxies or this project write can't hold a key: use type Bearer, Basic or Cookie, or another header",
		accepted: manifests("credentials: [{type: Header, header: {name: NAME}}]", map[string]string{
			"X-API-Key": "X-API-Key", "lower case": "apikey", "Ocp": "Ocp-Apim-Subscription-Key", "all of RFC 9110": "\"a!#$%&'*+.^_|~-9\"",
			"like Authorization": "Authorization2", "like Host": "X-Host", "like Te": "Tea", "X-Original": "X-Original",
		}),
		refused: manifests("credentials: [{type: Header, header: {name: NAME}}]", map[string]string{
			"Authorization": "Authorization", "in lower case": "authorization", "in upper case": "AUTHORIZATION",
			"Proxy-Authorization": "Proxy-Authorization", "Cookie": "Cookie", "Host": "Host", "Connection": "Connection",
			"Proxy-Connection": "Proxy-Connection", "Keep-Alive": "Keep-Alive", "Content-Length": "Content-Length",
			"Transfer-Encoding": "Transfer-Encoding", "TE": "TE", "Trailer": "Trailer", "Upgrade": "Upgrade",
			"Forwarded": "Forwarded", "X-Forwarded-For": "X-Forwarded-For", "X-Forwarded-Anything": "x-forwarded-anything",
			"X-Real-IP": "X-Real-IP", "X-Original-URL": "X-Original-URL", "ours": "X-APIKey-Name", "Envoy's": "X-Envoy-Original-Path",
		}),
	},
	{
		kind: protectedAPI, at: "spec.credentials", says: "Bearer and Basic may each be listed once",
		accepted: map[string]string{
			"each once": "credentials: [{type: Bearer}, {type: Basic}]",
			"neither":   "credentials: [{type: Header, header: {name: X-API-Key}}]",
		},
		refused: map[string]string{
			"Bearer twice": "credentials: [{type: Bearer}, {type: Bearer}]",
			"Basic twice":  "credentials: [{type: Basic}, {type: Bearer}, {type: Basic}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.credentials", says: "each header may be listed once",
		accepted: map[string]string{
			"two headers": "credentials: [{type: Header, header: {name: X-API-Key}}, {type: Header, header: {name: apikey}}]",
			"a query parameter and a cookie of the name": "credentials: [{type: Header, header: {name: key}}, {type: Query, query: {name: key}}, {type: Cookie, cookie: {name: key}}]",
		},
		refused: map[string]string{
			"twice":         "credentials: [{type: Header, header: {name: X-API-Key}}, {type: Header, header: {name: X-API-Key}}]",
			"in other case": "credentials: [{type: Header, header: {name: X-API-Key}}, {type: Bearer}, {type: Header, header: {name: x-api-key}}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.credentials", says: "each query parameter may be listed once",
		accepted: map[string]string{
			"two parameters": "credentials: [{type: Query, query: {name: key}}, {type: Query, query: {name: token}}]",
			"in other case":  "credentials: [{type: Query, query: {name: key}}, {type: Query, query: {name: Key}}]",
		},
		refused: map[string]string{
			"twice": "credentials: [{type: Query, query: {name: key}}, {type: Query, query: {name: key}}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.credentials", says: "each cookie may be listed once",
		accepted: map[string]string{
			"two cookies":   "credentials: [{type: Cookie, cookie: {name: key}}, {type: Cookie, cookie: {name: token}}]",
			"in other case": "credentials: [{type: Cookie, cookie: {name: key}}, {type: Cookie, cookie: {name: Key}}]",
		},
		refused: map[string]string{
			"twice": "credentials: [{type: Cookie, cookie: {name: key}}, {type: Cookie, cookie: {name: key}}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.keyFormat.length",
		says: "a key must hold at least 128 bits: at least 32 characters of Hex, 25 of Base36, 22 of Base62 or Base64",
		accepted: map[string]string{
			"32 of Hex":          "keyFormat: {encoding: Hex, length: 32}",
			"25 of Base36":       "keyFormat: {encoding: Base36, length: 25}",
			"22 of Base62":       "keyFormat: {encoding: Base62, length: 22}",
			"22 of Base64":       "keyFormat: {encoding: Base64, length: 22}",
			"22 of unset":        "keyFormat: {length: 22}",
			"Hex of unset":       "keyFormat: {encoding: Hex}",
			"256, the most, Hex": "keyFormat: {encoding: Hex, length: 256}",
		},
		refused: map[string]string{
			"31 of Hex":              "keyFormat: {encoding: Hex, length: 31}",
			"24 of Base36":           "keyFormat: {encoding: Base36, length: 24}",
			"21 of Base62":           "keyFormat: {encoding: Base62, length: 21}",
			"21 of Base64":           "keyFormat: {encoding: Base64, length: 21}",
			"21 of unset":            "keyFormat: {length: 21}",
			"a checksum is not bits": "keyFormat: {encoding: Hex, length: 31, checksum: CRC32}",
		},
	},
}
