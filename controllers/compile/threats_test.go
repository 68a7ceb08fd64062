package compile_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// TestStatusDecidesWhichKeysOnly: whoever writes status says which raw keys are
// accepted, and opens nothing that spec closes.
func TestStatusDecidesWhichKeysOnly(t *testing.T) {
	later := new(metav1.NewTime(noon.Add(24 * time.Hour)))
	forged := v1alpha1.APIKeyStatus{
		State: v1alpha1.StateActive, ObservedGeneration: 9, Hint: "ak_forged",
		Effective: &v1alpha1.EffectiveDefaults{ExpiresAt: later, RateLimit: &v1alpha1.RateLimit{Requests: 1_000_000, Period: "1s"}},
		Keys:      []v1alpha1.KeyVersion{{Digest: digest2.String(), Phase: v1alpha1.KeyCurrent}},
	}
	end := new(metav1.NewTime(noon))
	for name, set := range map[string]func(*v1alpha1.APIKey){
		"suspended":     func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.DesiredSuspended },
		"revoked":       func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.DesiredRevoked },
		"being deleted": func(k *v1alpha1.APIKey) { k.DeletionTimestamp = end },
		"active":        func(*v1alpha1.APIKey) {},
	} {
		k := apiKey()
		k.Spec = v1alpha1.APIKeySpec{
			APIRef: &v1alpha1.ProtectedAPIReference{Name: "a"}, Environment: "live", Project: "p", Owner: &v1alpha1.Owner{Email: "e@x"},
			Scopes: []v1alpha1.Scope{"A"}, AllowedIPs: []v1alpha1.IPBlock{"192.0.2.7"}, Attributes: map[string]v1alpha1.AttributeValue{"team": "t"},
			RateLimit: &v1alpha1.RateLimit{Requests: 1, Period: "1h"}, ExpiresAt: end,
		}
		set(k)
		before := compile.Key(k)
		k.Status = forged
		after := compile.Key(k)
		if diff := cmp.Diff(before, after, compilable, cmpopts.IgnoreFields(keyring.Key{}, "Versions")); diff != "" {
			t.Errorf("%s: status changes what spec says (-spec +with status)\n%s", name, diff)
		}
		if len(after.Versions) != 1 || after.Versions[0].Digest != digest2 {
			t.Errorf("%s: accepted are %+v", name, after.Versions)
		}
	}
}
