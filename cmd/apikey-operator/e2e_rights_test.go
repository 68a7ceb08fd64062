package main

import (
	"bytes"
	"net/http"
	"os"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/rights"
)

// unseen are the rights that leave no request of their own in the audit log of these
// tests, and why they are needed.
var unseen = map[string]string{
	"apikey-operator-controller: update apikeys/finalizers.apikey-operator.dev everywhere":                       "asked by the admission plugin OwnerReferencesPermissionEnforcement, where it is on, and not by a request",
	"apikey-operator-controller: patch events.events.k8s.io everywhere":                                          "an event that happens again within minutes",
	"apikey-operator-controller: patch events in apikey-operator-system":                                         "an event of leader election that happens again",
	"apikey-operator-controller: delete leases.coordination.k8s.io in apikey-operator-system":                    "the Lease of an auth server that was silent for a day: TestSweeper",
	"apikey-operator-controller: list apikeys.apikey-operator.dev everywhere":                                    noStream,
	"apikey-operator-controller: list protectedapis.apikey-operator.dev everywhere":                              noStream,
	"apikey-operator-controller: list secrets everywhere":                                                        noStream,
	"apikey-operator-controller: list namespaces everywhere":                                                     noStream,
	"apikey-operator-certificates: list secrets in apikey-operator-system":                                       noStream,
	"apikey-operator-certificates: list validatingwebhookconfigurations.admissionregistration.k8s.io everywhere": noStream,
	"apikey-operator-authserver: list apikeys.apikey-operator.dev everywhere":                                    noStream,
	"apikey-operator-authserver: list protectedapis.apikey-operator.dev everywhere":                              noStream,
	"apikey-operator-authserver: list namespaces everywhere":                                                     noStream,
}

const noStream = "an API server that can't stream a list to a watch (KEP-3157, from Kubernetes 1.34)"

// testRights: every right that the shipped roles grant was used by one of the tests
// before, and nothing that was asked for was refused.
func testRights(t *testing.T, w *whole) {
	manifest, err := w.Kubectl(t.Context(), "", "kustomize", "config/default")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(w.Cluster.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	const namespace = "apikey-operator-system"
	for _, account := range []string{"apikey-operator-controller", "apikey-operator-authserver"} {
		granted, err := rights.Granted(manifest, namespace, account)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := rights.Asked(bytes.NewReader(log), "system:serviceaccount:"+namespace+":"+account)
		if err != nil {
			t.Fatal(err)
		}
		if len(granted) < 5 || len(asked) < 100 {
			t.Fatalf("%s has %d rights and asked %d times: this test looks at too little", account, len(granted), len(asked))
		}
		for _, right := range rights.Unused(granted, asked) {
			if why := unseen[right.String()]; why != "" {
				t.Logf("not seen: %s: %s", right, why)
				continue
			}
			t.Errorf("never used: %s", right)
		}
		for _, q := range asked {
			if q.Status == http.StatusForbidden {
				t.Errorf("%s was refused: %s", account, q)
			}
		}
		t.Logf("%s: %d rights, %d requests", account, len(granted), len(asked))
	}
}
