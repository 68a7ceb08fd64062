package v1alpha1_test

import "testing"

// everything has a value for every field of a kind, status included: the bounds
// of a field that isn't in here can't be tested, so a new one fails TestBounds.
var everything = map[string]string{
	apiKey: `
spec:
  displayName: My E-commerce Integration
  description: API key for Shopify integration
  apiRef: {name: billoget, namespace: apis}
  environment: live
  project: proj_abc123
  attributes: {team: team_42}
  owner: {name: Shop team, email: ops@shop.example}
  scopes: [READ_BUDGETS, "customers:*"]
  allowedIPs: [192.168.1.100, 203.0.113.0/24, "2001:db8::/32"]
  rateLimit: {requests: 1000, period: 1h, algorithm: TokenBucket, burst: 100}
  expiresAt: "2026-12-31T23:59:59Z"
  state: Active
  rotation: {interval: 720h, overlap: 24h, trigger: "2026-11", retire: WhenUnused}
  existingKey: {secretKeyRef: {name: old, key: token}}
  secret:
    name: shopify-api-key
    entry: token
    deleteAfter: 15m
    labels: {shop.example/team: "42"}
    annotations: {shop.example/note: "for the shop"}
    data: {AUTHORIZATION: "Bearer {{ .Key }}"}
status:
  observedGeneration: 3
  state: Active
  hint: bk_live_1234
  secretName: shopify-api-key
  secretPhase: Present
  deliveredSecret: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  nextRotationAt: "2026-12-15T10:30:00Z"
  observedTriggers: ["2026-10", "2026-11"]
  effective:
    expiresAt: "2026-12-31T23:59:59Z"
    rateLimit: {requests: 1000, period: 1h, algorithm: TokenBucket, burst: 100}
    rotation: {interval: 720h, overlap: 24h, retire: OnTime}
  keys:
  - digest: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    hint: bk_live_1234
    phase: Current
    issuedAt: "2026-01-15T10:30:00Z"
  - digest: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    hint: bk_live_5678
    phase: Retiring
    issuedAt: "2025-12-15T10:30:00Z"
    notAfter: "2026-01-16T10:30:00Z"
    deliveredAt: "2025-12-15T10:30:01Z"
    lastUsedAt: "2026-01-15T10:20:00Z"
  conditions:
  - {type: Ready, status: "True", reason: Issued, message: "", lastTransitionTime: "2026-01-15T10:30:00Z", observedGeneration: 3}
  - {type: Propagated, status: "False", reason: Propagating, message: "", lastTransitionTime: "2026-01-15T10:30:00Z", observedGeneration: 3}
`,
	protectedAPI: `
spec:
  hosts: [api.billoget.com, "*.billoget.dev"]
  basePaths: ["", /v1]
  plainHTTP: Deny
  allowedNamespaces: {from: Selector, selector: {matchLabels: {team: shop}}}
  credentials:
  - {type: Bearer}
  - {type: Basic}
  - {type: Header, header: {name: X-API-Key}}
  - {type: Query, query: {name: api_key}}
  - {type: Cookie, cookie: {name: session}}
  keyFormat: {prefix: bk, separator: "_", environments: [live, test], encoding: Hex, length: 32, checksum: CRC32}
  clientIP: {trustedProxies: [10.0.0.0/8]}
  emptyScopes: Deny
  scopes:
  - {name: READ_BUDGETS, description: Read budget data, routes: [{methods: [GET], path: "/api/public/budgets/**"}]}
  - {name: WEBHOOKS}
  publicRoutes: [{methods: [POST], path: /auth/login}, {path: "/api-keys/**"}]
  preflight: Allow
  unmatchedRoutes: Allow
  bindings:
  - {from: {header: Email}, equals: owner.email, compare: CaseInsensitive}
  - {from: {pathVariable: team, path: "/teams/{team}/**"}, equals: attributes.team, compare: Exact}
  - {from: {pathVariable: project, path: "/projects/{project}/**"}, equals: project, compare: Exact, ifKeyHas: true}
  denials:
  - {code: default, status: 200, headers: [{name: Content-Type, value: text/plain}], body: "{{ .Message }}"}
  - {code: unavailable}
  upstream: {headers: [Name, Scopes], credential: Keep}
  conditions: [{expression: "request.time.getHours() < 18", message: Only in office hours}]
  keyDefaults: {ttl: 720h, rateLimit: {requests: 1000, period: 1h, algorithm: TokenBucket, burst: 100}, rotation: {interval: 720h, overlap: 24h, retire: OnTime}}
  keyLimits: {maxTTL: 8760h, maxRotationInterval: 2160h, expiry: Required, allowedIPs: Optional, scopes: Required, maxRateLimit: {requests: 10000, period: 1h}}
  audit: {log: Denied, sourceHeader: X-Audit-Source, defaultSource: API}
status:
  observedGeneration: 1
  attachedKeys: 42
  conditions:
  - {type: Ready, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-15T10:30:00Z", observedGeneration: 1}
`,
}

// otherwise has values for the fields that everything can't have beside others.
var otherwise = map[string]string{
	apiKey: `
spec:
  existingKey: {sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}
`,
	protectedAPI: "{}",
}

// examples are what the four systems whose documents began this project need,
// as far as the schema goes.
var examples = []struct{ system, kind, spec string }{
	{"Billoget, an API", protectedAPI, `
hosts: [api.billoget.com]
credentials: [{type: Bearer}]
keyFormat: {prefix: bk, environments: [live, test], encoding: Hex, length: 32}
emptyScopes: Deny
`},
	{"Billoget, a key", apiKey, `
displayName: My E-commerce Integration
description: API key for Shopify integration
apiRef: {name: billoget, namespace: apis}
environment: live
scopes: [READ_BUDGETS, WRITE_BUDGETS, READ_CUSTOMERS, WRITE_CUSTOMERS, READ_PRODUCTS, WRITE_PRODUCTS, WEBHOOKS]
rateLimit: {requests: 1000, period: 1h}
allowedIPs: [192.168.1.100, 10.0.0.50, 203.0.113.0/24]
expiresAt: "2024-12-31T23:59:59Z"
`},
	{"BillStack, an API", protectedAPI, `
hosts: [your-billstack.com]
credentials: [{type: Bearer}]
keyFormat: {prefix: bs, encoding: Hex, length: 48}
emptyScopes: FullAccess
`},
	{"BillStack, a key", apiKey, `
displayName: My SaaS Production
apiRef: {name: billstack}
project: proj_abc123
attributes: {team: team_42}
scopes: ["customers:read", "customers:write", "subscriptions:read"]
expiresAt: "2026-12-31T23:59:59Z"
`},
	{"BillStack, a key of all projects with full access", apiKey, `
displayName: My SaaS Production
apiRef: {name: billstack}
attributes: {team: team_42}
`},
	{"Stax.ai, an API", protectedAPI, `
hosts: [api.stax.ai]
credentials: [{type: Bearer}]
keyFormat: {encoding: Base36, length: 40}
bindings: [{from: {header: Email}, equals: owner.email, compare: CaseInsensitive}]
`},
	{"Stax.ai, a key", apiKey, `
apiRef: {name: stax-ai}
owner: {email: developer@stax.example}
`},
	{"Stax Bill, an API", protectedAPI, `
credentials: [{type: Basic}]
keyFormat: {prefix: MDp, separator: "", encoding: Base64, length: 85}
`},
	{"Stax Bill, a key", apiKey, `
displayName: Registration page
apiRef: {name: stax-bill}
`},
}

func TestExamples(t *testing.T) {
	for _, e := range examples {
		t.Run(e.system, func(t *testing.T) {
			t.Parallel()
			u, err := create(t, object(t, e.kind, e.spec), dryRun)
			wantAccepted(t, u, err)
		})
	}
}

func TestEverything(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			all := fields(t, everything[kind])
			u := mustCreate(t, objectOf(kind, all["spec"].(map[string]any)))
			u.Object["status"] = all["status"]
			u, err := update(t, u, dryRun, "status")
			wantAccepted(t, u, err)
			wantEqual(t, u.Object["spec"], all["spec"])
			wantEqual(t, u.Object["status"], all["status"])
		})
	}
}
