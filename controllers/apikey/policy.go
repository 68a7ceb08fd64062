package apikey

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
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
	d.policy.scopes = unknownScopes(d.Key, d.API)
	if d.API.KeyLimits == nil {
		return
	}
	d.policy.limited = true
	if exceeded := d.exceeded(); len(exceeded) > 0 {
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
		d.set(v1alpha1.ConditionWithinLimits, metav1.ConditionTrue, v1alpha1.ReasonWithinLimits, "the key keeps to keyLimits of "+apiOf(d.Key))
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
func seconds(now time.Time) metav1.Time { return metav1.NewTime(now.UTC().Truncate(time.Second)) }

// resolve returns what an API's keyDefaults come to for a key that is first issued
// now, nil if there are none: also where spec has its own, which may be taken out. The end counts from issue, but is cut to what
// maxTTL allows after creation, so that equal ones agree; a ttl above maxTTL isn't
// bent to it.
func resolve(k *v1alpha1.APIKey, api *v1alpha1.ProtectedAPISpec, now time.Time) *v1alpha1.EffectiveDefaults {
	if api == nil || api.KeyDefaults == nil {
		return nil
	}
	out := &v1alpha1.EffectiveDefaults{RateLimit: api.KeyDefaults.RateLimit.DeepCopy(), Rotation: api.KeyDefaults.Rotation.DeepCopy()}
	if api.KeyDefaults.TTL != "" {
		ttl := length(api.KeyDefaults.TTL)
		end := seconds(seconds(now).Add(ttl))
		if l := api.KeyLimits; l != nil && l.MaxTTL != "" && ttl <= length(l.MaxTTL) && end.After(latest(k, l).Time) {
			end = latest(k, l)
		}
		out.ExpiresAt = &end
	}
	if out.RateLimit == nil && out.ExpiresAt == nil && out.Rotation == nil {
		return nil
	}
	return out
}

// forgetDefaults takes back the defaults of a key of which no version is left:
// nobody has ever had one, and the next issue is the first.
func (d *decision) forgetDefaults() {
	if len(d.status.Keys) == 0 {
		d.status.Effective = nil
	}
}

// length is 0 for what can't be read, which the schema refuses: a key then ends at
// once, and no end is early enough.
func length(d v1alpha1.Duration) time.Duration {
	parsed, err := time.ParseDuration(string(d))
	if err != nil {
		return 0
	}
	return parsed
}

// latest is the last end that maxTTL allows.
func latest(k *v1alpha1.APIKey, l *v1alpha1.KeyLimits) metav1.Time {
	return seconds(k.CreationTimestamp.Add(length(l.MaxTTL)))
}

// exceeded says which limits the key exceeds, or would if it were issued now.
func (d *decision) exceeded() []string {
	k, l := d.asDecided(), d.API.KeyLimits
	unissued := len(d.status.Keys) == 0
	if unissued {
		k.Status.Effective = resolve(k, d.API, d.Now)
	}
	var out []string
	say := func(field, limit, format string, args ...any) {
		out = append(out, fmt.Sprintf("%s: %s (keyLimits.%s of %s)", field, fmt.Sprintf(format, args...), limit, apiOf(k)))
	}
	end := compile.EndOf(k)
	switch last := latest(k, l); {
	case l.MaxTTL != "" && end == nil:
		say("spec.expiresAt", "maxTTL", "required: set it to %s or earlier, or create the APIKey anew", text(last.Time))
	case l.MaxTTL != "" && end.After(last.Time):
		say("spec.expiresAt", "maxTTL", "%s is more than %s after creation: set it to %s or earlier, or create the APIKey anew",
			whose(k.Spec.ExpiresAt != nil, text(end.Time)), l.MaxTTL, text(last.Time))
	case l.MaxTTL != "" && unissued && k.Spec.ExpiresAt == nil && !d.Now.Before(end.Time):
		say("spec.expiresAt", "maxTTL", "what may be set has passed, %s after creation: create the APIKey anew", l.MaxTTL)
	case l.Expiry == v1alpha1.Required && end == nil:
		say("spec.expiresAt", "expiry", "required: set it")
	}
	if l.AllowedIPs == v1alpha1.Required && len(k.Spec.AllowedIPs) == 0 {
		say("spec.allowedIPs", "allowedIPs", "required: list the addresses that may use the key")
	}
	if l.Scopes == v1alpha1.Required && len(k.Spec.Scopes) == 0 {
		say("spec.scopes", "scopes", "required: list what the key may do")
	}
	if most := l.MaxRotationInterval; most != "" {
		switch interval := scheduleOf(k).interval; {
		case interval == 0:
			say("spec.rotation.interval", "maxRotationInterval", "required: set at most %s", most)
		case interval > length(most):
			say("spec.rotation.interval", "maxRotationInterval", "%s is above %s: set a shorter one",
				whose(k.Spec.Rotation != nil && k.Spec.Rotation.Interval != "", interval.String()), most)
		}
	}
	if l.MaxRateLimit == nil {
		return out
	}
	r, own, most := compile.RateLimitOf(k), k.Spec.RateLimit != nil, l.MaxRateLimit
	switch allowed := perTime(most.Requests, most.Period); {
	case r == nil:
		say("spec.rateLimit", "maxRateLimit", "required: set at most %s", allowed)
	case !atMost(r.Requests, r.Period, most):
		say("spec.rateLimit", "maxRateLimit", "%s is above %s: set a lower one", whose(own, perTime(r.Requests, r.Period)), allowed)
	case r.Algorithm == v1alpha1.TokenBucket && r.Burst > 0 && !atMost(r.Burst, r.Period, most):
		say("spec.rateLimit.burst", "maxRateLimit", "%s is above %s: set a lower one", whose(own, perTime(r.Burst, r.Period)), allowed)
	}
	return out
}

// atMost compares rates exactly. A burst counts like requests of the same period:
// it is what may come at once, as all of a fixed window may.
func atMost(requests int32, period v1alpha1.Duration, most *v1alpha1.MaxRateLimit) bool {
	p, q := length(period), length(most.Period)
	if p <= 0 || q <= 0 || requests <= 0 {
		return false // can't be compared
	}
	// requests/p <= most.Requests/q, in 128 bits
	hi, lo := bits.Mul64(uint64(requests), uint64(q))
	mostHi, mostLo := bits.Mul64(uint64(max(most.Requests, 0)), uint64(p))
	return hi < mostHi || hi == mostHi && lo <= mostLo
}

// whose tells a value that is the key's own from one that it has by default.
func whose(own bool, value string) string {
	if own {
		return value
	}
	return "unset, and the default of " + value
}

func perTime(requests int32, period v1alpha1.Duration) string {
	return fmt.Sprintf("%d requests per %s", requests, period)
}

func text(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// apiOf names a key's API for people.
func apiOf(k *v1alpha1.APIKey) string { return "ProtectedAPI " + compile.APIName(k).String() }
