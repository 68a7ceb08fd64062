package v1alpha1_test

import (
	"strings"
	"testing"
)

// TestRouteInput pins what the field comments promise of routes and scopes.
// TestPatterns has the paths.
func TestRouteInput(t *testing.T) {
	method := func(what, method string) input {
		return mismatch("method "+what, "publicRoutes: [{methods: ["+method+"], path: /}]", "spec.publicRoutes[0].methods[0]")
	}
	runInputs(t, protectedAPI, []input{
		accepted("8 base paths", `basePaths: ["", `+repeat(7, "/v%d")+"]"),
		tooMany("9 base paths", "basePaths: ["+repeat(9, "/v%d")+"]", "spec.basePaths", 8),
		refused("no base paths", "basePaths: []", "spec.basePaths", "should have at least 1 items"),
		refused("a base path twice", `basePaths: ["", /v1, ""]`, "spec.basePaths[2]", "Duplicate value"),
		tooLong("base path of 129", "basePaths: [/"+letters(128)+"]", "spec.basePaths[0]", 128),

		accepted("plainHTTP", "plainHTTP: Allow"), accepted("no plainHTTP", "plainHTTP: Deny"),
		unknown("unknown plainHTTP", "plainHTTP: Redirect", "spec.plainHTTP", `"Deny", "Allow"`),
		refused("plainHTTP as a boolean", "plainHTTP: true", "spec.plainHTTP", "must be of type string"),
		unknown("unknown preflight", "preflight: allow", "spec.preflight", `"Deny", "Allow"`),
		unknown("unknown unmatchedRoutes", "unmatchedRoutes: Public", "spec.unmatchedRoutes", `"Deny", "Allow"`),

		accepted("128 scopes", "scopes: ["+repeat(128, "{name: s%d}")+"]"),
		tooMany("129 scopes", "scopes: ["+repeat(129, "{name: s%d}")+"]", "spec.scopes", 128),
		refused("no scopes", "scopes: []", "spec.scopes", "should have at least 1 items"),
		refused("a scope twice", "scopes: [{name: a}, {name: b}, {name: a, routes: [{path: /}]}]", "spec.scopes[2]", "Duplicate value"),
		accepted("scopes that differ in case", "scopes: [{name: a}, {name: A}]"),
		refused("scope without name", "scopes: [{routes: [{path: /}]}]", "spec.scopes[0].name", "Required value"),
		mismatch("scope with a blank", "scopes: [{name: a b}]", "spec.scopes[0].name"),
		mismatch("scope with an asterisk inside", `scopes: [{name: "a:*:b"}]`, "spec.scopes[0].name"),
		accepted("scope with a description of 256", "scopes: [{name: a, description: "+text(256)+"}]"),
		tooLong("scope with one of 257", "scopes: [{name: a, description: "+text(257)+"}]", "spec.scopes[0].description", 256),
		accepted("scope with 64 routes", "scopes: [{name: a, routes: ["+repeat(64, "{path: /%d}")+"]}]"),
		tooMany("scope with 65", "scopes: [{name: a, routes: ["+repeat(65, "{path: /%d}")+"]}]", "spec.scopes[0].routes", 64),
		accepted("a route in two scopes", "scopes: [{name: a, routes: [{path: /}]}, {name: b, routes: [{path: /}]}]"),
		accepted("a route of a scope that is public too", "{scopes: [{name: a, routes: [{path: /}]}], publicRoutes: [{path: /}]}"),

		accepted("64 public routes", "publicRoutes: ["+repeat(64, "{path: /%d}")+"]"),
		tooMany("65 public routes", "publicRoutes: ["+repeat(65, "{path: /%d}")+"]", "spec.publicRoutes", 64),
		refused("route without path", "publicRoutes: [{methods: [GET]}]", "spec.publicRoutes[0].path", "Required value"),
		refused("route of a string", "publicRoutes: [/healthz]", "spec.publicRoutes[0]", "must be of type object"),
		tooLong("path of 257", "publicRoutes: [{path: /"+letters(256)+"}]", "spec.publicRoutes[0].path", 256),

		accepted("every method", "publicRoutes: [{methods: [GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT, TRACE], path: /}]"),
		accepted("methods of other RFCs", "publicRoutes: [{methods: [PROPFIND, M-SEARCH, VERSION_CONTROL], path: /}]"),
		method("in lower case", "get"), method("in mixed case", "Get"), method("of an asterisk", `"*"`), method("with a blank", "GET POST"),
		method("of a list", `"GET,POST"`), method("that starts with a dash", `"-GET"`), method("with a digit", "GET2"), method("with a line feed", `"GET\n"`),
		refused("no methods", "publicRoutes: [{methods: [], path: /}]", "spec.publicRoutes[0].methods", "should have at least 1 items"),
		refused("a method twice", "publicRoutes: [{methods: [GET, PUT, GET], path: /}]", "spec.publicRoutes[0].methods[2]", "Duplicate value"),
		tooLong("method of 33", "publicRoutes: [{methods: ["+strings.Repeat("A", 33)+"], path: /}]", "spec.publicRoutes[0].methods[0]", 32),
	})
}

func TestDenialInput(t *testing.T) {
	codes := strings.Fields(`default unauthorized ambiguous_credential key_suspended ip_not_allowed project_mismatch binding_mismatch
		insufficient_scope route_not_allowed condition_not_met rate_limit_exceeded too_many_wrong_keys https_required invalid_path invalid_host unavailable`)
	value := func(what, value string) input {
		return mismatch("header value "+what, "denials: [{code: default, headers: [{name: X-A, value: "+value+"}]}]", "spec.denials[0].headers[0].value")
	}
	runInputs(t, protectedAPI, []input{
		accepted("every code", "denials: [{code: "+strings.Join(codes, "}, {code: ")+"}]"),
		unknown("unknown code", "denials: [{code: forbidden}]", "spec.denials[0].code", `"`+strings.Join(codes, `", "`)+`"`),
		unknown("a status for a code", `denials: [{code: "401"}]`, "spec.denials[0].code", `"default"`),
		refused("a code twice", "denials: [{code: default}, {code: unauthorized}, {code: default, status: 200}]", "spec.denials[2]", "Duplicate value"),
		refused("denial without code", "denials: [{status: 200}]", "spec.denials[0].code", "Required value"),
		refused("no denials", "denials: []", "spec.denials", "should have at least 1 items"),

		accepted("status 200", "denials: [{code: default, status: 200}]"), accepted("status 599", "denials: [{code: default, status: 599}]"),
		tooSmall("status 199", "denials: [{code: default, status: 199}]", "spec.denials[0].status", 200),
		tooSmall("status 0", "denials: [{code: default, status: 0}]", "spec.denials[0].status", 200),
		tooLarge("status 600", "denials: [{code: default, status: 600}]", "spec.denials[0].status", 599),
		refused("status in words", "denials: [{code: default, status: OK}]", "spec.denials[0].status", "must be of type integer"),

		accepted("16 headers", "denials: [{code: default, headers: ["+repeat(16, "{name: X-%d, value: x}")+"]}]"),
		tooMany("17 headers", "denials: [{code: default, headers: ["+repeat(17, "{name: X-%d, value: x}")+"]}]", "spec.denials[0].headers", 16),
		refused("header without value", "denials: [{code: default, headers: [{name: X-A}]}]", "spec.denials[0].headers[0].value", "Required value"),
		mismatch("header with a colon", `denials: [{code: default, headers: [{name: "X-A:", value: x}]}]`, "spec.denials[0].headers[0].name"),
		mismatch("header of two lines", `denials: [{code: default, headers: [{name: "X-A\r\nX-B", value: x}]}]`, "spec.denials[0].headers[0].name"),
		accepted("header value with blanks", `denials: [{code: default, headers: [{name: Content-Type, value: "text/html; charset=utf-8"}]}]`),
		value("of two lines", `"x\r\nX-Admin: true"`), value("with a line feed at its end", `"x\n"`), value("with a blank at its end", `"x "`),
		value("with a tab", `"x\ty"`), value("not ASCII", "é"), value("with NUL", `"x\0"`),

		accepted("body of 4096 characters on two lines", `denials: [{code: default, body: "`+text(2048)+`\n`+text(2047)+`"}]`),
		tooLong("body of 4097", "denials: [{code: default, body: "+text(4097)+"}]", "spec.denials[0].body", 4096),
		accepted("broken template: the controller says so", `denials: [{code: default, body: "{{ .Nope"}]`),
	})
}

func TestPolicyInput(t *testing.T) {
	runInputs(t, protectedAPI, []input{
		accepted("every identity header", "upstream: {headers: [Name, Namespace, Project, Scopes, Environment, Hint, Owner, OwnerEmail]}"),
		unknown("unknown identity header", "upstream: {headers: [Key]}", "spec.upstream.headers[0]", `"Name", "Namespace", "Project", "Scopes", "Environment", "Hint", "Owner", "OwnerEmail"`),
		refused("an identity header twice", "upstream: {headers: [Name, Name]}", "spec.upstream.headers[1]", "Duplicate value"),
		unknown("unknown credential handling", "upstream: {credential: Mask}", "spec.upstream.credential", `"Remove", "Keep"`),
		refused("upstream of nothing", "upstream: {}", "spec.upstream", "should have at least 1 properties"),

		accepted("16 conditions", "conditions: ["+repeat(16, `{expression: "request.path != '/%d'"}`)+"]"),
		tooMany("17 conditions", "conditions: ["+repeat(17, `{expression: "request.path != '/%d'"}`)+"]", "spec.conditions", 16),
		accepted("broken expression: the controller says so", `conditions: [{expression: "request.nope ="}]`),
		refused("condition without expression", "conditions: [{message: Sorry}]", "spec.conditions[0].expression", "Required value"),
		accepted("expression of 1024 on two lines", `conditions: [{expression: "true ||\n`+letters(1016)+`"}]`),
		tooLong("expression of 1025", "conditions: [{expression: "+letters(1025)+"}]", "spec.conditions[0].expression", 1024),
		mismatch("message of two lines", `conditions: [{expression: "true", message: "a\nb"}]`, "spec.conditions[0].message"),
		tooLong("message of 257", `conditions: [{expression: "true", message: `+text(257)+"}]", "spec.conditions[0].message", 256),

		refused("keyDefaults of nothing", "keyDefaults: {}", "spec.keyDefaults", "should have at least 1 properties"),
		mismatch("ttl of a day", "keyDefaults: {ttl: 1d}", "spec.keyDefaults.ttl"),
		refused("default limit without period", "keyDefaults: {rateLimit: {requests: 1}}", "spec.keyDefaults.rateLimit.period", "Required value"),
		refused("keyLimits of nothing", "keyLimits: {}", "spec.keyLimits", "should have at least 1 properties"),
		accepted("every limit", "keyLimits: {expiry: Required, allowedIPs: Required, scopes: Required, maxTTL: 720h, maxRateLimit: {requests: 1, period: 1h}}"),
		unknown("unknown requirement of expiry", "keyLimits: {expiry: Forbidden}", "spec.keyLimits.expiry", `"Required", "Optional"`),
		unknown("unknown requirement of allowedIPs", "keyLimits: {allowedIPs: required}", "spec.keyLimits.allowedIPs", `"Required", "Optional"`),
		refused("requirement of scopes as a boolean", "keyLimits: {scopes: true}", "spec.keyLimits.scopes", "must be of type string"),
		refused("maxRateLimit without period", "keyLimits: {maxRateLimit: {requests: 1}}", "spec.keyLimits.maxRateLimit.period", "Required value"),
		refused("maxRateLimit without requests", "keyLimits: {maxRateLimit: {period: 1h}}", "spec.keyLimits.maxRateLimit.requests", "Required value"),
		tooSmall("maxRateLimit of none", "keyLimits: {maxRateLimit: {requests: 0, period: 1h}}", "spec.keyLimits.maxRateLimit.requests", 1),
		tooLarge("maxRateLimit of a billion and one", "keyLimits: {maxRateLimit: {requests: 1000000001, period: 1h}}", "spec.keyLimits.maxRateLimit.requests", 1000000000),

		refused("audit of nothing", "audit: {}", "spec.audit", "should have at least 1 properties"),
		unknown("unknown log", "audit: {log: Allowed}", "spec.audit.log", `"All", "Denied", "None"`),
		accepted("default source as in the seed", `audit: {defaultSource: "API - Registration Page"}`),
		accepted("default source of 128 characters", "audit: {defaultSource: "+text(128)+"}"),
		tooLong("default source of 129", "audit: {defaultSource: "+text(129)+"}", "spec.audit.defaultSource", 128),
		mismatch("default source of two lines", `audit: {defaultSource: "a\nb"}`, "spec.audit.defaultSource"),
		mismatch("source header with a blank", "audit: {sourceHeader: X Source}", "spec.audit.sourceHeader"),
	})
}
