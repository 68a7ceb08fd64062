package compile

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// What is enforced: spec where it says something, and else what was resolved at
// first issue. The API of today isn't asked.
func TestDefaultsFillUpSpec(t *testing.T) {
	own, byDefault := metav1.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), metav1.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	five := &v1alpha1.RateLimit{Requests: 5, Period: "1s", Algorithm: v1alpha1.FixedWindow}
	bucket := &v1alpha1.RateLimit{Requests: 1000, Period: "1h", Algorithm: v1alpha1.TokenBucket, Burst: 50}
	limitOfFive := ratelimit.Limit{Requests: 5, Period: time.Second}
	limitOfBucket := ratelimit.Limit{Requests: 1000, Period: time.Hour, Algorithm: ratelimit.TokenBucket, Burst: 50}
	for _, row := range []struct {
		name      string
		spec      v1alpha1.APIKeySpec
		effective *v1alpha1.EffectiveDefaults
		end       time.Time // zero: never
		limit     ratelimit.Limit
		err       string
	}{
		{name: "neither"},
		{name: "spec only", spec: v1alpha1.APIKeySpec{ExpiresAt: &own, RateLimit: five}, end: own.Time, limit: limitOfFive},
		{name: "defaults only", effective: &v1alpha1.EffectiveDefaults{ExpiresAt: &byDefault, RateLimit: bucket}, end: byDefault.Time, limit: limitOfBucket},
		{
			name: "spec wins, earlier or stricter", spec: v1alpha1.APIKeySpec{ExpiresAt: &own, RateLimit: five},
			effective: &v1alpha1.EffectiveDefaults{ExpiresAt: &byDefault, RateLimit: bucket}, end: own.Time, limit: limitOfFive,
		},
		{
			name: "spec wins, later or looser", spec: v1alpha1.APIKeySpec{ExpiresAt: &byDefault, RateLimit: bucket},
			effective: &v1alpha1.EffectiveDefaults{ExpiresAt: &own, RateLimit: five}, end: byDefault.Time, limit: limitOfBucket,
		},
		{
			name: "each for itself: the end", spec: v1alpha1.APIKeySpec{RateLimit: five},
			effective: &v1alpha1.EffectiveDefaults{ExpiresAt: &byDefault, RateLimit: bucket}, end: byDefault.Time, limit: limitOfFive,
		},
		{
			name: "each for itself: the limit", spec: v1alpha1.APIKeySpec{ExpiresAt: &own},
			effective: &v1alpha1.EffectiveDefaults{ExpiresAt: &byDefault, RateLimit: bucket}, end: own.Time, limit: limitOfBucket,
		},
		{name: "no default of this kind", effective: &v1alpha1.EffectiveDefaults{RateLimit: bucket}, limit: limitOfBucket},
		{
			name: "a limit that can't be counted is an error, not none", spec: v1alpha1.APIKeySpec{RateLimit: &v1alpha1.RateLimit{Requests: 1, Period: "soon"}},
			err: `spec.rateLimit: 1 requests in "soon" can't be counted`,
		},
		{
			name: "also a default", effective: &v1alpha1.EffectiveDefaults{RateLimit: &v1alpha1.RateLimit{Requests: 0, Period: "1s"}},
			err: `status.effective.rateLimit: 0 requests in "1s" can't be counted`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := Key(&v1alpha1.APIKey{Spec: row.spec, Status: v1alpha1.APIKeyStatus{Effective: row.effective}})
			said := ""
			if got.Err != nil {
				said = got.Err.Error()
			}
			if got.ExpiresAt != keyring.At(row.end) || got.Limit != row.limit || said != row.err {
				t.Errorf("ends %v, limit %+v, error %q", got.ExpiresAt, got.Limit, said)
			}
		})
	}
}
