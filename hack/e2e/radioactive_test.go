//go:build e2e

package e2e

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/e2e/counts"
)

// testRadioactive looks for every raw key that there ever was, plain and in Base64, in
// everything that was written anywhere but in Secrets.
func testRadioactive(t *testing.T, w *workloads) {
	written := w.written()
	for _, kind := range []string{
		"apikeys,protectedapis", "events", "events.events.k8s.io", "leases", "configmaps", "pods,deployments,services,replicasets",
		"validatingwebhookconfigurations",
	} {
		written[kind] = w.do(t, "", "get", kind, "-A", "-o", "yaml", "--show-managed-fields")
	}
	// So it is looked at where something of a key is written.
	if raw := string(w.secret(t, "shop", "before").Data["api-key"]); !strings.Contains(written["apikeys,protectedapis"], counts.Digest(raw)) {
		t.Error("the digest of a key is not in what was looked at")
	}
	w.wantNoRawKey(t, written)
}

// testLogs looks at the logs of all Pods that ever ran, of both versions and of
// containers that were started again.
func testLogs(t *testing.T, w *workloads) {
	w.wantNoRawKey(t, w.written())
}

func (w *workloads) wantNoRawKey(t *testing.T, written map[string]string) {
	t.Helper()
	for place, err := range w.unread() {
		t.Errorf("the log of %s couldn't be read: %v", place, err)
	}
	keys, operators, size := w.rawKeys(), 0, 0
	for place, text := range written {
		size += len(text)
		if strings.HasPrefix(place, systemNamespace+"/") && text != "" {
			operators++
		}
	}
	if len(keys) < rotations+6 || operators < 12 {
		t.Fatalf("only %d keys and %d logs of the operator: this test looks at too little", len(keys), operators)
	}
	for _, raw := range w.raw {
		if keys[raw] == "" {
			t.Errorf("a key of shop/shopify was not seen in its Secret")
		}
	}
	for raw, of := range keys {
		for place, text := range written {
			if strings.Contains(text, raw) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(raw))) {
				t.Errorf("a raw key of %s is in %s", of, place)
			}
		}
	}
	t.Logf("%d raw keys looked for in %d places, %d of them logs of the operator, %d KiB", len(keys), len(written), operators, size>>10)
}
