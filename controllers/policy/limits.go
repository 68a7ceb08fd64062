package policy

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// Excess is one of an API's keyLimits that a key doesn't keep to.
type Excess struct {
	// Field is the key's, such as spec.expiresAt, and Limit that of keyLimits.
	Field, Limit string
	// Message is the whole sentence after the field.
	Message string
	// By is how far it is above the limit, to be compared with another By of the same
	// field and limit: infinite where something required is missing.
	By float64
}

// String is what people read.
func (e Excess) String() string { return e.Field + ": " + e.Message }

// Missing holds where something required is unset, also by default.
func (e Excess) Missing() bool { return math.IsInf(e.By, 1) }

// Exceeded returns which limits a key exceeds, or, where no version of it is left,
// would exceed if it were first issued now.
func Exceeded(k *v1alpha1.APIKey, api *v1alpha1.ProtectedAPISpec, now time.Time) []Excess {
	if api.KeyLimits == nil {
		return nil
	}
	c := check{key: Resolved(k, api, now), limits: api.KeyLimits, unissued: len(k.Status.Keys) == 0, now: now}
	c.end()
	c.lists()
	c.rotation()
	c.rate()
	return c.out
}

// check collects what a key exceeds.
type check struct {
	key      *v1alpha1.APIKey
	limits   *v1alpha1.KeyLimits
	unissued bool
	now      time.Time
	out      []Excess
}

func (c *check) say(by float64, field, limit, format string, args ...any) {
	message := fmt.Sprintf("%s (keyLimits.%s of %s)", fmt.Sprintf(format, args...), limit, APIOf(c.key))
	c.out = append(c.out, Excess{Field: field, Limit: limit, Message: message, By: by})
}

func (c *check) end() {
	k, l, end := c.key, c.limits, compile.EndOf(c.key)
	switch last := Latest(k, l); {
	case l.MaxTTL != "" && end == nil:
		c.say(math.Inf(1), "spec.expiresAt", "maxTTL", "required: set it to %s or earlier, or create the APIKey anew", text(last.Time))
	case l.MaxTTL != "" && end.After(last.Time):
		c.say(end.Sub(last.Time).Seconds(), "spec.expiresAt", "maxTTL", "%s is more than %s after creation: set it to %s or earlier, or create the APIKey anew",
			whose(k.Spec.ExpiresAt != nil, text(end.Time)), l.MaxTTL, text(last.Time))
	case l.MaxTTL != "" && c.unissued && k.Spec.ExpiresAt == nil && !c.now.Before(end.Time):
		c.say(0, "spec.expiresAt", "maxTTL", "what may be set has passed, %s after creation: create the APIKey anew", l.MaxTTL)
	case l.Expiry == v1alpha1.Required && end == nil:
		c.say(math.Inf(1), "spec.expiresAt", "expiry", "required: set it")
	}
}

func (c *check) lists() {
	if c.limits.AllowedIPs == v1alpha1.Required && len(c.key.Spec.AllowedIPs) == 0 {
		c.say(math.Inf(1), "spec.allowedIPs", "allowedIPs", "required: list the addresses that may use the key")
	}
	if c.limits.Scopes == v1alpha1.Required && len(c.key.Spec.Scopes) == 0 {
		c.say(math.Inf(1), "spec.scopes", "scopes", "required: list what the key may do")
	}
}

func (c *check) rotation() {
	most := c.limits.MaxRotationInterval
	if most == "" {
		return
	}
	switch interval := Interval(c.key); {
	case interval == 0:
		c.say(math.Inf(1), "spec.rotation.interval", "maxRotationInterval", "required: set at most %s", most)
	case interval > Length(most):
		r := c.key.Spec.Rotation
		c.say((interval - Length(most)).Seconds(), "spec.rotation.interval", "maxRotationInterval", "%s is above %s: set a shorter one",
			whose(r != nil && r.Interval != "", interval.String()), most)
	}
}

func (c *check) rate() {
	most := c.limits.MaxRateLimit
	if most == nil {
		return
	}
	r, own := compile.RateLimitOf(c.key), c.key.Spec.RateLimit != nil
	switch allowed := perTime(most.Requests, most.Period); {
	case r == nil:
		c.say(math.Inf(1), "spec.rateLimit", "maxRateLimit", "required: set at most %s", allowed)
	case !atMost(r.Requests, r.Period, most):
		c.say(rate(r.Requests, r.Period), "spec.rateLimit", "maxRateLimit", "%s is above %s: set a lower one", whose(own, perTime(r.Requests, r.Period)), allowed)
	case r.Algorithm == v1alpha1.TokenBucket && r.Burst > 0 && !atMost(r.Burst, r.Period, most):
		c.say(rate(r.Burst, r.Period), "spec.rateLimit.burst", "maxRateLimit", "%s is above %s: set a lower one", whose(own, perTime(r.Burst, r.Period)), allowed)
	}
}

// atMost compares rates exactly. A burst counts like requests of the same period:
// it is what may come at once, as all of a fixed window may.
func atMost(requests int32, period v1alpha1.Duration, most *v1alpha1.MaxRateLimit) bool {
	p, q := Length(period), Length(most.Period)
	if p <= 0 || q <= 0 || requests <= 0 {
		return false // can't be compared
	}
	// requests/p <= most.Requests/q, in 128 bits
	hi, lo := bits.Mul64(uint64(requests), uint64(q))
	mostHi, mostLo := bits.Mul64(uint64(max(most.Requests, 0)), uint64(p))
	return hi < mostHi || hi == mostHi && lo <= mostLo
}

// rate is in requests per second, to tell which of two is higher.
func rate(requests int32, period v1alpha1.Duration) float64 {
	if p := Length(period); p > 0 {
		return float64(requests) / p.Seconds()
	}
	return math.MaxFloat64
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

// APIOf names a key's API for people.
func APIOf(k *v1alpha1.APIKey) string {
	name := compile.APIName(k)
	if name == keyring.DefaultAPI {
		return "the default API"
	}
	return "ProtectedAPI " + name.String()
}
