//go:build e2e

package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/rights"
)

// testRights looks for what the API server refused the operator, and says what nobody
// asked it for.
func testRights(t *testing.T, w *workloads) {
	for place, text := range w.written() {
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
	shipped, err := os.ReadFile(filepath.Join("../..", manifest))
	if err != nil {
		t.Fatal(err)
	}
	w.wantNothingRefused(t, string(shipped))
}

// auditLog is what was asked since it was looked at before; nothing but on a node of
// run.sh.
func (w *workloads) auditLog(t *testing.T) []byte {
	t.Helper()
	if os.Getenv("E2E_NODE") == "" {
		t.Log("not on a node of run.sh: no audit log")
		return nil
	}
	log, err := os.ReadFile(filepath.Join(os.Getenv("E2E_LOGS"), "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	log = log[:bytes.LastIndexByte(log, '\n')+1] // the last line is being written
	since := log[w.audited:]
	w.audited = len(log)
	return since
}

// skipAudit passes over what was refused while the operator was taken away.
func (w *workloads) skipAudit(t *testing.T) { w.auditLog(t) }

// wantNothingRefused looks at what was asked since the audit log was looked at before.
func (w *workloads) wantNothingRefused(t *testing.T, manifest string) {
	t.Helper()
	since := w.auditLog(t)
	if since == nil {
		return
	}
	for _, account := range []string{"apikey-operator-controller", "apikey-operator-authserver"} {
		granted, err := rights.Granted(manifest, w.system, account)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := rights.Asked(bytes.NewReader(since), "system:serviceaccount:"+w.system+":"+account)
		if err != nil {
			t.Fatal(err)
		}
		if len(granted) < 5 || len(asked) < 5 {
			t.Errorf("%s has %d rights and asked %d times: this test looks at too little", account, len(granted), len(asked))
		}
		var refused []string
		for _, q := range asked {
			if q.Status == http.StatusForbidden && !w.probes[q] {
				refused = append(refused, q.String())
			}
		}
		slices.Sort(refused)
		for _, q := range slices.Compact(refused) {
			t.Errorf("%s was refused: %s", account, q)
		}
		unused := rights.Unused(granted, asked)
		t.Logf("%s: %d rights, %d requests, %d rights not used here", account, len(granted), len(asked), len(unused))
		for _, right := range unused {
			t.Logf("not used here: %s", right)
		}
	}
}
