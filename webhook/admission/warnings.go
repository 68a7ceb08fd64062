package admission

import (
	"fmt"
	"slices"
	"time"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
)

// newWarnings are those that an edit brings.
func newWarnings(before, after *v1alpha1.APIKey, api apiFacts, now time.Time) []string {
	warnings := warningsOf(after, api, now)
	if before == nil {
		return warnings
	}
	known := warningsOf(before, api, now)
	return slices.DeleteFunc(warnings, func(w string) bool { return slices.Contains(known, w) })
}

// warningsOf are what is allowed and seldom meant.
func warningsOf(k *v1alpha1.APIKey, api apiFacts, now time.Time) []string {
	var out []string
	switch {
	case api.compiled == nil:
		out = append(out, fmt.Sprintf("spec.apiRef: there is no %s yet: no key is issued until it is there", policy.APIOf(k)))
	case api.compiled.Err != nil:
		out = append(out, fmt.Sprintf("spec.apiRef: %s can't be used as it is: see its Ready condition", policy.APIOf(k)))
	case len(k.Spec.Scopes) == 0 && !api.compiled.DenyEmptyScopes:
		out = append(out, fmt.Sprintf("spec.scopes: unset: the key may do all that %s offers", policy.APIOf(k)))
	}
	if len(k.Spec.AllowedIPs) == 0 {
		out = append(out, "spec.allowedIPs: unset: the key can be used from any address")
	}
	k = policy.Resolved(k, api.spec, now)
	end := compile.EndOf(k)
	if end == nil && api.compiled != nil { // of one that isn't there the defaults aren't known
		out = append(out, "spec.expiresAt: unset: the key never ends by itself")
	}
	if interval := policy.Interval(k); end != nil && interval > 0 && end.After(now) && !end.After(issuedAt(k, now).Add(interval)) {
		out = append(out, fmt.Sprintf("spec.rotation.interval: the key ends at %s, before it is as old as %s: it is never rotated",
			end.UTC().Format(time.RFC3339), interval))
	}
	return out
}

// issuedAt is when the current key of an APIKey was issued, now if there is none yet.
func issuedAt(k *v1alpha1.APIKey, now time.Time) time.Time {
	if current := policy.Current(k.Status.Keys); current != nil {
		return current.IssuedAt.Time
	}
	return now
}
