package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

func testEmptySpec(t *testing.T, w *whole) {
	raw := w.key(t, "first")
	if !strings.HasPrefix(raw, "ak_") || len(raw) != len("ak_")+32 {
		t.Errorf("the raw key has %d characters and starts with %q, want ak_ and 32 characters", len(raw), raw[:3])
	}
	w.want(t, raw, "allowed first")
	w.want(t, raw+"x", "401 unauthorized")
	if hint := w.get(t, "first", "{.status.hint}"); hint != raw[:len("ak_")+4] {
		t.Errorf("the hint is %q, want the first four characters after ak_", hint)
	}
}

func testEdits(t *testing.T, w *whole) {
	raw := w.create(t, "edited", "{}")
	w.want(t, raw, "allowed edited")
	w.patch(t, "edited", `{"allowedIPs":["203.0.113.7"]}`)
	w.want(t, raw, "403 ip_not_allowed")
	w.patch(t, "edited", `{"allowedIPs":["203.0.113.7","127.0.0.0/8"]}`)
	w.want(t, raw, "allowed edited")
	w.patch(t, "edited", `{"rateLimit":{"requests":1,"period":"1h"}}`)
	w.want(t, raw, "429 rate_limit_exceeded")
	w.patch(t, "edited", `{"rateLimit":null}`)
	w.want(t, raw, "allowed edited")
	if again := w.key(t, "edited"); again != raw {
		t.Error("an edit changed the raw key")
	}
}

func testSuspend(t *testing.T, w *whole) {
	raw := w.create(t, "paused", "{}")
	w.want(t, raw, "allowed paused")
	w.patch(t, "paused", `{"state":"Suspended"}`)
	w.want(t, raw, "403 key_suspended")
	w.patch(t, "paused", `{"state":"Active"}`)
	w.want(t, raw, "allowed paused")
}

func testRevoke(t *testing.T, w *whole) {
	raw := w.create(t, "gone", "{}")
	w.want(t, raw, "allowed gone")
	w.patch(t, "gone", `{"state":"Revoked"}`)
	w.want(t, raw, "401 unauthorized")
	if _, err := w.Kubectl(t.Context(), "", "wait", "--for=delete", "--timeout=30s", "-n", "shop", "secret/gone"); err != nil {
		t.Error("the Secret of a revoked key stays:", err)
	}
	if digests := w.get(t, "gone", "{.status.keys[*].digest}"); !strings.HasPrefix(digests, "sha256:") {
		t.Errorf("digests are %q, want the revoked one as evidence", digests)
	}
	if _, err := w.Kubectl(t.Context(), "", "patch", "apikey", "-n", "shop", "gone", "--type=merge", "-p", `{"spec":{"state":"Active"}}`); err == nil ||
		!strings.Contains(err.Error(), "Revoked is for good") {
		t.Errorf("resuming a revoked key: got %v, want a refusal", err)
	}
}

// testExpire watches that a key is accepted until its deadline and not after,
// with the controller out of the way.
func testExpire(t *testing.T, w *whole) {
	raw := w.create(t, "brief", "{}")
	w.want(t, raw, "allowed brief")
	end := time.Now().Add(6 * time.Second).Truncate(time.Second)
	w.patch(t, "brief", fmt.Sprintf(`{"expiresAt":%q}`, end.UTC().Format(time.RFC3339)))
	w.withoutController(t, func() {
		for time.Now().Before(end.Add(-100 * time.Millisecond)) {
			before := time.Now()
			if a, err := w.ask(t.Context(), w.Envoy, raw); err != nil || (a.Verdict() != "allowed brief" && time.Now().Before(end)) {
				t.Fatalf("%s before its end: got %s, %v", end.Sub(before), a.Verdict(), err)
			}
		}
		w.want(t, raw, "401 unauthorized")
		if time.Now().Before(end) {
			t.Error("the key was denied before its end")
		}
	})
	if _, err := w.Kubectl(t.Context(), "", "wait", "--for=jsonpath={.status.state}=Expired", "--timeout=30s", "-n", "shop", "apikey/brief"); err != nil {
		t.Error(err)
	}
}

// testDelete holds the Secret back with a finalizer: access must end all the same.
func testDelete(t *testing.T, w *whole) {
	raw := w.create(t, "deleted", "{}")
	w.want(t, raw, "allowed deleted")
	patch := func(finalizers string) {
		t.Helper()
		if _, err := w.Kubectl(t.Context(), "", "patch", "secret", "-n", "shop", "deleted", "--type=merge", "-p", `{"metadata":{"finalizers":`+finalizers+`}}`); err != nil {
			t.Fatal(err)
		}
	}
	patch(`["test.example/hold"]`)
	if _, err := w.Kubectl(t.Context(), "", "delete", "apikey", "-n", "shop", "deleted"); err != nil {
		t.Fatal(err)
	}
	w.want(t, raw, "401 unauthorized")
	if _, err := w.Kubectl(t.Context(), "", "get", "secret", "-n", "shop", "deleted"); err != nil {
		t.Error("the Secret went before access ended:", err)
	}
	patch("null")
	if _, err := w.Kubectl(t.Context(), "", "wait", "--for=delete", "--timeout=60s", "-n", "shop", "secret/deleted"); err != nil {
		t.Error("the Secret isn't collected:", err)
	}
}

func testLost(t *testing.T, w *whole) {
	old := w.create(t, "lost", "{}")
	w.want(t, old, "allowed lost")
	if _, err := w.Kubectl(t.Context(), "", "delete", "secret", "-n", "shop", "lost"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Kubectl(t.Context(), "", "wait", "--for=jsonpath={.status.keys[1].phase}=Retiring", "--timeout=30s", "-n", "shop", "apikey/lost"); err != nil {
		t.Fatal(err)
	}
	replacement := w.key(t, "lost")
	if replacement == old {
		t.Error("the lost key came back")
	}
	w.want(t, replacement, "allowed lost")
	w.want(t, old, "allowed lost")
}

// withoutController runs f while no controller runs.
func (w *whole) withoutController(t *testing.T, f func()) {
	t.Helper()
	if err := w.Controller.Stop(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Controller.Start(); err != nil {
			t.Error(err)
		} else if err := w.Controller.WaitReady(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	f()
}

func testNoController(t *testing.T, w *whole) {
	raw := w.create(t, "alone", "{}")
	w.want(t, raw, "allowed alone")
	w.withoutController(t, func() {
		w.patch(t, "alone", `{"state":"Suspended"}`)
		w.want(t, raw, "403 key_suspended")
		// Who may resume it nobody can say now.
		_, err := w.Kubectl(t.Context(), "", "patch", "apikey", "-n", "shop", "alone", "--type=merge", "-p", `{"spec":{"state":"Active"}}`)
		if err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
			t.Errorf("resumed while nobody runs admission: got %v, want it to fail closed", err)
		}
		w.patch(t, "alone", `{"state":"Revoked"}`)
		w.want(t, raw, "401 unauthorized")
	})
}

func testRestart(t *testing.T, w *whole) {
	raw := w.create(t, "steady", "{}")
	w.want(t, raw, "allowed steady")
	server := w.AuthServers[0]
	for range 3 {
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		// From the first answer on: 503 until it knows all, then allowed; never 401.
		err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			a, err := w.ask(ctx, w.Envoy, raw)
			if err == nil && a.Status != http.StatusOK && a.Status != http.StatusServiceUnavailable {
				err = fmt.Errorf("got %s, want 503 or allowed", a.Verdict())
			}
			return a.Status == http.StatusOK, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func testDown(t *testing.T, w *whole) {
	raw := w.create(t, "patient", "{}")
	w.want(t, raw, "allowed patient")
	if err := w.AuthServers[0].Stop(); err != nil {
		t.Fatal(err)
	}
	if err := w.AuthServers[1].Kill(); err != nil {
		t.Fatal(err)
	}
	before := w.Upstream.Requests()
	for name, proxy := range map[string]string{"Envoy": w.Envoy, "nginx": w.Nginx} {
		for range 5 {
			if a, err := w.ask(t.Context(), proxy, raw); err != nil || a.Status != http.StatusServiceUnavailable {
				t.Errorf("through %s: got %s, %v, want 503", name, a.Verdict(), err)
			}
		}
	}
	if passed := w.Upstream.Requests() - before; passed != 0 {
		t.Errorf("%d requests passed", passed)
	}
	for _, server := range w.AuthServers {
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		if err := server.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.want(t, raw, "allowed patient")
}

func testTakeOver(t *testing.T, w *whole) {
	second, err := w.StartController("controller-2")
	if err != nil {
		t.Fatal(err)
	}
	if err := second.WaitReady(t.Context()); err != nil {
		t.Fatal("a controller that isn't the leader isn't ready:", err)
	}
	if err := w.Controller.Stop(); err != nil {
		t.Fatal(err)
	}
	w.want(t, w.create(t, "inherited", "{}"), "allowed inherited")
	if err := w.Controller.Start(); err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	w.want(t, w.create(t, "returned", "{}"), "allowed returned")
}

func testRoles(t *testing.T, w *whole) {
	for _, tc := range []struct{ account, verb, resource, want string }{
		{"authserver", "get", "secrets", "no"},
		{"authserver", "list", "secrets", "no"},
		{"authserver", "watch", "secrets", "no"},
		{"authserver", "create", "secrets", "no"},
		{"authserver", "update", "apikeys/status", "no"},
		{"authserver", "update", "apikeys", "no"},
		{"authserver", "list", "apikeys", "yes"},
		{"controller", "update", "apikeys/status", "yes"},
		{"controller", "update", "apikeys", "no"},
		{"controller", "delete", "apikeys", "no"},
		{"controller", "list", "pods", "no"},
	} {
		account := "system:serviceaccount:apikey-operator-system:apikey-operator-" + tc.account
		resource, subresource, _ := strings.Cut(tc.resource, "/")
		// kubectl says "no" with exit code 1.
		out, err := w.Kubectl(t.Context(), "", "auth", "can-i", tc.verb, resource, "--subresource="+subresource, "-A", "--as="+account)
		if got := map[bool]string{true: "yes", false: "no"}[err == nil && strings.HasPrefix(out, "yes")]; got != tc.want {
			t.Errorf("may the %s %s %s: got %s (%v), want %s", tc.account, tc.verb, tc.resource, got, err, tc.want)
		}
	}
}

// beforeAdmission applies objects as they may be from a time without admission.
func (w *whole) beforeAdmission(t *testing.T, manifest string) {
	t.Helper()
	const path = `[{"op":"%s","path":"/webhooks/0/namespaceSelector","value":%s}]`
	patch := func(op, value string) {
		t.Helper()
		if _, err := w.Kubectl(t.Context(), "", "patch", "validatingwebhookconfiguration", "apikey-operator", "--type=json", "-p", fmt.Sprintf(path, op, value)); err != nil {
			t.Fatal(err)
		}
	}
	patch("add", `{"matchLabels":{"no":"namespace"}}`)
	defer patch("replace", "{}")
	// The API server learns of it a moment later.
	var last error
	if err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		_, last = w.Kubectl(ctx, manifest, "apply", "-f", "-")
		return last == nil, nil
	}); err != nil {
		t.Fatal(last)
	}
}

func testBadObjects(t *testing.T, w *whole) {
	w.beforeAdmission(t, `
{apiVersion: v1, kind: Secret, metadata: {name: theirs, namespace: shop}, stringData: {password: not-ours}}
---
{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: theirs, namespace: shop}, spec: {}}
---
{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: no-api, namespace: shop}, spec: {apiRef: {name: nowhere}}}
---
{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: broken, namespace: shop}, spec: {secret: {data: {TOKEN: "{{ .Kye }}"}}}}
---
{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: nowhere-to-live, namespace: shop}, spec: {apiRef: {name: billoget, namespace: apis}, environment: prod}}
`)
	for name, reason := range map[string]string{
		"theirs": "SecretConflict", "no-api": "APINotFound", "broken": "InvalidTemplate", "nowhere-to-live": "InvalidEnvironment",
	} {
		condition := fmt.Sprintf(`--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=%s`, reason)
		if _, err := w.Kubectl(t.Context(), "", "wait", condition, "--timeout=30s", "-n", "shop", "apikey/"+name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := w.Kubectl(t.Context(), "", "get", "secret", "-n", "shop", "theirs", "-o", "jsonpath={.data}{.metadata.labels}{.metadata.ownerReferences}"); err != nil || got != `{"password":"bm90LW91cnM="}` {
		t.Errorf("somebody else's Secret is %s (%v), want it untouched", got, err)
	}
	w.want(t, w.create(t, "undisturbed", "{}"), "allowed undisturbed")
	w.patch(t, "broken", `{"secret":{"data":{"TOKEN":"Bearer {{ .Key }}"}}}`)
	w.want(t, w.key(t, "broken"), "allowed broken")
}

// testRadioactive looks for every raw key that was seen, plain and in Base64, in
// everything that was written anywhere but in Secrets.
func testRadioactive(t *testing.T, w *whole) {
	written := w.logs(t)
	for _, kind := range []string{"apikeys,protectedapis", "events", "events.events.k8s.io", "leases", "configmaps"} {
		out, err := w.Kubectl(t.Context(), "", "get", kind, "-A", "-o", "yaml", "--show-managed-fields")
		if err != nil {
			t.Fatal(err)
		}
		written[kind] = out
	}
	for _, address := range []string{w.Controller.Metrics, w.AuthServers[0].Metrics, w.AuthServers[1].Metrics} {
		written["metrics of "+address] = fetch(t, address)
	}
	if len(w.raw) < 10 || len(written) < 10 {
		t.Fatalf("only %d keys and %d places: this test looks at too little", len(w.raw), len(written))
	}
	for raw, name := range w.raw {
		for place, text := range written {
			if strings.Contains(text, raw) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(raw))) {
				t.Errorf("the raw key of %s is in %s", name, place)
			}
		}
	}
}

func fetch(t *testing.T, address string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
