//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// helm runs Helm, whose files are the test's.
func (w *workloads) helm(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, parts.Need(t, parts.Helm), args...)
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} {
		cmd.Env = append(cmd.Env, name+"="+t.TempDir())
	}
	cmd.Env = append(os.Environ(), cmd.Env...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		t.Fatalf("helm %s: %v: %s", strings.Join(args, " "), err, problem.String())
	}
	return out.String()
}

// chart is what `make dist` has packaged last.
func chart(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../../dist/apikey-operator-*.tgz")
	if err != nil {
		t.Fatal(err)
	}
	newest, at := "", time.Time{}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.ModTime().After(at) {
			newest, at = file, info.ModTime()
		}
	}
	if newest == "" {
		t.Fatal("there is no chart in dist: make dist")
	}
	return newest
}

// restrictedNamespace makes a namespace for a release, as docs/install.md says.
func (w *workloads) restrictedNamespace(t *testing.T, name string) {
	t.Helper()
	w.do(t, "", "create", "namespace", name)
	w.do(t, "", "label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
}

// testHelm installs the chart where the kinds and the keys of an installation by
// kubectl are left, and takes it away again.
func testHelm(t *testing.T, w *workloads) {
	w.skipAudit(t)
	w.restrictedNamespace(t, w.system)
	started := time.Now()
	w.helm(t.Context(), t, "install", "apikey-operator", chart(t), "-n", w.system, "--take-ownership", "--force-conflicts")
	w.releases = append(w.releases, w.system)
	w.admits(t, started)
	w.rolloutOperator(t)
	t.Logf("rolled out %.1f s after helm install", time.Since(started).Seconds())
	w.wantEnforced(t)
	w.wantCertificates(t)
	for _, p := range w.operatorPods(t, "") {
		if problems := unrestricted(p); len(problems) != 0 {
			t.Errorf("%s: %s", p.Name, strings.Join(problems, "; "))
		}
	}
	wantUntrusted(t, w)

	w.helm(t.Context(), t, "upgrade", "apikey-operator", chart(t), "-n", w.system, "--force-conflicts",
		"--set", "trustedCallers={"+w.podBlock(t)+"}", "--set", "authserver.replicas=3")
	w.rolloutOperator(t)
	if n := len(w.operatorPods(t, "authserver")); n != 3 {
		t.Errorf("%d auth servers, want the 3 of the changed values", n)
	}
	w.works(t, "over Helm's")
	w.issue(t, "by-helm")
	w.sameAs(t, w.before)
	w.wantNothingRefused(t, w.helm(t.Context(), t, "get", "manifest", "apikey-operator", "-n", w.system))

	before := w.held(t)
	w.helm(t.Context(), t, "uninstall", "apikey-operator", "-n", w.system, "--wait")
	w.releases = nil
	w.wantNothingLeft(t, w.system)
	w.sameAs(t, before)
}

// works has the proxy ask the auth servers that are there now, and waits until the
// key that the version before issued opens the API again.
func (w *workloads) works(t *testing.T, what string) {
	t.Helper()
	proxy{name: "proxy", recipe: recipeGRPC, spread: spread}.restart(t, w)
	n := w.allowedAgain(t, "before", 40)
	t.Logf("%s: allowed again after %s", what, summary(n))
}

// wantUntrusted asks as the API server does: from an address that nobody named.
func wantUntrusted(t *testing.T, w *workloads) {
	t.Helper()
	p := w.operatorPods(t, "authserver")[0]
	answer, err := w.get(t.Context(), p.Namespace, p.Name, "https", "9002", "/authorize/caddy/apis/billoget")
	if err == nil {
		t.Errorf("got %s, want a denial", answer)
	}
	if n := w.asked(t, p, "caller_not_trusted"); n == 0 {
		t.Errorf("got %v, and no request with reason caller_not_trusted in the metrics", err)
	}
}

// ownNamespace is where a release for two namespaces is.
const ownNamespace = "keys-operator"

// testNamespaced: the operator for two namespaces works with Roles, and knows of no
// other.
func testNamespaced(t *testing.T, w *workloads) {
	w.skipAudit(t)
	w.restrictedNamespace(t, ownNamespace)
	w.do(t, "", "create", "namespace", "third")
	w.do(t, strings.Replace(keyOf("ignored", "READ_BUDGETS"), "namespace: shop", "namespace: third", 1), "apply", "-f", "-")
	w.helm(t.Context(), t, "install", "keys", chart(t), "-n", ownNamespace, "--set", "namespaces={shop,apis}", "--set", "crds.enabled=false",
		"--set", "trustedCallers={"+w.podBlock(t)+"}")
	w.releases = append(w.releases, ownNamespace)
	w.system = ownNamespace
	defer func() { w.system = systemNamespace }()
	w.rolloutOperator(t)
	for line := range strings.Lines(w.do(t, "", "get", "clusterroles,clusterrolebindings", "-o", "name")) {
		if strings.Contains(line, "apikey") || strings.Contains(line, ownNamespace) {
			t.Errorf("%s is there, want Roles only", strings.TrimSpace(line))
		}
	}
	if bound := w.do(t, "", "get", "clusterrolebindings", "-o", "jsonpath={.items[*].subjects[?(@.namespace=='"+ownNamespace+"')].name}"); bound != "" {
		t.Errorf("service accounts %s have a ClusterRoleBinding", bound)
	}
	w.works(t, "with Roles in two namespaces")
	w.issue(t, "by-roles")
	w.sameAs(t, w.before)

	ignored := &v1alpha1.APIKey{}
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "third", Name: "ignored"}, ignored); err != nil {
		t.Fatal(err)
	}
	if ignored.Status.ObservedGeneration != 0 || len(ignored.Status.Keys) != 0 {
		t.Errorf("the APIKey in a third namespace has status %+v, want none from us", ignored.Status)
	}
	if secrets := w.do(t, "", "get", "secrets", "-n", "third", "-o", "name"); secrets != "" {
		t.Errorf("the third namespace has %s", secrets)
	}
	w.wantNothingRefused(t, w.helm(t.Context(), t, "get", "manifest", "keys", "-n", ownNamespace))

	before := w.held(t)
	w.helm(t.Context(), t, "uninstall", "keys", "-n", ownNamespace, "--wait")
	w.releases = nil
	w.wantNothingLeft(t, ownNamespace)
	w.sameAs(t, before)
	w.do(t, "", "delete", "namespace", ownNamespace, "third")
}

// removeReleases is for a failed test on a cluster that stays.
func (w *workloads) removeReleases(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, namespace := range w.releases {
		out, err := w.try(ctx, "", "delete", "namespace", namespace, "--timeout="+patience.String())
		t.Log(fmt.Sprint("deleted the namespace of a release that is left: ", out, err))
	}
	if _, err := w.try(ctx, "", "delete", "validatingwebhookconfigurations,clusterrolebindings,clusterroles", "-l", ours); err != nil {
		t.Error(err)
	}
}
