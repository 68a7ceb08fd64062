//go:build e2e

package e2e

import (
	"encoding/base64"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// testRights looks for what the API server refused the operator.
func testRights(t *testing.T, w *workloads) {
	for place, text := range w.logs(t) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(place, systemNamespace+"/") && (strings.Contains(line, "forbidden") || strings.Contains(line, "Forbidden")) {
				t.Errorf("%s: %s", place, line)
			}
		}
	}
	for _, p := range w.operatorPods(t, "") {
		if n := p.Status.ContainerStatuses[0].RestartCount; n != 0 {
			t.Errorf("%s was restarted %d times", p.Name, n)
		}
	}
}

// testRadioactive looks for every raw key that was issued, plain and in Base64, in
// everything that was written anywhere but in Secrets.
func testRadioactive(t *testing.T, w *workloads) {
	// The key of before is deleted: another, so that there is a status to look at.
	w.do(t, `{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: shopify, namespace: shop}, spec: {
	  apiRef: {name: billoget, namespace: apis}, environment: live, scopes: [READ_BUDGETS]}}`, "apply", "-f", "-")
	w.do(t, "", "wait", "-n", "shop", "--for=jsonpath={.status.secretPhase}=Present", "--timeout="+patience.String(), "apikey/shopify")
	w.raw = append(w.raw, w.rawKey(t))

	written := w.logs(t)
	for _, kind := range []string{
		"apikeys,protectedapis", "events", "events.events.k8s.io", "leases", "configmaps", "pods,deployments,services,replicasets",
	} {
		written[kind] = w.do(t, "", "get", kind, "-A", "-o", "yaml", "--show-managed-fields")
	}
	if len(w.raw) != rotations+2 || len(written) < 14 {
		t.Fatalf("only %d keys and %d places: this test looks at too little", len(w.raw), len(written))
	}
	for i, raw := range w.raw {
		for place, text := range written {
			if strings.Contains(text, raw) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(raw))) {
				t.Errorf("raw key %d is in %s", i+1, place)
			}
		}
	}
	t.Logf("%d raw keys looked for in %d places", len(w.raw), len(written))
}

// logs are those of all Pods, by namespace and name.
func (w *workloads) logs(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var pods corev1.PodList
	if err := w.List(t.Context(), &pods); err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		text, err := w.pods.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: p.Spec.Containers[0].Name}).DoRaw(t.Context())
		if err != nil && p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil {
			t.Fatal(err)
		}
		out[p.Namespace+"/"+p.Name] = string(text)
	}
	return out
}
