package policy

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// TestEndCertain: an end by default goes with a key that nobody has had.
func TestEndCertain(t *testing.T) {
	type phases = []v1alpha1.KeyPhase
	for _, row := range []struct {
		name      string
		own       bool
		keys      phases
		delivered bool
		certain   bool
	}{
		{name: "not issued"},
		{name: "not issued, with an end of its own", own: true, certain: true},
		{name: "on its way", keys: phases{v1alpha1.KeyPending}},
		{name: "on its way, with an end of its own", own: true, keys: phases{v1alpha1.KeyPending}, certain: true},
		{name: "lost on its way", keys: phases{v1alpha1.KeySuperseded}},
		{name: "all that is left is retired", keys: phases{v1alpha1.KeyRetiring}},
		{name: "delivered", keys: phases{v1alpha1.KeyCurrent}, delivered: true, certain: true},
		{name: "being rotated", keys: phases{v1alpha1.KeyPending, v1alpha1.KeyCurrent}, delivered: true, certain: true},
	} {
		k := &v1alpha1.APIKey{}
		if row.own {
			k.Spec.ExpiresAt = &metav1.Time{Time: time.Unix(0, 0)}
		}
		for _, p := range row.keys {
			k.Status.Keys = append(k.Status.Keys, v1alpha1.KeyVersion{Phase: p})
		}
		if delivered, certain := Delivered(k), EndCertain(k); delivered != row.delivered || certain != row.certain {
			t.Errorf("%s: delivered %v, certain %v; want %v, %v", row.name, delivered, certain, row.delivered, row.certain)
		}
	}
}
