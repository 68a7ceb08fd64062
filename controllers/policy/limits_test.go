package policy

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// Of two keys that exceed a limit it can be told which does so by more.
func TestExcess(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	api := &v1alpha1.ProtectedAPISpec{KeyLimits: &v1alpha1.KeyLimits{
		MaxTTL: "24h", MaxRotationInterval: "10h", AllowedIPs: v1alpha1.Required, MaxRateLimit: &v1alpha1.MaxRateLimit{Requests: 10, Period: "1s"},
	}}
	excess := func(end time.Duration, interval, period v1alpha1.Duration) map[string]Excess {
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(now)}}
		if end > 0 {
			k.Spec.ExpiresAt = new(metav1.NewTime(now.Add(end)))
		}
		if interval != "" {
			k.Spec.Rotation = &v1alpha1.Rotation{Interval: interval}
		}
		if period != "" {
			k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 100, Period: period}
		}
		out := map[string]Excess{}
		for _, e := range Exceeded(k, api, now) {
			out[e.Field] = e
		}
		return out
	}
	missing, more, less, within := excess(0, "", ""), excess(72*time.Hour, "12h", "1s"), excess(48*time.Hour, "11h", "2s"), excess(24*time.Hour, "10h", "10s")
	for _, field := range []string{"spec.expiresAt", "spec.rotation.interval", "spec.rateLimit"} {
		if !missing[field].Missing() || more[field].Missing() || missing[field].By <= more[field].By || more[field].By <= less[field].By {
			t.Errorf("%s: %v, %v and %v, want each more than the next", field, missing[field], more[field], less[field])
		}
		if e, ok := within[field]; ok {
			t.Errorf("%s: %v, want none", field, e)
		}
	}
	const says = "spec.allowedIPs: required: list the addresses that may use the key (keyLimits.allowedIPs of the default API)"
	if got := missing["spec.allowedIPs"].String(); got != says {
		t.Errorf("%q, want %q", got, says)
	}
}

// Rates are compared exactly: requests to time, whatever the period.
func TestAtMost(t *testing.T) {
	for _, row := range []struct {
		requests   int32
		period     v1alpha1.Duration
		most       int32
		mostPeriod v1alpha1.Duration
		want       bool
	}{
		{1000, "1h", 1000, "1h", true},
		{1001, "1h", 1000, "1h", false},
		{24000, "24h", 1000, "1h", true},
		{24001, "24h", 1000, "1h", false},
		{1, "3s", 1, "3s", true},
		{1, "3s", 333, "1000s", false}, // 1/3 is more than 0.333
		{1, "3s", 334, "1000s", true},
		{1, "1s1ms", 1, "1s", true},
		{1, "1s", 1, "1s1ms", false},
		{60, "1h", 1, "1m", true},
		{1000000000, "720h", 1000000000, "720h", true},
		{1000000000, "719h59m59s999ms", 1000000000, "720h", false},
		{1000000000, "1s", 999999999, "1s", false},
		{1, "720h", 1000000000, "1s", true},
		{1000000000, "1s", 1, "720h", false},
		{1, "forever", 1000000000, "1s", false}, // can't be read: never allowed
		{1, "1s", 1000000000, "forever", false},
		{0, "1s", 1, "1s", false},
		{-1, "1s", 1, "1s", false},
	} {
		t.Run(fmt.Sprintf("%d per %s of %d per %s", row.requests, row.period, row.most, row.mostPeriod), func(t *testing.T) {
			if got := atMost(row.requests, row.period, &v1alpha1.MaxRateLimit{Requests: row.most, Period: row.mostPeriod}); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}
