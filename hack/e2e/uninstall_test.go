//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// ours selects what belongs to the operator.
const ours = "app.kubernetes.io/name=apikey-operator"

// documented runs the commands that docs/install.md has after a sentence.
func (w *workloads) documented(t *testing.T, sentence string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), sentence)
	_, block, begins := strings.Cut(after, "```sh\n")
	commands, _, ends := strings.Cut(block, "```")
	if !found || !begins || !ends {
		t.Fatalf("docs/install.md has no commands after %q", sentence)
	}
	t.Logf("as docs/install.md says:\n%s", commands)
	if out, err := w.shell(t.Context(), "set -e\n"+commands); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// shell runs what people type, with the tests' kubectl.
func (c *cluster) shell(ctx context.Context, commands string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", commands)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(c.kubectl)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// testUninstall takes the operator away, and keeps the kinds.
func testUninstall(t *testing.T, w *workloads) {
	before := w.held(t)
	w.documented(t, "To take the operator away and keep the keys")
	w.wantNothingLeft(t, w.system)
	w.sameAs(t, before)
}

// wantNothingLeft: of the operator only the kinds are there.
func (w *workloads) wantNothingLeft(t *testing.T, namespace string) {
	t.Helper()
	for line := range strings.Lines(w.do(t, "", "get", "clusterroles,clusterrolebindings,validatingwebhookconfigurations", "-o", "name")) {
		if strings.Contains(line, "apikey") {
			t.Errorf("%s is left", strings.TrimSpace(line))
		}
	}
	until(t, "the operator's Pods are gone", patience, func() (bool, string) {
		var pods corev1.PodList
		if err := w.List(t.Context(), &pods, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		return len(pods.Items) == 0, fmt.Sprintf("%d are left", len(pods.Items))
	})
	if left := w.do(t, "", "get", "all,roles,rolebindings,serviceaccounts,networkpolicies,poddisruptionbudgets", "-A", "-l", ours, "-o", "name"); left != "" {
		t.Errorf("left are %s", strings.Fields(left))
	}
}

// testDeleteKinds: without the kinds there are no keys, and their Secrets are
// collected.
func testDeleteKinds(t *testing.T, w *workloads) {
	secrets := func() int {
		var list corev1.SecretList
		if err := w.List(t.Context(), &list, client.HasLabels{v1alpha1.LabelAPIKeyUID}); err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	before := secrets()
	if before == 0 {
		t.Fatal("there are no Secrets to be collected")
	}
	started := time.Now()
	w.documented(t, "To take away the keys as well")
	until(t, "the kinds are gone", patience, func() (bool, string) {
		out := w.do(t, "", "get", "crd", "-o", "name")
		return !strings.Contains(out, "apikey-operator.dev"), out
	})
	until(t, "the Secrets are collected", patience, func() (bool, string) {
		n := secrets()
		return n == 0, fmt.Sprintf("%d of %d are left", n, before)
	})
	t.Logf("%d Secrets were collected within %.1f s", before, time.Since(started).Seconds())
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "before"}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Errorf("Secret shop/before: got %v, want it gone", err)
	}
}
