package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
)

// input is a spec that OpenAPI accepts or refuses.
type input struct {
	name, spec string
	at, says   string // empty: accepted
}

// repeat writes n elements, with their number in place of %d.
func repeat(n int, element string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(element, i)
	}
	return strings.Join(all, ", ")
}

// text is n characters, which aren't bytes.
func text(n int) string { return strings.Repeat("é", n) }

func letters(n int) string { return strings.Repeat("a", n) }

func runInputs(t *testing.T, kind string, inputs []input) {
	t.Helper()
	for _, in := range inputs {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			u, err := create(t, object(t, kind, in.spec), dryRun)
			if in.at == "" {
				wantAccepted(t, u, err)
				return
			}
			wantInvalid(t, err, in.at, in.says)
		})
	}
}

func accepted(what, spec string) input          { return input{name: what, spec: spec} }
func refused(what, spec, at, says string) input { return input{what, spec, at, says} }
func mismatch(what, spec, at string) input      { return input{what, spec, at, "should match"} }
func tooLong(what, spec, at string, n int) input {
	return input{what, spec, at, fmt.Sprintf("may not be more than %d", n)}
}
func tooMany(what, spec, at string, n int) input {
	return input{what, spec, at, fmt.Sprintf("must have at most %d", n)}
}
func tooSmall(what, spec, at string, n int) input {
	return input{what, spec, at, fmt.Sprintf("should be greater than or equal to %d", n)}
}
func tooLarge(what, spec, at string, n int) input {
	return input{what, spec, at, fmt.Sprintf("should be less than or equal to %d", n)}
}
func unknown(what, spec, at, supported string) input {
	return input{what, spec, at, "supported values: " + supported}
}

// TestAPIKeyInput pins the numbers that the field comments promise, on both
// sides, and what a pattern means. TestBounds has the rest.
func TestAPIKeyInput(t *testing.T) {
	runInputs(t, apiKey, []input{
		accepted("nothing", "{}"),
		accepted("displayName of 128 characters", "displayName: "+text(128)),
		tooLong("displayName of 129", "displayName: "+text(129), "spec.displayName", 128),
		mismatch("displayName of two lines", `displayName: "a\nb"`, "spec.displayName"),
		mismatch("displayName with a line feed at its end", `displayName: "a\n"`, "spec.displayName"),
		mismatch("displayName with NUL", `displayName: "a\0b"`, "spec.displayName"),
		accepted("description of 1024 characters on two lines", `description: "`+text(512)+`\n`+text(511)+`"`),
		tooLong("description of 1025", "description: "+text(1025), "spec.description", 1024),

		refused("apiRef without name", "apiRef: {namespace: apis}", "spec.apiRef.name", "Required value"),
		mismatch("apiRef.name in upper case", "apiRef: {name: Shop}", "spec.apiRef.name"),
		mismatch("apiRef.name of a path", "apiRef: {name: apis/shop}", "spec.apiRef.name"),
		mismatch("apiRef.namespace with a dot", "apiRef: {name: shop, namespace: a.b}", "spec.apiRef.namespace"),
		tooLong("apiRef.namespace of 64", "apiRef: {name: shop, namespace: "+letters(64)+"}", "spec.apiRef.namespace", 63),
		refused("environment of nothing", `environment: ""`, "spec.environment", "should be at least 1 chars long"),
		mismatch("environment in upper case", "environment: Live", "spec.environment"),
		mismatch("environment with the separator", "environment: live_eu", "spec.environment"),
		accepted("project with all characters", "project: org/shop:proj.A-b_1"),
		mismatch("project with a blank", "project: a b", "spec.project"),
		mismatch("project, not ASCII", "project: é", "spec.project"),

		accepted("16 attributes", "attributes: {"+repeat(16, "a%d: x")+"}"),
		tooMany("17 attributes", "attributes: {"+repeat(17, "a%d: x")+"}", "spec.attributes", 16),
		refused("no attributes", "attributes: {}", "spec.attributes", "should have at least 1 properties"),
		accepted("attribute of 256 characters", "attributes: {a: "+text(256)+"}"),
		tooLong("attribute of 257", "attributes: {a: "+text(257)+"}", "spec.attributes.a", 256),
		mismatch("attribute of two lines", `attributes: {a: "b\nc"}`, "spec.attributes.a"),

		refused("owner of nothing", "owner: {}", "spec.owner", "should have at least 1 properties"),
		mismatch("owner.email without an at", "owner: {email: shop.example}", "spec.owner.email"),
		mismatch("owner.email with two", "owner: {email: a@b@c}", "spec.owner.email"),
		mismatch("owner.email with a blank", "owner: {email: a b@c}", "spec.owner.email"),
		mismatch("owner.name of two lines", `owner: {name: "a\r\nX-Admin: true"}`, "spec.owner.name"),

		accepted("64 scopes", "scopes: ["+repeat(64, "s%d")+"]"),
		tooMany("65 scopes", "scopes: ["+repeat(65, "s%d")+"]", "spec.scopes", 64),
		refused("no scopes", "scopes: []", "spec.scopes", "should have at least 1 items"),
		refused("a scope twice", "scopes: [a, b, a]", "spec.scopes[2]", "Duplicate value"),
		accepted("scopes of all forms", `scopes: [READ_BUDGETS, "customers:read", "customers:*", "*", "a:b:c", "a:b:*", repo/read, a.b-c]`),
		refused("scope of nothing", `scopes: [""]`, "spec.scopes[0]", "should be at least 1 chars long"),
		mismatch("scope a:**", `scopes: ["a:**"]`, "spec.scopes[0]"),
		mismatch("scope *:read", `scopes: ["*:read"]`, "spec.scopes[0]"),
		mismatch("scope **", `scopes: ["**"]`, "spec.scopes[0]"),
		mismatch("scope a*", `scopes: ["a*"]`, "spec.scopes[0]"),
		mismatch("scope a:*:b", `scopes: ["a:*:b"]`, "spec.scopes[0]"),
		mismatch("scope a:", `scopes: ["a:"]`, "spec.scopes[0]"),
		mismatch("scope :a", `scopes: [":a"]`, "spec.scopes[0]"),
		mismatch("scopes in one string", `scopes: ["a b"]`, "spec.scopes[0]"),
		mismatch("scopes with a comma", `scopes: ["a,b"]`, "spec.scopes[0]"),
		mismatch("scope with a line feed", `scopes: ["a\n"]`, "spec.scopes[0]"),
		tooLong("scope of 129", "scopes: ["+letters(129)+"]", "spec.scopes[0]", 128),

		accepted("64 addresses", "allowedIPs: ["+repeat(64, "10.0.0.%d")+"]"),
		tooMany("65 addresses", "allowedIPs: ["+repeat(65, "10.0.0.%d")+"]", "spec.allowedIPs", 64),
		refused("an address twice", "allowedIPs: [10.0.0.1, 10.0.0.1]", "spec.allowedIPs[1]", "Duplicate value"),

		refused("rateLimit without period", "rateLimit: {requests: 1}", "spec.rateLimit.period", "Required value"),
		refused("rateLimit without requests", "rateLimit: {period: 1h}", "spec.rateLimit.requests", "Required value"),
		accepted("a billion requests", "rateLimit: {requests: 1000000000, period: 1h, algorithm: TokenBucket, burst: 1000000000}"),
		accepted("requests as a float", "rateLimit: {requests: 1e3, period: 1h}"),
		tooSmall("no requests", "rateLimit: {requests: 0, period: 1h}", "spec.rateLimit.requests", 1),
		tooLarge("a billion requests and one", "rateLimit: {requests: 1000000001, period: 1h}", "spec.rateLimit.requests", 1000000000),
		tooLarge("a billion and one at once", "rateLimit: {requests: 1, period: 1h, algorithm: TokenBucket, burst: 1000000001}", "spec.rateLimit.burst", 1000000000),
		unknown("unknown algorithm", "rateLimit: {requests: 1, period: 1h, algorithm: LeakyBucket}", "spec.rateLimit.algorithm", `"FixedWindow", "TokenBucket"`),
		mismatch("period of a day", "rateLimit: {requests: 1, period: 1d}", "spec.rateLimit.period"),
		mismatch("period of half an hour", "rateLimit: {requests: 1, period: 0.5h}", "spec.rateLimit.period"),
		mismatch("negative period", "rateLimit: {requests: 1, period: -1h}", "spec.rateLimit.period"),
		mismatch("period without unit", `rateLimit: {requests: 1, period: "3600"}`, "spec.rateLimit.period"),
		mismatch("period of five groups", "rateLimit: {requests: 1, period: 1h1m1s1ms1ms}", "spec.rateLimit.period"),

		refused("expiresAt of a day", `expiresAt: "2026-12-31"`, "spec.expiresAt", "must be of type date-time"),
		refused("expiresAt without zone", `expiresAt: "2026-12-31T23:59:59"`, "spec.expiresAt", "must be of type date-time"),
		refused("expiresAt of the 30th of February", `expiresAt: "2026-02-30T00:00:00Z"`, "spec.expiresAt", "must be of type date-time"),
		refused("expiresAt at 24 o'clock", `expiresAt: "2026-12-31T24:00:00Z"`, "spec.expiresAt", "must be of type date-time"),
		refused("expiresAt in seconds", "expiresAt: 1798761599", "spec.expiresAt", "must be of type date-time"),
		refused("expiresAt with a blank", `expiresAt: "2026-12-31 23:59:59Z"`, "spec.expiresAt", "must be of type date-time"),
		unknown("unknown state", "state: Paused", "spec.state", `"Active", "Suspended", "Revoked"`),
		unknown("state in capitals", "state: ACTIVE", "spec.state", `"Active", "Suspended", "Revoked"`),
		unknown("a state for people only", "state: Expired", "spec.state", `"Active", "Suspended", "Revoked"`),
	})
}

func TestSecretInput(t *testing.T) {
	runInputs(t, apiKey, []input{
		accepted("nothing", "secret: {}"),
		mismatch("name in upper case", "secret: {name: Shop}", "spec.secret.name"),
		mismatch("name of a path", "secret: {name: ../shop}", "spec.secret.name"),
		tooLong("name of 254", "secret: {name: "+letters(254)+"}", "spec.secret.name", 253),
		mismatch("entry with a slash", "secret: {entry: a/b}", "spec.secret.entry"),
		mismatch("entry of two dots", "secret: {entry: ..}", "spec.secret.entry"),
		mismatch("entry that starts with two dots", "secret: {entry: ..data}", "spec.secret.entry"),
		mismatch("entry of a dot", "secret: {entry: .}", "spec.secret.entry"),
		accepted("hidden entry", "secret: {entry: .token}"),

		accepted("16 labels", "secret: {labels: {"+repeat(16, "a%d: x")+"}}"),
		tooMany("17 labels", "secret: {labels: {"+repeat(17, "a%d: x")+"}}", "spec.secret.labels", 16),
		accepted("empty label", `secret: {labels: {a: ""}}`),
		accepted("label of 63", "secret: {labels: {a: "+letters(63)+"}}"),
		tooLong("label of 64", "secret: {labels: {a: "+letters(64)+"}}", "spec.secret.labels.a", 63),
		mismatch("label with a blank", "secret: {labels: {a: b c}}", "spec.secret.labels.a"),
		mismatch("label that ends with a dash", "secret: {labels: {a: b-}}", "spec.secret.labels.a"),

		accepted("16 annotations", "secret: {annotations: {"+repeat(16, "a%d: x")+"}}"),
		tooMany("17 annotations", "secret: {annotations: {"+repeat(17, "a%d: x")+"}}", "spec.secret.annotations", 16),
		accepted("annotation of 4096 on two lines", `secret: {annotations: {a: "`+text(2048)+`\n`+text(2047)+`"}}`),
		tooLong("annotation of 4097", "secret: {annotations: {a: "+text(4097)+"}}", "spec.secret.annotations.a", 4096),

		accepted("16 entries", "secret: {data: {"+repeat(16, "a%d: x")+"}}"),
		tooMany("17 entries", "secret: {data: {"+repeat(17, "a%d: x")+"}}", "spec.secret.data", 16),
		accepted("template of 2048", "secret: {data: {a: "+text(2048)+"}}"),
		tooLong("template of 2049", "secret: {data: {a: "+text(2049)+"}}", "spec.secret.data.a", 2048),
		accepted("broken template: the controller says so", `secret: {data: {a: "{{ .Nope"}}`),
	})
}

func TestProtectedAPIInput(t *testing.T) {
	host := func(what, name string) input {
		return mismatch("host "+what, "hosts: ["+name+"]", "spec.hosts[0]")
	}
	runInputs(t, protectedAPI, []input{
		accepted("nothing", "{}"),
		accepted("hosts", `hosts: [api.billoget.com, "*.billoget.dev", localhost, xn--bcher-kva.example]`),
		host("in upper case", "API.example.com"), host("with a trailing dot", "api.example.com."), host("of an asterisk", `"*"`),
		host("with an asterisk inside", `"api.*.com"`), host("with a partial asterisk", `"*api.example.com"`), host("with a port", `"api.example.com:443"`),
		host("with an underscore", "my_api.example.com"), host("with two dots", "api..example.com"), host("that starts with a dot", ".example.com"),
		host("of a URL", `"https://api.example.com"`), host("not ASCII", "bücher.example"), host("with a dash at an end", "api-.example.com"),
		host("with a line feed", `"api.example.com\n"`), host("of IPv6", `"2001:db8::1"`),
		tooLong("host of 254", "hosts: ["+prefix(254)+"]", "spec.hosts[0]", 253),
		accepted("64 hosts", "hosts: ["+repeat(64, "h%d.example")+"]"),
		tooMany("65 hosts", "hosts: ["+repeat(65, "h%d.example")+"]", "spec.hosts", 64),
		refused("a host twice", "hosts: [a.example, b.example, a.example]", "spec.hosts[2]", "Duplicate value"),

		unknown("unknown from", "allowedNamespaces: {from: Some}", "spec.allowedNamespaces.from", `"Same", "All", "Selector"`),
		refused("from unset", "allowedNamespaces: {}", "spec.allowedNamespaces.from", "Required value"),

		accepted("8 credentials", "credentials: ["+repeat(8, "{type: Header, header: {name: X-Key-%d}}")+"]"),
		tooMany("9 credentials", "credentials: ["+repeat(9, "{type: Header, header: {name: X-Key-%d}}")+"]", "spec.credentials", 8),
		refused("no credentials", "credentials: []", "spec.credentials", "should have at least 1 items"),
		unknown("unknown credential", "credentials: [{type: Digest}]", "spec.credentials[0].type", `"Bearer", "Basic", "Header", "Query", "Cookie"`),
		refused("credential without type", "credentials: [{header: {name: X-Key}}]", "spec.credentials[0].type", "Required value"),
		mismatch("header with a blank", "credentials: [{type: Header, header: {name: X Key}}]", "spec.credentials[0].header.name"),
		mismatch("header with a colon", `credentials: [{type: Header, header: {name: "X-Key:"}}]`, "spec.credentials[0].header.name"),
		mismatch("header of two lines", `credentials: [{type: Header, header: {name: "X-Key\r\nX-Admin"}}]`, "spec.credentials[0].header.name"),
		mismatch("query with an ampersand", `credentials: [{type: Query, query: {name: "a&b"}}]`, "spec.credentials[0].query.name"),
		mismatch("query, encoded", `credentials: [{type: Query, query: {name: "a%20b"}}]`, "spec.credentials[0].query.name"),
		mismatch("cookie with an equals sign", `credentials: [{type: Cookie, cookie: {name: "a=b"}}]`, "spec.credentials[0].cookie.name"),
		mismatch("cookie with a semicolon", `credentials: [{type: Cookie, cookie: {name: "a;b"}}]`, "spec.credentials[0].cookie.name"),

		accepted("prefix with all characters", "keyFormat: {prefix: My.key_v-1}"),
		mismatch("prefix that ends with the separator", "keyFormat: {prefix: bk_}", "spec.keyFormat.prefix"),
		mismatch("prefix that starts with one", "keyFormat: {prefix: _bk}", "spec.keyFormat.prefix"),
		mismatch("prefix with a blank", "keyFormat: {prefix: b k}", "spec.keyFormat.prefix"),
		mismatch("prefix, not ASCII", "keyFormat: {prefix: ключ}", "spec.keyFormat.prefix"),
		refused("prefix of nothing", `keyFormat: {prefix: ""}`, "spec.keyFormat.prefix", "should be at least 1 chars long"),
		tooLong("prefix of 33", "keyFormat: {prefix: "+letters(33)+"}", "spec.keyFormat.prefix", 32),
		accepted("separator _", `keyFormat: {separator: "_"}`), accepted("separator -", `keyFormat: {separator: "-"}`),
		accepted("separator .", `keyFormat: {separator: "."}`), accepted("no separator", `keyFormat: {separator: ""}`),
		unknown("unknown separator", `keyFormat: {separator: "#"}`, "spec.keyFormat.separator", `"", "_", "-", "."`),
		unknown("unknown encoding", "keyFormat: {encoding: Base58}", "spec.keyFormat.encoding", `"Hex", "Base36", "Base62", "Base64"`),
		unknown("unknown checksum", "keyFormat: {checksum: Luhn}", "spec.keyFormat.checksum", `"None", "CRC32"`),
		tooLarge("length of 257", "keyFormat: {length: 257}", "spec.keyFormat.length", 256),
		tooSmall("length of 21", "keyFormat: {length: 21}", "spec.keyFormat.length", 22),
		accepted("16 environments", "keyFormat: {environments: ["+repeat(16, "e%d")+"]}"),
		tooMany("17 environments", "keyFormat: {environments: ["+repeat(17, "e%d")+"]}", "spec.keyFormat.environments", 16),
		refused("an environment twice", "keyFormat: {environments: [live, live]}", "spec.keyFormat.environments[1]", "Duplicate value"),

		refused("clientIP of nothing", "clientIP: {}", "spec.clientIP.trustedProxies", "Required value"),
		unknown("unknown emptyScopes", "emptyScopes: Allow", "spec.emptyScopes", `"Deny", "FullAccess"`),

		accepted("bindings of all values", "bindings: ["+repeat(8, "{from: {header: X-%d}, equals: attributes.a}")+"]"),
		tooMany("9 bindings", "bindings: ["+repeat(9, "{from: {header: X-%d}, equals: project}")+"]", "spec.bindings", 8),
		accepted("bindings of every source", `bindings: [{from: {header: A}, equals: project}, {from: {header: B}, equals: environment}, {from: {header: C}, equals: owner.name}, {from: {header: D}, equals: attributes.A.b_c-9}]`),
		mismatch("binding to another field", "bindings: [{from: {header: A}, equals: displayName}]", "spec.bindings[0].equals"),
		mismatch("binding to a field like one", "bindings: [{from: {header: A}, equals: ownerxname}]", "spec.bindings[0].equals"),
		mismatch("binding to no attribute", "bindings: [{from: {header: A}, equals: attributes.}]", "spec.bindings[0].equals"),
		refused("binding from nothing", "bindings: [{from: {}, equals: project}]", "spec.bindings[0].from", "should have at least 1 properties"),
		refused("binding without from", "bindings: [{equals: project}]", "spec.bindings[0].from", "Required value"),
		mismatch("binding from a variable in braces", `bindings: [{from: {pathVariable: "{team}", path: "/{team}"}, equals: project}]`, "spec.bindings[0].from.pathVariable"),
		mismatch("binding from a variable that starts with a digit", `bindings: [{from: {pathVariable: 1x, path: "/{x}"}, equals: project}]`, "spec.bindings[0].from.pathVariable"),
		mismatch("binding from a path that is none", `bindings: [{from: {pathVariable: team, path: "a/{team}"}, equals: project}]`, "spec.bindings[0].from.path"),
		accepted("ifKeyHas", "bindings: [{from: {header: A}, equals: project, ifKeyHas: true}, {from: {header: B}, equals: project, ifKeyHas: false}]"),
		refused("ifKeyHas in a string", `bindings: [{from: {header: A}, equals: project, ifKeyHas: "true"}]`, "spec.bindings[0].ifKeyHas", "must be of type boolean"),
		mismatch("binding from a header with a blank", "bindings: [{from: {header: A B}, equals: project}]", "spec.bindings[0].from.header"),
		unknown("unknown comparison", "bindings: [{from: {header: A}, equals: project, compare: Prefix}]", "spec.bindings[0].compare", `"Exact", "CaseInsensitive"`),
	})
}
