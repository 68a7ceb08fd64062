package authn_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

func TestDecisionsAreCountedByDoorAndReason(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics := authn.NewMetrics(registry)
	var answer auth.Reason
	next := &authntest.Scripted{Answer: func(*auth.Request) auth.Verdict { return authntest.Verdict(answer) }}
	envoy, nginx := metrics.Door("ext_authz", next), metrics.Door("nginx", next)
	for _, answer = range []auth.Reason{auth.Allowed, auth.Allowed, auth.RevokedKey} {
		r := &auth.Request{Path: "/api/public/budgets"}
		if v := envoy.Authenticate(r); v.Reason != answer || v.Key == nil {
			t.Errorf("counting changed the verdict: %+v", v)
		}
	}
	answer = auth.RateLimited
	nginx.Authenticate(&auth.Request{})
	if asked := len(next.Asked()); asked != 4 {
		t.Errorf("4 requests were asked %d times", asked)
	}

	want := []string{
		"apikey_operator_auth_duration_seconds{} 4",
		"apikey_operator_auth_requests_total{door=ext_authz,reason=allowed} 2",
		"apikey_operator_auth_requests_total{door=ext_authz,reason=revoked_key} 1",
		"apikey_operator_auth_requests_total{door=nginx,reason=rate_limited} 1",
	}
	if got := gather(t, registry); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// gather writes every metric with its labels and its count.
func gather(t *testing.T, registry *prometheus.Registry) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			count := m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			all = append(all, fmt.Sprintf("%s{%s} %v", f.GetName(), strings.Join(labels, ","), count))
		}
	}
	return all
}

// Nothing about a key may be in a metric: not what it is, and not whose.
func TestMetricsHoldNothingOfAKey(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics := authn.NewMetrics(registry)
	reasons := append(authntest.Reasons(t), auth.Allowed)
	for _, reason := range reasons {
		v := authntest.Verdict(reason)
		metrics.Door("nginx", authntest.Always(v)).Authenticate(&auth.Request{Path: "/?api_key=bk_live_1234"})
	}
	want := []string{fmt.Sprintf("apikey_operator_auth_duration_seconds{} %d", len(reasons))}
	for _, reason := range slices.Sorted(slices.Values(reasons)) {
		want = append(want, fmt.Sprintf("apikey_operator_auth_requests_total{door=nginx,reason=%s} 1", reason))
	}
	if got := gather(t, registry); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWrongKeyAddressesAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	n := 0
	authn.WrongKeyAddresses(registry, func() int { return n })
	for _, n = range []int{0, 41} {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if len(families) != 1 || families[0].GetName() != "apikey_operator_wrong_key_addresses" || families[0].GetMetric()[0].GetGauge().GetValue() != float64(n) {
			t.Errorf("got %v, want a gauge of %d", families, n)
		}
	}
}
