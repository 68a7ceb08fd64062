//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// keyOf is an APIKey in namespace shop.
func keyOf(name, scopes string) string {
	return `{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: ` + name + `, namespace: shop}, spec: {
	  apiRef: {name: billoget, namespace: apis}, environment: live, scopes: [` + scopes + `]}}`
}

// wayOut are the commands that a refusal tells.
var wayOut = regexp.MustCompile(`(kubectl create role .*), and then (kubectl create rolebinding .*); for all`)

// testAdmission: two people may edit what is in namespace shop, and one of them gets
// the right to issue by doing what the refusal says.
func testAdmission(t *testing.T, w *workloads) {
	w.do(t, "", "create", "rolebinding", "-n", "shop", "editors", "--clusterrole=edit", "--user=dev", "--user=ops")
	until(t, "ClusterRole edit is aggregated", patience, func() (bool, string) {
		answer, err := w.try(t.Context(), "", "auth", "can-i", "create", "apikeys", "-n", "shop", "--as=dev")
		return err == nil, answer
	})
	if answer, err := w.try(t.Context(), "", "auth", "can-i", "update", "apikeys", "--subresource=status", "-n", "shop", "--as=dev"); err == nil {
		t.Errorf("whoever may edit can write apikeys/status, which is as good as issuing: %s", answer)
	}

	refused := w.refused(t, keyOf("asked-for", "READ_BUDGETS"), "create", "--as=dev", "-f", "-")
	t.Logf("refused: %s", refused)
	for _, want := range []string{
		`apikeys.apikey-operator.dev "asked-for" is forbidden`, `user "dev" may not grant`, `verb issue on protectedapis.apikey-operator.dev "billoget"`,
		`protectedapis.apikey-operator.dev/scopes "billoget:READ_BUDGETS"`, `in namespace "apis"`,
	} {
		if !strings.Contains(refused, want) {
			t.Errorf("the refusal doesn't say %s", want)
		}
	}
	command := wayOut.FindStringSubmatch(refused)
	if command == nil {
		t.Fatal("the refusal names no way out")
	}
	// As a person would, who copies it.
	for _, c := range command[1:] {
		if out, err := w.shell(t.Context(), c); err != nil {
			t.Fatalf("the way out, %s: %v: %s", c, err, out)
		}
	}
	until(t, "the right counts", patience, func() (bool, string) {
		_, err := w.try(t.Context(), keyOf("asked-for", "READ_BUDGETS"), "create", "--as=dev", "-f", "-")
		return err == nil, fmt.Sprint(err)
	})
	w.do(t, "", "wait", "-n", "shop", "--for=condition=Ready", "--timeout="+patience.String(), "apikey/asked-for")

	for _, step := range []struct {
		name, user, patch string
		refused           bool
	}{
		{"widening", "dev", `{"spec":{"scopes":["READ_BUDGETS","WRITE_BUDGETS"]}}`, true},
		{"widening to everything", "dev", `{"spec":{"scopes":["*"]}}`, true},
		{"an edit that opens nothing", "ops", `{"spec":{"displayName":"Shop"}}`, false},
		{"narrowing", "ops", `{"spec":{"allowedIPs":["10.0.0.0/8"]}}`, false},
		{"suspending", "ops", `{"spec":{"state":"Suspended"}}`, false},
		{"resuming without the right", "ops", `{"spec":{"state":"Active"}}`, true},
		{"resuming with it", "dev", `{"spec":{"state":"Active"}}`, false},
		{"revoking", "ops", `{"spec":{"state":"Revoked"}}`, false},
	} {
		args := []string{"patch", "apikey", "-n", "shop", "asked-for", "--as=" + step.user, "--type=merge", "-p", step.patch}
		if step.refused {
			if text := w.refused(t, "", args...); !strings.Contains(text, `user "`+step.user+`" may not grant`) {
				t.Errorf("%s: refused with %s", step.name, text)
			}
			continue
		}
		if _, err := w.try(t.Context(), "", args...); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	w.do(t, "", "delete", "apikey", "-n", "shop", "asked-for", "--as=ops")
}

// refused runs kubectl and returns why it was refused.
func (w *workloads) refused(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := w.try(t.Context(), stdin, args...)
	if err == nil {
		t.Fatalf("kubectl %s: got %s, want a refusal", strings.Join(args, " "), out)
	}
	return err.Error()
}

// testNoAdmission: with all controllers gone nobody can grant anything. All else goes on.
func testNoAdmission(t *testing.T, w *workloads) {
	for _, name := range []string{"to-suspend", "to-delete"} {
		w.issue(t, name)
	}
	w.do(t, "", "scale", "-n", w.system, "deployment/apikey-operator-controller", "--replicas=0")
	until(t, "the controllers are gone", patience, func() (bool, string) {
		pods := w.allOperatorPods(t, "controller")
		return len(pods) == 0, fmt.Sprintf("%d are left", len(pods))
	})
	n := w.counts(t, "caller")

	started := time.Now()
	for what, args := range map[string][]string{
		"creating": {"create", "-f", "-"},
		"resuming": {"patch", "apikey", "-n", "shop", "before-suspended", "--type=merge", "-p", `{"spec":{"state":"Active"}}`},
		"widening": {"patch", "apikey", "-n", "shop", "to-suspend", "--type=merge", "-p", `{"spec":{"scopes":["*"]}}`},
		"an API":   {"patch", "protectedapi", "-n", "apis", "billoget", "--type=merge", "-p", `{"spec":{"plainHTTP":"Deny"}}`},
	} {
		if text := w.refused(t, keyOf("nobody-looks", "READ_BUDGETS"), args...); !strings.Contains(text, "failed calling webhook") {
			t.Errorf("%s: refused with %s", what, text)
		}
	}
	t.Logf("refused four times within %.1f s", time.Since(started).Seconds())
	w.do(t, "", "patch", "apikey", "-n", "shop", "to-suspend", "--type=merge", "-p", `{"spec":{"state":"Suspended"}}`)
	w.do(t, "", "annotate", "apikey", "-n", "shop", "to-suspend", "note=nothing-of-spec")
	w.do(t, "", "delete", "apikey", "-n", "shop", "to-delete")
	w.do(t, "", "create", "configmap", "-n", "shop", "other-kinds")
	w.do(t, "", "delete", "configmap", "-n", "shop", "other-kinds")
	w.calls(t, "caller", 40)
	if now := w.counts(t, "caller"); now.NotAllowed() != n.NotAllowed() {
		t.Errorf("caller: was %s, is %s; want no request denied", summary(n), summary(now))
	}

	started = time.Now()
	w.do(t, "", "scale", "-n", w.system, "deployment/apikey-operator-controller", "--replicas=2")
	w.admits(t, started)
	w.rolloutOperator(t)
	w.do(t, "", "delete", "apikey", "-n", "shop", "to-suspend")
	if pods := w.operatorPods(t, "controller"); len(pods) != 2 || pods[0].Status.Phase != corev1.PodRunning {
		t.Errorf("%d controllers run, want 2", len(pods))
	}
	w.sameAs(t, w.before)
}
