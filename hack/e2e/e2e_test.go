//go:build e2e

package e2e

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const systemNamespace = "apikey-operator-system"

// TestWorkloads runs its steps one after the other, each on what those before left.
func TestWorkloads(t *testing.T) {
	w := &workloads{cluster: connect(t), overlap: overlap(t)}
	t.Cleanup(func() { w.end(t) })
	for _, step := range []struct {
		name string
		test func(*testing.T, *workloads)
	}{
		{"the operator runs as Pods", testInstall},
		{"shipped, it believes no gateway", testUntrusted},
		{"a workload calls through a proxy", testTraffic},
		{"three rotations deny no request", testRotations},
		{"a file mounted by subPath keeps the old key", testSubPath},
		{"deleting the APIKey denies at once and collects the Secret", testDelete},
		// These two look at all that was done before.
		{"no raw key outside Secrets", testRadioactive},
		{"the shipped rights are enough", testRights},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.test(t, w) }) {
			t.Fatal("the steps after this one need it")
		}
	}
}

// workloads is the cluster with what the steps tell each other.
type workloads struct {
	*cluster
	overlap time.Duration
	// raw are the raw keys in the order of their issue.
	raw []string
	// ended is until when the first of them was accepted.
	ended time.Time
	// applied are manifests to be deleted in the end.
	applied []string
}

func overlap(t *testing.T) time.Duration {
	text := os.Getenv("E2E_OVERLAP")
	if text == "" {
		text = "3m"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal("E2E_OVERLAP:", err)
	}
	return d
}

// end shows what a failure left and deletes what was applied, unless run.sh takes
// the whole node down.
func (w *workloads) end(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	if t.Failed() {
		w.describe(ctx, t)
	}
	if os.Getenv("E2E_NODE") != "" {
		return
	}
	for i := len(w.applied) - 1; i >= 0; i-- {
		if _, err := w.try(ctx, "", "delete", "--ignore-not-found", "--timeout="+patience.String(), "-f", w.applied[i]); err != nil {
			t.Error(err)
		}
	}
}

func testInstall(t *testing.T, w *workloads) {
	there := w.do(t, "", "get", "--ignore-not-found", "-o", "name", "-f", "dist/install.yaml") +
		w.do(t, "", "get", "--ignore-not-found", "-o", "name", "namespace", "apis", "shop")
	if there != "" {
		t.Fatalf("the tests would delete what is in this cluster already: %s", strings.Fields(there))
	}
	w.applied = append(w.applied, "dist/install.yaml")
	started := time.Now()
	w.do(t, "", "apply", "--server-side", "-f", "dist/install.yaml")
	w.rollout(t, systemNamespace, "deployment/apikey-operator-controller")
	w.rollout(t, systemNamespace, "deployment/apikey-operator-authserver")
	t.Logf("ready %.1f s after kubectl apply", time.Since(started).Seconds())

	pods := w.operatorPods(t, "")
	if len(pods) != 4 {
		t.Errorf("the operator has %d Pods, want 2 controllers and 2 auth servers", len(pods))
	}
	image := os.Getenv("IMAGE")
	for _, p := range pods {
		if got := p.Spec.Containers[0].Image; got != image {
			t.Errorf("%s runs from %s, want IMAGE=%s", p.Name, got, image)
		}
	}
}

// testUntrusted asks as the API server does: from an address that nobody named.
func testUntrusted(t *testing.T, w *workloads) {
	p := w.operatorPods(t, "authserver")[0]
	answer, err := w.get(t.Context(), p.Namespace, p.Name, "9002", "/authorize/caddy/apis/billoget")
	if err == nil {
		t.Errorf("got %s, want a denial", answer)
	}
	if n := w.asked(t, p, "caller_not_trusted"); n == 0 {
		t.Errorf("got %v, and no request with reason caller_not_trusted in the metrics", err)
	}
}

// testTraffic sets everything up: gateways are trusted, an API is protected, a key
// is issued, and two Pods call with it.
func testTraffic(t *testing.T, w *workloads) {
	w.applied = append(w.applied, "hack/e2e/testdata/api.yaml")
	w.do(t, "", "apply", "-f", "hack/e2e/testdata/api.yaml", "-f", "hack/e2e/testdata/upstream.yaml")
	w.rollout(t, "apis", "deployment/upstream")
	w.do(t, "", "set", "env", "-n", systemNamespace, "deployment/apikey-operator-authserver", "TRUSTED_CALLERS="+w.podBlock(t))
	w.rollout(t, systemNamespace, "deployment/apikey-operator-authserver")
	w.startProxy(t)

	key := `{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: shopify, namespace: shop}, spec: {
	  apiRef: {name: billoget, namespace: apis}, environment: live, scopes: [READ_BUDGETS], rotation: {overlap: ` + w.overlap.String() + `}}}`
	w.do(t, key, "apply", "-f", "-")
	callers, err := os.ReadFile("testdata/callers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// At once, as kubectl apply of both in one file would: the Pods wait for the Secret.
	w.do(t, strings.ReplaceAll(string(callers), "PROXY", w.service(t, "apis", "proxy").Spec.ClusterIP), "apply", "-f", "-")
	w.do(t, "", "wait", "-n", "shop", "--for=condition=Ready", "--timeout="+patience.String(), "pod/caller", "pod/subpath")
	w.raw = append(w.raw, w.rawKey(t))
	for _, pod := range []string{"caller", "subpath"} {
		w.calls(t, pod, 100)
		w.wantAllAllowed(t, pod)
	}
}

// podBlock is a block that the cluster's Pods are in.
func (w *workloads) podBlock(t *testing.T) string {
	t.Helper()
	addr, err := netip.ParseAddr(w.operatorPods(t, "authserver")[0].Status.PodIP)
	if err != nil {
		t.Fatal(err)
	}
	bits := 16
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked().String()
}

func (w *workloads) rollout(t *testing.T, namespace, name string) {
	t.Helper()
	w.do(t, "", "rollout", "status", "-n", namespace, name, "--timeout="+patience.String())
}

// operatorPods are the Pods of a component, "" for all, but for those being replaced.
func (w *workloads) operatorPods(t *testing.T, component string) []corev1.Pod {
	t.Helper()
	labels := client.MatchingLabels{"app.kubernetes.io/name": "apikey-operator"}
	if component != "" {
		labels["app.kubernetes.io/component"] = component
	}
	var list corev1.PodList
	if err := w.List(t.Context(), &list, client.InNamespace(systemNamespace), labels); err != nil {
		t.Fatal(err)
	}
	var pods []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			pods = append(pods, p)
		}
	}
	if len(pods) == 0 {
		t.Fatalf("no Pods of the operator's %s", component)
	}
	return pods
}
