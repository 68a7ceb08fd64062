package protectedapi

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/hack/gitops"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// TestWaitedFor: what kstatus, Flux and Argo CD make of a ProtectedAPI.
func TestWaitedFor(t *testing.T) {
	judges, kind := gitops.Load(t, "../../config/samples/gitops"), v1alpha1.GroupVersion.WithKind("ProtectedAPI")
	for _, row := range []struct {
		name                string
		api                 keyring.API
		lost                []keyring.HostVerdict
		kstatus, flux, argo string
	}{
		{"accepted", keyring.API{}, nil, "Current", "Current", "Healthy"},
		{"a host of another", keyring.API{}, []keyring.HostVerdict{{Host: "a.dev"}}, "Current", "Current", "Healthy"},
		{"credentials that reach the upstream", keyring.API{Credentials: []keyring.Credential{{Place: keyring.Query, Name: "k"}}}, nil, "Current", "Current", "Healthy"},
		{"a selector that can't be read", keyring.API{Err: compile.SelectorError{Err: errors.New("no operator")}}, nil, "Failed", "Failed", "Degraded"},
		{"a spec that can't be used", keyring.API{Err: errors.New("spec.keyFormat: too weak")}, nil, "Failed", "Failed", "Degraded"},
	} {
		t.Run(row.name, func(t *testing.T) {
			api := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Name: "api", Generation: 7}}
			api.Spec.Hosts = []v1alpha1.Hostname{"a.dev"}
			if got := judges.Judge(t, api, kind); got.Flux != "Unknown" || got.Argo != "Progressing" {
				t.Errorf("not looked at yet: got %+v", got)
			}
			api.Status = status(observed{api: api, compiled: &row.api, lost: row.lost, now: now})
			if got := judges.Judge(t, api, kind); got.KStatus != row.kstatus || got.Flux != row.flux || got.Argo != row.argo {
				t.Errorf("got %+v, want %s, %s, %s", got, row.kstatus, row.flux, row.argo)
			}
			api.Generation++
			if got := judges.Judge(t, api, kind); got.KStatus != "InProgress" || got.Flux != "InProgress" || got.Argo != "Progressing" {
				t.Errorf("edited: got %+v", got)
			}
		})
	}
}
