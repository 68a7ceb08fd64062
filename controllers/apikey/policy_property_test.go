package apikey

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
)

// govern changes what the API says of its keys.
func (m *model) govern() {
	m.api = v1alpha1.ProtectedAPISpec{}
	if m.rand.IntN(3) > 0 {
		m.api.KeyDefaults = &v1alpha1.KeyDefaults{TTL: v1alpha1.Duration(m.pick("5m", "1h30m", "24h"))}
	}
	if m.rand.IntN(3) == 0 {
		m.api.KeyLimits = &v1alpha1.KeyLimits{MaxTTL: v1alpha1.Duration(m.pick("1h", "24h"))}
	}
	m.note("API: defaults %+v, limits %+v", m.api.KeyDefaults, m.api.KeyLimits)
}

// checkDefaults demands of the next status that the defaults were resolved with
// the first key that could reach anybody, and are kept as long as there is one.
func (m *model) checkDefaults(next v1alpha1.APIKeyStatus) {
	m.t.Helper()
	before := m.key.Status
	kept := slices.ContainsFunc(before.Keys, func(old v1alpha1.KeyVersion) bool {
		return slices.ContainsFunc(next.Keys, func(v v1alpha1.KeyVersion) bool { return v.Digest == old.Digest })
	})
	if kept && !equality.Semantic.DeepEqual(before.Effective, next.Effective) {
		m.fail("the defaults of an issued key change from %q to %q", effectiveOf(before, m.now), effectiveOf(next, m.now))
	}
	if len(next.Keys) == 0 && next.Effective != nil {
		m.fail("never issued, and has defaults: %s", effectiveOf(next, m.now))
	}
}

// checkIssue demands that a key is first issued with the API's defaults, and
// within its limits.
func (m *model) checkIssue(o Observed, p Plan) {
	m.t.Helper()
	k := &v1alpha1.APIKey{Spec: m.key.Spec, Status: p.Status}
	end := compile.EndOf(k)
	if len(p.Status.Keys) == 0 && end == nil && o.API.KeyDefaults != nil {
		m.fail("issued without the API's default end")
	}
	issued := slices.ContainsFunc(p.Status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Phase == v1alpha1.KeyCurrent })
	if l := o.API.KeyLimits; l != nil && !issued && (end == nil || end.After(policy.Latest(m.key, l).Time)) {
		m.fail("issued until %v, beyond maxTTL %s", end, l.MaxTTL)
	}
}
