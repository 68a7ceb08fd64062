package apikey

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
)

// judgement is what an API's policy says of a key. Nil is no objection.
type judgement struct {
	scopes, limits *Problem
	// limited is an API that has limits.
	limited bool
}

// judge holds a key against its API's scopes and keyLimits.
func (d *decision) judge() {
	if d.API == nil {
		return
	}
	if unknown := policy.UnknownScopes(d.Key, d.API); len(unknown) > 0 {
		d.policy.scopes = &Problem{Reason: v1alpha1.ReasonUnknownScope, Message: "spec.scopes: " + policy.SayUnknown(d.Key, unknown)}
	}
	d.policy.limited = d.API.KeyLimits != nil
	var exceeded []string
	for _, e := range policy.Exceeded(d.asDecided(), d.API, d.Now) {
		exceeded = append(exceeded, e.String())
	}
	if len(exceeded) > 0 {
		d.policy.limits = &Problem{Reason: v1alpha1.ReasonLimitExceeded, Message: strings.Join(exceeded, "; ")}
	}
}

// unissuable is why the policy keeps a key that nobody has from being issued.
func (d *decision) unissuable() *Problem {
	switch {
	case d.current() != nil:
		return nil
	case d.policy.scopes != nil:
		return d.policy.scopes
	default:
		return d.policy.limits
	}
}

// reportLimits sets the WithinLimits condition, where there are limits.
func (d *decision) reportLimits() {
	switch {
	case !d.policy.limited:
		d.clear(v1alpha1.ConditionWithinLimits)
	case d.policy.limits != nil:
		d.set(v1alpha1.ConditionWithinLimits, metav1.ConditionFalse, d.policy.limits.Reason, d.policy.limits.Message)
	default:
		d.set(v1alpha1.ConditionWithinLimits, metav1.ConditionTrue, v1alpha1.ReasonWithinLimits, "the key keeps to keyLimits of "+policy.APIOf(d.Key))
	}
}

// policyUnknown holds for a key whose API can't be read, so that its defaults
// can't be resolved.
func (d *decision) policyUnknown() bool { return d.API == nil && d.Key.Spec.APIRef != nil }

// asDecided is the key with the status of this decision.
func (d *decision) asDecided() *v1alpha1.APIKey {
	return &v1alpha1.APIKey{ObjectMeta: d.Key.ObjectMeta, Spec: d.Key.Spec, Status: d.status}
}

// end is when the key ends, nil if never.
func (d *decision) end() *metav1.Time { return compile.EndOf(d.asDecided()) }

// issuedAt is when the key in the target Secret was issued, as that says.
func (d *decision) issuedAt() time.Time {
	if at := d.Target.IssuedAt; at.Before(d.Now) {
		return at
	}
	return d.Now
}

// seconds is a time in the precision of the API.
func seconds(now time.Time) metav1.Time { return policy.Seconds(now) }

// forgetDefaults takes back the defaults of a key of which no version is left:
// nobody has ever had one, and the next issue is the first.
func (d *decision) forgetDefaults() {
	if len(d.status.Keys) == 0 {
		d.status.Effective = nil
	}
}

func text(t time.Time) string { return t.UTC().Format(time.RFC3339) }
