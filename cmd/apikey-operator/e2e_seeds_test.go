package main

import (
	"context"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/stack"
)

// seed is one sentence of a seed document as a request.
type seed struct {
	name    string
	request stack.Request
	before  int
	want    string // a Verdict, or the exact body if it starts with {
	status  int    // with a body
}

const staxFailure = `{
    "success": false,
    "authError": true,
    "error": "Invalid authorization request"
}`

func testSeeds(t *testing.T, w *whole) {
	raw := map[string]string{}
	for _, name := range []string{"charge", "stacks", "saas", "shopify", "limited"} {
		raw[name] = w.key(t, name)
	}
	testShapes(t, w, raw)
	projectOnly := w.create(t, "one-project", `{apiRef: {name: billstack, namespace: apis}, project: proj_1, attributes: {team: team_42}, scopes: ["customers:read"]}`)

	const billstack, billoget, staxai, staxbill = "your-billstack.com", "api.billoget.com", "api.stax.ai", "api.staxbill.com"
	get := func(host, path string, headers http.Header) stack.Request {
		return stack.Request{Host: host, Path: path, Headers: headers}
	}
	send := func(method, host, path string, headers http.Header) stack.Request {
		return stack.Request{Method: method, Host: host, Path: path, Headers: headers}
	}
	email := func(key, address string) http.Header {
		h := stack.Bearer(key)
		if address != "" {
			h.Set("Email", address)
		}
		return h
	}
	basic := func(token string) http.Header { return http.Header{"Authorization": {"Basic " + token}} }
	for _, tc := range []seed{
		{name: "Stax Bill, plain HTTP", request: get(staxbill, "/", basic(raw["charge"])), want: "403 https_required"},
		{name: "Stax.ai, key and email", request: get(staxai, "/", email(raw["stacks"], " Admin@Shop.example")), want: "allowed stacks"},
		{name: "Stax.ai, another's email", request: get(staxai, "/", email(raw["stacks"], "eve@shop.example")), want: staxFailure, status: 200},
		{name: "Stax.ai, no email", request: get(staxai, "/", email(raw["stacks"], "")), want: staxFailure, status: 200},
		{name: "Stax.ai, no key", request: get(staxai, "/", nil), want: staxFailure, status: 200},
		{name: "BillStack, no scopes", request: send("DELETE", billstack, "/api/billstack/teams/team_42/projects/p/customers/7", stack.Bearer(raw["saas"])), want: "allowed saas"},
		{name: "BillStack, no project", request: get(billstack, "/api/billstack/teams/team_42/projects/another/customers", stack.Bearer(raw["saas"])), want: "allowed saas"},
		{name: "BillStack, another team", request: get(billstack, "/api/billstack/teams/team_43/projects/p/customers", stack.Bearer(raw["saas"])), want: "403 binding_mismatch"},
		{name: "BillStack, a scope", request: get(billstack, "/api/billstack/teams/team_42/projects/proj_1/customers", stack.Bearer(projectOnly)), want: "allowed one-project"},
		{name: "BillStack, another scope", request: send("POST", billstack, "/api/billstack/teams/team_42/projects/proj_1/customers", stack.Bearer(projectOnly)), want: "403 insufficient_scope"},
		{name: "BillStack, another project", request: get(billstack, "/api/billstack/teams/team_42/projects/proj_2/customers", stack.Bearer(projectOnly)), want: "403 project_mismatch"},
		{name: "BillStack, no key", request: get(billstack, "/api/billstack/teams/team_42/projects/p/customers", nil), want: "401 unauthorized"},
		{name: "Billoget, read with its scope", request: get(billoget, "/api/public/budgets", stack.Bearer(raw["shopify"])), want: "allowed shopify"},
		{name: "Billoget, under /v1", request: get(billoget, "/v1/api/public/budgets?limit=1", stack.Bearer(raw["shopify"])), want: "allowed shopify"},
		{
			name: "Billoget, write without its scope", request: send("POST", billoget, "/v1/api/public/budgets", stack.Bearer(raw["shopify"])),
			want: `{"error":"insufficient_scope","message":"API key does not have required scope: WRITE_BUDGETS"}`, status: 403,
		},
		{name: "Billoget, no key", request: get(billoget, "/v1/api/public/budgets", nil), want: `{"error":"unauthorized","message":"Invalid or missing API key"}`, status: 401},
		{name: "Billoget, its own login", request: send("POST", billoget, "/v1/auth/login", http.Header{"Authorization": {"Bearer a.jwt.token"}}), want: "allowed "},
		{
			name: "Billoget, over the limit", request: get(billoget, "/api/public/budgets", stack.Bearer(raw["limited"])), before: 3,
			want: `{"error":"rate_limit_exceeded","message":"Rate limit exceeded. Try again in 3600 seconds"}`, status: 429,
		},
	} {
		t.Run(tc.name, func(t *testing.T) { w.seed(t, tc) })
	}
	testStaxBill(t, w, raw["charge"])
}

// fromBefore is the key that Stax Bill's document shows.
const fromBefore = "MDpFSDl2RTBRNTZVYVJYdnZROE8wb2JpMzJsSDJPNXh0YlZneVRDN2o1d0NCbEEwamV6ZmhDMVNwd2t4U0paSW9q"

// testStaxBill asks the auth server as Traefik does about a request that came over
// TLS: the recipes' listeners have no certificates, and this API wants TLS.
func testStaxBill(t *testing.T, w *whole, raw string) {
	encode := base64.StdEncoding.EncodeToString
	for _, tc := range []struct {
		name, authorization string
		status              int
		named               string
	}{
		{"the key as issued", "Basic " + raw, http.StatusOK, "charge"},
		{"a key from before", "Basic " + fromBefore, http.StatusOK, "charge-before"},
		{"a key from before as user name", "Basic " + encode([]byte(fromBefore+":")), http.StatusOK, "charge-before"},
		{"as user name", "Basic " + encode([]byte(raw+":")), http.StatusOK, "charge"},
		{"as user name with a password", "Basic " + encode([]byte(raw+":secret")), http.StatusUnauthorized, ""},
		{"as Bearer", "Bearer " + raw, http.StatusUnauthorized, ""},
		{"no key", "", http.StatusUnauthorized, ""},
	} {
		t.Run("Stax Bill, "+tc.name, func(t *testing.T) {
			headers := http.Header{
				"X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"api.staxbill.com"}, "X-Forwarded-Uri": {"/"},
				"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"203.0.113.7"},
			}
			if tc.authorization != "" {
				headers["Authorization"] = []string{tc.authorization}
			}
			a, err := stack.Ask(t.Context(), w.AuthServers[0].HTTP, stack.Request{Path: "/authorize/traefik", Headers: headers})
			if err != nil || a.Status != tc.status || a.Headers.Get("X-Apikey-Name") != tc.named {
				t.Errorf("got %d for %q (%v), want %d for %q", a.Status, a.Headers.Get("X-Apikey-Name"), err, tc.status, tc.named)
			}
		})
	}
}

func (w *whole) seed(t *testing.T, tc seed) {
	for name, proxy := range map[string]string{"Envoy": w.Envoy, "nginx": w.Nginx} {
		var a stack.Answer
		for range tc.before + 1 {
			var err error
			if a, err = stack.Ask(t.Context(), proxy, tc.request); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasPrefix(tc.want, "{") {
			if a.Status != tc.status || a.Body != tc.want {
				t.Errorf("through %s: got %d %s, want %d %s", name, a.Status, a.Body, tc.status, tc.want)
			}
			continue
		}
		if a.Verdict() != tc.want {
			t.Errorf("through %s: got %s, want %s", name, a.Verdict(), tc.want)
		}
	}
}

// testAudit looks for the source that a client names, in the audit log.
func testAudit(t *testing.T, w *whole) {
	raw := w.key(t, "charge")
	for _, tc := range []struct{ name, source, want string }{
		{"named", "API - Registration Page", `"source":"API - Registration Page"`},
		{"not named", "", `"source":"API"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := "/audited/" + strings.ReplaceAll(tc.name, " ", "-")
			q := stack.Request{Host: "api.staxbill.com", Path: path + "?secret=of-the-client", Headers: http.Header{"Authorization": {"Basic " + raw}}}
			if tc.source != "" {
				q.Headers["X-Audit-Source"] = []string{tc.source}
			}
			for server, proxy := range map[string]string{"authserver-1": w.Envoy, "authserver-2": w.Nginx} {
				if _, err := stack.Ask(t.Context(), proxy, q); err != nil {
					t.Fatal(err)
				}
				w.wantLine(t, server+".audit.log", tc.want, `"path":"`+path+`"`, `"reason":"plain_http"`)
			}
		})
	}
}

// wantLine waits for a line of a log that holds all of the texts.
func (w *whole) wantLine(t *testing.T, file string, texts ...string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		content, err := os.ReadFile(filepath.Join(w.Dir, file))
		for line := range strings.Lines(string(content)) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				return true, nil
			}
		}
		return false, err
	})
	if err != nil {
		t.Errorf("%s has no line with %q: %v", file, texts, err)
	}
}

// testShapes compares keys and hints with those that the documents show.
func testShapes(t *testing.T, w *whole, raw map[string]string) {
	for name, shape := range map[string]string{
		"charge": `^MDp[A-Za-z0-9+/]{85}$`, "stacks": `^[0-9a-z]{40}$`, "saas": `^bs_[0-9a-f]{48}$`, "shopify": `^bk_live_[0-9a-f]{32}$`, "limited": `^bk_test_[0-9a-f]{32}$`,
	} {
		if !regexp.MustCompile(shape).MatchString(raw[name]) {
			t.Errorf("the raw key of %s isn't of the shape %s", name, shape)
		}
	}
	for name, length := range map[string]int{"saas": len("bs_a1b2"), "shopify": len("bk_live_1234")} {
		if hint := w.get(t, name, "{.status.hint}"); hint != raw[name][:length] {
			t.Errorf("the hint of %s is %q, want the first %d characters", name, hint, length)
		}
	}
	if _, err := base64.StdEncoding.DecodeString(raw["charge"]); err != nil {
		t.Errorf("a key of Stax Bill isn't Base64: %v", err)
	}
}
