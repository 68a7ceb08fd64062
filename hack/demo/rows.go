package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/stack"
)

// row is one request and the verdict that is expected of it.
type row struct {
	what     string
	expected string
	request  stack.Request
	// before is how many times it is sent before the one that counts.
	before int
	// edited is a key that was changed just now: the row waits for the watches.
	edited bool
}

const (
	billoget  = "api.billoget.com"
	staxai    = "api.stax.ai"
	staxbill  = "api.staxbill.com"
	billstack = "your-billstack.com"
	budgets   = "/v1/api/public/budgets"
)

// samples are the raw keys of the sample APIKeys, as a workload reads them.
func samples(ctx context.Context, s *stack.Stack) (map[string]string, error) {
	raw := map[string]string{}
	for _, name := range []string{"first", "shopify", "limited", "office", "suspended", "leaver", "trial", "stacks", "charge", "saas", "rotated", "imported"} {
		var err error
		if raw[name], err = s.RawKey(ctx, "shop", name); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// rowsOf makes the table from the raw keys.
func rowsOf(raw map[string]string) []row {
	to := func(host, path string, headers http.Header) stack.Request {
		return stack.Request{Host: host, Path: path, Headers: headers}
	}
	elsewhere := func(headers http.Header) stack.Request { return to("shop.example", "/", headers) }
	email := func(h http.Header, address string) http.Header {
		h.Set("Email", address)
		return h
	}
	return []row{
		{"the default API, key of spec: {}", "allowed first", elsewhere(stack.Bearer(raw["first"])), 0, false},
		{"the same in X-API-Key", "allowed first", elsewhere(http.Header{"X-Api-Key": {raw["first"]}}), 0, false},
		{"no key", "401 unauthorized", elsewhere(nil), 0, false},
		{"a key that nobody has", "401 unauthorized", elsewhere(stack.Bearer("ak_" + strings.Repeat("x", 32))), 0, false},
		{"two keys at once", "401 ambiguous_credential", elsewhere(http.Header{"Authorization": {"Bearer " + raw["first"]}, "X-Api-Key": {raw["first"]}}), 0, false},
		{"a suspended key", "403 key_suspended", elsewhere(stack.Bearer(raw["suspended"])), 0, false},
		{"a key revoked a moment ago", "401 unauthorized", elsewhere(stack.Bearer(raw["leaver"])), 0, true},
		{"a key that has expired", "401 unauthorized", elsewhere(stack.Bearer(raw["trial"])), 0, true},
		{"a key rotated a moment ago", "allowed rotated", elsewhere(stack.Bearer(raw["rotated, now"])), 0, false},
		{"the one before it, within the overlap", "allowed rotated", elsewhere(stack.Bearer(raw["rotated"])), 0, false},
		{"a key that was imported", "allowed imported", elsewhere(stack.Bearer(raw["imported"])), 0, false},
		{"a path that isn't normal", "400 invalid_path", to("shop.example", "/a//b", stack.Bearer(raw["first"])), 0, false},
		{"Billoget, with the scope", "allowed shopify", to(billoget, budgets, stack.Bearer(raw["shopify"])), 0, false},
		{"Billoget, without the scope", "403 insufficient_scope", stack.Request{Method: http.MethodPost, Host: billoget, Path: budgets, Headers: stack.Bearer(raw["shopify"])}, 0, false},
		{"Billoget, a key of the default API", "401 unauthorized", to(billoget, budgets, stack.Bearer(raw["first"])), 0, false},
		{"Billoget, from another address", "403 ip_not_allowed", to(billoget, budgets, stack.Bearer(raw["office"])), 0, false},
		{"Billoget, the fourth of three an hour", "429 rate_limit_exceeded", to(billoget, budgets, stack.Bearer(raw["limited"])), 3, false},
		{"Stax.ai, with the owner's email", "allowed stacks", to(staxai, "/", email(stack.Bearer(raw["stacks"]), " Admin@Shop.example")), 0, false},
		{"Stax.ai, with another's email", "200 authError", to(staxai, "/", email(stack.Bearer(raw["stacks"]), "eve@shop.example")), 0, false},
		{"Billoget, its own login needs no key", "allowed ", stack.Request{Method: http.MethodPost, Host: billoget, Path: "/v1/auth/login"}, 0, false},
		{"BillStack, its team's project", "allowed saas", to(billstack, "/api/billstack/teams/team_42/projects/p1/customers", stack.Bearer(raw["saas"])), 0, false},
		{"BillStack, another team's", "403 binding_mismatch", to(billstack, "/api/billstack/teams/team_43/projects/p1/customers", stack.Bearer(raw["saas"])), 0, false},
		{"Stax Bill, over plain HTTP", "403 https_required", to(staxbill, "/", http.Header{"Authorization": {"Basic " + raw["charge"]}}), 0, false},
	}
}

// send ends two keys and rotates one as people would, and sends every row through
// both proxies.
func send(ctx context.Context, s *stack.Stack) ([]result, error) {
	raw, err := samples(ctx, s)
	if err != nil {
		return nil, err
	}
	for name, spec := range map[string]string{
		"leaver":  `{"spec":{"state":"Revoked"}}`,
		"rotated": `{"spec":{"rotation":{"trigger":"of make run"}}}`,
		"trial":   `{"spec":{"expiresAt":"2024-12-31T23:59:59Z"}}`,
	} {
		if _, err := s.Kubectl(ctx, "", "patch", "apikey", "-n", "shop", name, "--type=merge", "-p", spec); err != nil {
			return nil, err
		}
	}
	if _, err := s.Kubectl(ctx, "", "wait", "--for=jsonpath={.status.keys[1].phase}=Retiring", "--timeout=30s", "-n", "shop", "apikey/rotated"); err != nil {
		return nil, err
	}
	if raw["rotated, now"], err = s.RawKey(ctx, "shop", "rotated"); err != nil {
		return nil, err
	}
	var results []result
	for _, r := range rowsOf(raw) {
		out := result{row: r}
		for proxy, verdict := range map[string]*string{s.Envoy: &out.envoy, s.Nginx: &out.nginx} {
			if *verdict, err = ask(ctx, proxy, r); err != nil {
				return nil, err
			}
		}
		results = append(results, out)
	}
	return results, nil
}

// watchTimeout is how long an edit may take to reach an auth server here.
const watchTimeout = 5 * time.Second

// ask sends a row's requests through a proxy and returns the last verdict.
func ask(ctx context.Context, proxy string, r row) (string, error) {
	deadline := time.Now().Add(watchTimeout)
	for sent := 0; ; sent++ {
		answer, err := stack.Ask(ctx, proxy, r.request)
		if err != nil {
			return "", err
		}
		verdict := answer.Verdict()
		if waiting := r.edited && verdict != r.expected && time.Now().Before(deadline); sent >= r.before && !waiting {
			return verdict, nil
		}
	}
}
