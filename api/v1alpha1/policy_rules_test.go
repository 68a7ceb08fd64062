package v1alpha1_test

import (
	"slices"
	"strings"
)

// limitRules are the rules of a RateLimit that stands in place of LIMIT.
func limitRules(manifest, kind, at string) []rule {
	in := func(limits map[string]string) map[string]string {
		all := map[string]string{}
		for what, limit := range limits {
			all[what] = strings.ReplaceAll(manifest, "LIMIT", limit)
		}
		return all
	}
	return []rule{
		{
			kind: kind, at: at + ".burst", says: "burst is only for algorithm TokenBucket",
			accepted: in(map[string]string{
				"TokenBucket":               "{requests: 10, period: 1s, algorithm: TokenBucket, burst: 5}",
				"TokenBucket without burst": "{requests: 10, period: 1s, algorithm: TokenBucket}",
				"no burst":                  "{requests: 10, period: 1s}",
				"more than requests":        "{requests: 10, period: 1s, algorithm: TokenBucket, burst: 500}",
			}),
			refused: in(map[string]string{
				"FixedWindow":     "{requests: 10, period: 1s, algorithm: FixedWindow, burst: 5}",
				"unset algorithm": "{requests: 10, period: 1s, burst: 5}",
			}),
		},
		{
			kind: kind, at: at + ".period", says: "must be from 1s to 720h",
			accepted: in(manifests("{requests: 1, period: NAME}", goodPeriods)),
			refused:  in(manifests("{requests: 1, period: NAME}", badPeriods)),
		},
	}
}

var (
	goodPeriods = map[string]string{
		"1s": "1s", "1000ms": "1000ms", "1h30m": "1h30m", "720h": "720h", "43200m": "43200m", "four groups": "1h1m1s1ms",
	}
	badPeriods = map[string]string{
		"0s": "0s", "999ms": "999ms", "720h1ms": "720h1ms", "721h": "721h", "the longest": "99999h99999h99999h99999h",
	}
	goodLives = map[string]string{
		"1m": "1m", "60s": "60s", "a month": "720h", "87600h": "87600h", "four groups": "1h1m1s1ms",
	}
	badLives = map[string]string{
		"0s": "0s", "59s": "59s", "59999ms": "59s999ms", "87600h1ms": "87600h1ms", "87601h": "87601h",
	}
)

const (
	lifeMessage    = "must be from 1m to 87600h"
	dotMessage     = "must have no dot segments: a request with one is refused"
	encodedMessage = "must have no encoded slash, backslash, semicolon or control character: a request with one is refused"
)

// pathRules are the rules of a PathPattern that stands in place of NAME.
func pathRules(manifest, at string) []rule {
	return []rule{
		{
			kind: protectedAPI, at: at, says: dotMessage,
			accepted: manifests(manifest, map[string]string{
				"dots in a name": `'/{v}/a.b/.well-known/a./..b'`, "three dots": `'/{v}/...'`,
			}),
			refused: manifests(manifest, map[string]string{
				"a dot": `'/{v}/./a'`, "two dots": `'/{v}/../a'`, "two at its end": `'/{v}/..'`, "a dot and a slash at its end": `'/{v}/./'`,
				"encoded": `'/{v}/%2e%2E/a'`, "half encoded": `'/{v}/.%2e'`,
			}),
		},
		{
			kind: protectedAPI, at: at, says: encodedMessage,
			accepted: manifests(manifest, map[string]string{
				"é": `'/{v}/%C3%A9'`, "a blank": `'/{v}/a%20b'`, "a percent sign": `'/{v}/100%25'`, "an asterisk": `'/{v}/%2A'`, "a question mark": `'/{v}/%3f'`,
			}),
			refused: manifests(manifest, map[string]string{
				"a slash": `'/{v}/a%2Fb'`, "a slash in lower case": `'/{v}/a%2fb'`, "a backslash": `'/{v}/a%5cb'`, "a semicolon": `'/{v}/a%3Bb'`,
				"NUL": `'/{v}/%00'`, "a line feed": `'/{v}/a%0Ab'`, "escape": `'/{v}/%1b'`, "delete": `'/{v}/%7f'`,
			}),
		},
		{
			kind: protectedAPI, at: at, says: "must have at most 64 segments",
			accepted: manifests(manifest, map[string]string{
				"64": "'/{v}" + strings.Repeat("/a", 63) + "'", "64 and a slash": "'/{v}" + strings.Repeat("/a", 63) + "/'",
				"64 with the rest": "'/{v}" + strings.Repeat("/a", 62) + "/**'",
			}),
			refused: manifests(manifest, map[string]string{
				"65": "'/{v}" + strings.Repeat("/a", 64) + "'", "65 with the rest": "'/{v}" + strings.Repeat("/a", 63) + "/**'",
			}),
		},
	}
}

// policyRules are those of a ProtectedAPI about what keys may do, and what is
// told of it.
var policyRules = slices.Concat(
	pathRules("publicRoutes: [{path: NAME}]", "spec.publicRoutes[0].path"),
	pathRules("scopes: [{name: a, routes: [{path: NAME}]}]", "spec.scopes[0].routes[0].path"),
	pathRules("bindings: [{from: {pathVariable: v, path: NAME}, equals: project}]", "spec.bindings[0].from.path"),
	bindingRules, keyRules, denialRules, auditRules,
	[]rule{
		{
			kind: protectedAPI, at: "spec.basePaths[1]", says: dotMessage,
			accepted: manifests(`basePaths: ["", NAME]`, map[string]string{
				"dots in a name": "/v1.0/.hidden/a./..b", "three dots": "/...",
			}),
			refused: manifests(`basePaths: ["", NAME]`, map[string]string{
				"a dot": "/.", "two dots": "/..", "a dot inside": "/a/./b", "two dots inside": "/a/../b",
			}),
		},
		{
			kind: protectedAPI, at: "spec.scopes[1].name", says: "a declared scope can't be a wildcard",
			accepted: manifests("scopes: [{name: a}, {name: NAME}]", map[string]string{
				"READ_BUDGETS": "READ_BUDGETS", "customers:read": `"customers:read"`,
			}),
			refused: manifests("scopes: [{name: a}, {name: NAME}]", map[string]string{
				"all": `"*"`, "all of customers": `"customers:*"`,
			}),
		},
	})

var bindingRules = []rule{
	{
		kind: protectedAPI, at: "spec.bindings[0].from", says: "exactly one of header and pathVariable must be set",
		accepted: map[string]string{
			"header":       "bindings: [{from: {header: Email}, equals: owner.email}]",
			"pathVariable": "bindings: [{from: {pathVariable: team, path: '/{team}'}, equals: project}]",
		},
		refused: map[string]string{
			"both": "bindings: [{from: {header: Email, pathVariable: team, path: '/{team}'}, equals: project}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.bindings[0].from.path", says: "path is required with pathVariable and refused otherwise",
		accepted: map[string]string{
			"with pathVariable": "bindings: [{from: {pathVariable: team, path: '/{team}'}, equals: project}]",
			"neither":           "bindings: [{from: {header: Email}, equals: project}]",
		},
		refused: map[string]string{
			"pathVariable without path": "bindings: [{from: {pathVariable: team}, equals: project}]",
			"path with a header":        "bindings: [{from: {header: Email, path: '/{team}'}, equals: project}]",
		},
	},
	{
		kind: protectedAPI, at: "spec.bindings[1].from.pathVariable", says: "path must have the variable that pathVariable names",
		accepted: manifests("bindings: [{from: {header: A}, equals: project}, {from: {pathVariable: team, path: NAME}, equals: project}]", map[string]string{
			"alone": `'/{team}'`, "among others": `'/teams/{team}/projects/{project}/**'`, "at its end": `'/*/{team}/'`,
		}),
		refused: manifests("bindings: [{from: {header: A}, equals: project}, {from: {pathVariable: team, path: NAME}, equals: project}]", map[string]string{
			"none": `'/teams/*'`, "another": `'/{project}'`, "in other case": `'/{Team}'`, "one that starts like it": `'/{teams}'`,
			"one that ends like it": `'/{my_team}'`, "a literal": `/team`,
		}),
	},
}

var keyRules = []rule{
	{
		kind: protectedAPI, at: "spec.keyDefaults.ttl", says: lifeMessage,
		accepted: manifests("keyDefaults: {ttl: NAME}", goodLives), refused: manifests("keyDefaults: {ttl: NAME}", badLives),
	},
	{
		kind: protectedAPI, at: "spec.keyLimits.maxTTL", says: lifeMessage,
		accepted: manifests("keyLimits: {maxTTL: NAME}", goodLives), refused: manifests("keyLimits: {maxTTL: NAME}", badLives),
	},
	{
		kind: protectedAPI, at: "spec.keyLimits.maxRateLimit.period", says: "must be from 1s to 720h",
		accepted: manifests("keyLimits: {maxRateLimit: {requests: 1, period: NAME}}", goodPeriods),
		refused:  manifests("keyLimits: {maxRateLimit: {requests: 1, period: NAME}}", badPeriods),
	},
}

var denialRules = []rule{
	{
		kind: protectedAPI, at: "spec.denials[0].headers[0].name",
		says: "headers of the connection, and this project's own, can't be set",
		accepted: manifests("denials: [{code: default, headers: [{name: NAME, value: x}]}]", map[string]string{
			"Content-Type": "Content-Type", "WWW-Authenticate": "WWW-Authenticate", "Location": "Location", "Retry-After": "Retry-After",
			"like Te": "Tea", "like Connection": "X-Connection", "like ours": "X-API-Key",
		}),
		refused: manifests("denials: [{code: default, headers: [{name: NAME, value: x}]}]", map[string]string{
			"Connection": "Connection", "in lower case": "connection", "in upper case": "CONNECTION", "Proxy-Connection": "Proxy-Connection",
			"Keep-Alive": "Keep-Alive", "Content-Length": "Content-Length", "Transfer-Encoding": "Transfer-Encoding", "TE": "TE",
			"Upgrade": "Upgrade", "Trailer": "Trailer", "ours": "X-APIKey-Name", "ours, of a denial": "x-apikey-denial",
		}),
	},
	{
		kind: protectedAPI, at: "spec.denials[0].headers", says: "each header may be listed once",
		accepted: map[string]string{
			"two headers":             "denials: [{code: default, headers: [{name: X-A, value: x}, {name: X-B, value: x}]}]",
			"one header of two codes": "denials: [{code: default, headers: [{name: X-A, value: x}]}, {code: unauthorized, headers: [{name: x-a, value: x}]}]",
		},
		refused: map[string]string{
			"twice in other case": "denials: [{code: default, headers: [{name: X-A, value: x}, {name: X-B, value: x}, {name: x-a, value: z}]}]",
		},
	},
}

var auditRules = []rule{
	{
		kind: protectedAPI, at: "spec.audit.sourceHeader",
		says: "Authorization, Proxy-Authorization and Cookie hold credentials, which must not be logged",
		accepted: manifests("audit: {sourceHeader: NAME}", map[string]string{
			"as in the seed": "x-audit-source", "like Cookie": "X-Cookie", "User-Agent": "User-Agent",
		}),
		refused: manifests("audit: {sourceHeader: NAME}", map[string]string{
			"Authorization": "Authorization", "in lower case": "authorization", "Proxy-Authorization": "Proxy-Authorization", "Cookie": "Cookie",
		}),
	},
	{
		kind: protectedAPI, at: "spec.audit.sourceHeader",
		says: "the header that names the source of a request can't be one that holds a key: it is logged",
		accepted: map[string]string{
			"another header":                                      "{credentials: [{type: Header, header: {name: X-Key}}], audit: {sourceHeader: X-Source}}",
			"X-API-Key where it is no credential":                 "{credentials: [{type: Bearer}], audit: {sourceHeader: X-API-Key}}",
			"a query parameter of the name":                       "{credentials: [{type: Query, query: {name: source}}], audit: {sourceHeader: source}}",
			"X-Audit-Source holds keys, another names the source": "{credentials: [{type: Header, header: {name: X-Audit-Source}}], audit: {sourceHeader: X-Source}}",
		},
		refused: map[string]string{
			"a credential":                 "{credentials: [{type: Bearer}, {type: Header, header: {name: X-Key}}], audit: {sourceHeader: X-Key}}",
			"a credential in other case":   "{credentials: [{type: Header, header: {name: X-Key}}], audit: {sourceHeader: x-key}}",
			"the default credential":       "audit: {sourceHeader: x-api-key}",
			"the default source, no audit": "credentials: [{type: Header, header: {name: x-audit-source}}]",
			"the default source":           "{credentials: [{type: Header, header: {name: X-Audit-Source}}], audit: {log: Denied}}",
		},
	},
}
