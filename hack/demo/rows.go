package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/apikey-operator/apikey-operator/hack/stack"
)

// row is one request and the verdict that is expected of it.
type row struct {
	what     string
	expected string
	request  stack.Request
	// before is how many times it is sent before the one that counts.
	before int
}

const (
	billoget = "api.billoget.com"
	staxai   = "api.stax.ai"
	budgets  = "/api/public/budgets"
)

// samples are the raw keys of the sample APIKeys, as a workload reads them.
func samples(ctx context.Context, s *stack.Stack) (map[string]string, error) {
	raw := map[string]string{}
	for _, name := range []string{"first", "shopify", "limited", "office", "suspended", "leaver", "trial", "stacks"} {
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
		{"the default API, key of spec: {}", "allowed first", elsewhere(stack.Bearer(raw["first"])), 0},
		{"the same in X-API-Key", "allowed first", elsewhere(http.Header{"X-Api-Key": {raw["first"]}}), 0},
		{"no key", "401 unauthorized", elsewhere(nil), 0},
		{"a key that nobody has", "401 unauthorized", elsewhere(stack.Bearer("ak_" + strings.Repeat("x", 32))), 0},
		{"two keys at once", "401 ambiguous_credential", elsewhere(http.Header{"Authorization": {"Bearer " + raw["first"]}, "X-Api-Key": {raw["first"]}}), 0},
		{"a suspended key", "403 key_suspended", elsewhere(stack.Bearer(raw["suspended"])), 0},
		{"a key revoked a moment ago", "401 unauthorized", elsewhere(stack.Bearer(raw["leaver"])), 0},
		{"a key that has expired", "401 unauthorized", elsewhere(stack.Bearer(raw["trial"])), 0},
		{"a path that isn't normal", "400 invalid_path", to("shop.example", "/a//b", stack.Bearer(raw["first"])), 0},
		{"Billoget, with the scope", "allowed shopify", to(billoget, budgets, stack.Bearer(raw["shopify"])), 0},
		{"Billoget, without the scope", "403 insufficient_scope", stack.Request{Method: http.MethodPost, Host: billoget, Path: budgets, Headers: stack.Bearer(raw["shopify"])}, 0},
		{"Billoget, a key of the default API", "401 unauthorized", to(billoget, budgets, stack.Bearer(raw["first"])), 0},
		{"Billoget, from another address", "403 ip_not_allowed", to(billoget, budgets, stack.Bearer(raw["office"])), 0},
		{"Billoget, the fourth of three an hour", "429 rate_limit_exceeded", to(billoget, budgets, stack.Bearer(raw["limited"])), 3},
		{"Stax.ai, with the owner's email", "allowed stacks", to(staxai, "/", email(stack.Bearer(raw["stacks"]), " Admin@Shop.example")), 0},
		{"Stax.ai, with another's email", "401 unauthorized", to(staxai, "/", email(stack.Bearer(raw["stacks"]), "eve@shop.example")), 0},
	}
}

// send ends two keys as people would, and sends every row through both proxies.
func send(ctx context.Context, s *stack.Stack) ([]result, error) {
	raw, err := samples(ctx, s)
	if err != nil {
		return nil, err
	}
	for name, spec := range map[string]string{
		"leaver": `{"spec":{"state":"Revoked"}}`,
		"trial":  `{"spec":{"expiresAt":"2024-12-31T23:59:59Z"}}`,
	} {
		if _, err := s.Kubectl(ctx, "", "patch", "apikey", "-n", "shop", name, "--type=merge", "-p", spec); err != nil {
			return nil, err
		}
	}
	var results []result
	for _, r := range rowsOf(raw) {
		out := result{row: r}
		for proxy, verdict := range map[string]*string{s.Envoy: &out.envoy, s.Nginx: &out.nginx} {
			for range r.before {
				if _, err := stack.Ask(ctx, proxy, r.request); err != nil {
					return nil, err
				}
			}
			answer, err := stack.Ask(ctx, proxy, r.request)
			if err != nil {
				return nil, err
			}
			*verdict = answer.Verdict()
		}
		results = append(results, out)
	}
	return results, nil
}
