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

	"github.com/apikey-operator/apikey-operator/hack/rights"
)

// systemNamespace is where dist/install.yaml puts the operator.
const systemNamespace = "apikey-operator-system"

// spread makes about a connection a second of two callers' requests.
const spread = 40

// TestWorkloads runs its steps one after the other, each on what those before left.
func TestWorkloads(t *testing.T) {
	c := connect(t)
	w := &workloads{cluster: c, recorder: record(t, c.pods), overlap: overlap(t), system: systemNamespace}
	t.Cleanup(func() { w.end(t) })
	for _, step := range []struct {
		name string
		test func(*testing.T, *workloads)
	}{
		{"the version before issues keys", testPrevious},
		{"an upgrade keeps them", testUpgrade},
		{"the operator runs as restricted Pods", testRestricted},
		{"a workload calls through a proxy", testTraffic},
		{"three rotations deny no request", testRotations},
		{"a file mounted by subPath keeps the old key", testSubPath},
		{"only who may issue grants", testAdmission},
		{"without admission nothing is granted, and all else works", testNoAdmission},
		{"rollouts, deletions and evictions fail no request", testDrain},
		{"deleting the APIKey denies at once and collects the Secret", testDelete},
		// These two look at all that was done before.
		{"no raw key outside Secrets", testRadioactive},
		{"the shipped rights are enough", testRights},
		{"uninstalling keeps the keys", testUninstall},
		{"Helm takes over the kinds", testHelm},
		{"Helm, with Roles in two namespaces only", testNamespaced},
		{"deleting the kinds deletes the keys", testDeleteKinds},
		{"no raw key in any log", testLogs},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.test(t, w) }) {
			t.Fatal("the steps after this one need it")
		}
	}
}

// workloads is the cluster with what the steps tell each other.
type workloads struct {
	*cluster
	*recorder
	overlap time.Duration
	// system is the operator's namespace.
	system string
	// before is what the version before had issued.
	before map[string]string
	// raw are the raw keys of the caller's APIKey in the order of their issue.
	raw []string
	// ended is until when the first of them was accepted.
	ended time.Time
	// applied are manifests to be deleted in the end, and releases the namespaces of
	// Helm's.
	applied, releases []string
	// audited is how much of the audit log was looked at, and probes are what the tests
	// asked in the operator's name.
	audited int
	probes  map[rights.Request]bool
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
	if dir := os.Getenv("E2E_LOGS"); dir != "" {
		if err := w.save(dir); err != nil {
			t.Error(err)
		}
	}
	if os.Getenv("E2E_NODE") != "" {
		return
	}
	w.removeReleases(ctx, t)
	for i := len(w.applied) - 1; i >= 0; i-- {
		if _, err := w.try(ctx, "", "delete", "--ignore-not-found", "--timeout="+patience.String(), "-f", w.applied[i]); err != nil {
			t.Error(err)
		}
	}
}

// testTraffic issues a key, and two Pods call with it.
func testTraffic(t *testing.T, w *workloads) {
	key := `{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: shopify, namespace: shop}, spec: {
	  apiRef: {name: billoget, namespace: apis}, environment: live, scopes: [READ_BUDGETS], rotation: {overlap: ` + w.overlap.String() + `}}}`
	w.do(t, key, "apply", "-f", "-")
	callers, err := os.ReadFile("testdata/callers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// At once, as kubectl apply of both in one file would: the Pods wait for the Secret.
	w.do(t, strings.ReplaceAll(string(callers), "PROXY_ADDRESS", w.service(t, "apis", "proxy").Spec.ClusterIP), "apply", "-f", "-")
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
	var pods corev1.PodList
	if err := w.List(t.Context(), &pods, client.InNamespace("apis"), client.MatchingLabels{"app": "upstream"}); err != nil {
		t.Fatal(err)
	}
	addr, err := netip.ParseAddr(pods.Items[0].Status.PodIP)
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

func (w *workloads) rolloutOperator(t *testing.T) {
	t.Helper()
	w.rollout(t, w.system, "deployment/apikey-operator-controller")
	w.rollout(t, w.system, "deployment/"+authServer)
}

// operatorPods are the Pods of a component, "" for all, but for those being replaced.
func (w *workloads) operatorPods(t *testing.T, component string) []corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	for _, p := range w.allOperatorPods(t, component) {
		if p.DeletionTimestamp == nil {
			pods = append(pods, p)
		}
	}
	if len(pods) == 0 {
		t.Fatalf("no Pods of the operator's %s", component)
	}
	return pods
}

func (w *workloads) allOperatorPods(t *testing.T, component string) []corev1.Pod {
	t.Helper()
	labels := client.MatchingLabels{"app.kubernetes.io/name": "apikey-operator"}
	if component != "" {
		labels["app.kubernetes.io/component"] = component
	}
	var list corev1.PodList
	if err := w.List(t.Context(), &list, client.InNamespace(w.system), labels); err != nil {
		t.Fatal(err)
	}
	return list.Items
}
