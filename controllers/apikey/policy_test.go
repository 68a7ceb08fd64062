package apikey

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// policyRule is a row about a key of an API, created an hour ago.
type policyRule struct {
	name     string
	defaults *v1alpha1.KeyDefaults
	limits   *v1alpha1.KeyLimits
	scopes   []v1alpha1.Scope // declared
	spec     []edit
	keys     string // unset: not issued yet
	// effective is what was resolved before, in the notation of effectiveOf.
	effective *v1alpha1.EffectiveDefaults
	target    Held
	apiGone   bool
	want      policyOutcome
	says      []string // in Ready or WithinLimits
}

type policyOutcome struct {
	step      Step
	ready     string // status and reason; those of a settled plan
	limits    string // WithinLimits, likewise
	effective string
	again     time.Duration
}

func (r policyRule) observed(t *testing.T) Observed {
	t.Helper()
	o := rule{spec: append([]edit{opens("shop", "apis")}, r.spec...), keys: r.keys, target: r.target}.observed(t)
	o.Key.CreationTimestamp = metav1.NewTime(start.Add(-time.Hour))
	o.Key.Status.Effective = r.effective
	if r.apiGone {
		o.Problem = noAPI
		return o
	}
	o.API = &v1alpha1.ProtectedAPISpec{KeyDefaults: r.defaults, KeyLimits: r.limits}
	for _, s := range r.scopes {
		o.API.Scopes = append(o.API.Scopes, v1alpha1.ScopeDeclaration{Name: s})
	}
	return o
}

func (r policyRule) check(t *testing.T) {
	o := r.observed(t)
	p := Decide(o)
	got := policyOutcome{step: p.Step, ready: readyOf(p.Status), limits: limitsOf(p.Status), effective: effectiveOf(p.Status, start), again: p.Again}
	if got != r.want {
		t.Errorf("\n got %+v\nwant %+v", got, r.want)
	}
	said := ""
	for _, c := range p.Status.Conditions {
		said += c.Message + "\n"
	}
	for _, words := range r.says {
		if !strings.Contains(said, words) {
			t.Errorf("nothing says %q:\n%s", words, said)
		}
	}
	if p.Step != Settle {
		return
	}
	o.Key = o.Key.DeepCopy()
	o.Key.Status = p.Status
	if again := Decide(o); again.Step != Settle || effectiveOf(again.Status, start) != got.effective || limitsOf(again.Status) != got.limits {
		t.Errorf("decided again, it is %v", outcomeOf(again))
	}
}

func checkPolicy(t *testing.T, rules []policyRule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, r.check)
	}
}

func limitsOf(s v1alpha1.APIKeyStatus) string {
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionWithinLimits)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

// effectiveOf writes status.effective as "ends 24h, 1000 per 1h".
func effectiveOf(s v1alpha1.APIKeyStatus, now time.Time) string {
	if s.Effective == nil {
		return ""
	}
	var parts []string
	if end := s.Effective.ExpiresAt; end != nil {
		parts = append(parts, "ends "+short(end.Sub(now)))
	}
	if r := s.Effective.RateLimit; r != nil {
		parts = append(parts, fmt.Sprintf("%d per %s", r.Requests, r.Period))
	}
	return strings.Join(parts, ", ")
}

func rate(requests int32, period v1alpha1.Duration) *v1alpha1.RateLimit {
	return &v1alpha1.RateLimit{Requests: requests, Period: period, Algorithm: v1alpha1.FixedWindow}
}

func bucket(requests int32, period v1alpha1.Duration, burst int32) *v1alpha1.RateLimit {
	return &v1alpha1.RateLimit{Requests: requests, Period: period, Algorithm: v1alpha1.TokenBucket, Burst: burst}
}

func limitedTo(r *v1alpha1.RateLimit) edit {
	return func(s *v1alpha1.APIKeySpec) { s.RateLimit = r }
}

func scoped(scopes ...v1alpha1.Scope) edit {
	return func(s *v1alpha1.APIKeySpec) { s.Scopes = scopes }
}

func endsIn(d time.Duration) *v1alpha1.EffectiveDefaults {
	return &v1alpha1.EffectiveDefaults{ExpiresAt: new(metav1.NewTime(start.Add(d)))}
}

var (
	ttlOfADay   = &v1alpha1.KeyDefaults{TTL: "24h"}
	aThousand   = &v1alpha1.KeyDefaults{RateLimit: rate(1000, "1h")}
	atMostADay  = &v1alpha1.KeyLimits{MaxTTL: "24h"}
	atMost1000  = &v1alpha1.KeyLimits{MaxRateLimit: &v1alpha1.MaxRateLimit{Requests: 1000, Period: "1h"}}
	budgets     = []v1alpha1.Scope{"READ_BUDGETS", "WRITE_BUDGETS", "WEBHOOKS"}
	notIssued   = "False LimitExceeded"
	exceedingIt = "False LimitExceeded"
	keepingIt   = "True WithinLimits"
)

// Defaults are resolved at first issue, for what spec leaves unset, and then stay.
func TestDefaults(t *testing.T) {
	checkPolicy(t, []policyRule{{
		name: "no defaults: nothing is resolved",
		want: policyOutcome{Issue, "False Issuing", "", "", 0},
	}, {
		name: "both, with the first issue", defaults: &v1alpha1.KeyDefaults{TTL: "1h30m", RateLimit: rate(1000, "1h")},
		want: policyOutcome{Issue, "False Issuing", "", "ends 1h30m, 1000 per 1h", 0},
	}, {
		name: "expiresAt is set: the default end waits until it is taken out", defaults: ttlOfADay, spec: []edit{expires(time.Hour)},
		want: policyOutcome{Issue, "False Issuing", "", "ends 24h", 0},
	}, {
		name: "rateLimit is set: the default one waits until it is taken out", defaults: aThousand, spec: []edit{limitedTo(rate(5, "1s"))},
		want: policyOutcome{Issue, "False Issuing", "", "1000 per 1h", 0},
	}, {
		name: "the key before was lost before anybody had it, and may still land: as resolved", defaults: ttlOfADay,
		keys: "k1 Superseded 3m", effective: endsIn(time.Hour),
		want: policyOutcome{Issue, "False Issuing", "", "ends 1h", 0},
	}, {
		name: "it can't land any more: this is the first issue", defaults: ttlOfADay,
		keys: "k1 Superseded 0s", effective: endsIn(time.Hour),
		want: policyOutcome{Issue, "False Issuing", "", "ends 24h", 0},
	}, {
		name: "it would have ended before anybody had it: this is the first issue", defaults: ttlOfADay,
		keys: "k1 Pending", effective: endsIn(-time.Hour),
		want: policyOutcome{Issue, "False Issuing", "", "ends 24h", 0},
	}, {
		name: "a lost key: as resolved at first issue", defaults: aThousand,
		keys: "k1 Current", effective: endsIn(time.Hour),
		want: policyOutcome{Issue, "False Issuing", "", "ends 1h", 0},
	}, {
		name: "a lost key of an API that had no defaults at first issue: none", defaults: ttlOfADay,
		keys: "k1 Current",
		want: policyOutcome{Issue, "False Issuing", "", "", 0},
	}, {
		name: "issued: the API's change alters nothing", defaults: ttlOfADay,
		keys: "k1 Current", target: holds("k1"), effective: endsIn(time.Hour),
		want: policyOutcome{Settle, "True Issued", "", "ends 1h", time.Hour},
	}, {
		name: "ended", keys: "k1 Current", target: holds("k1"), effective: endsIn(0),
		want: policyOutcome{Settle, "False Expired", "", "ends 0s", 0},
		says: []string{"status.effective.expiresAt", "spec.expiresAt"},
	}, {
		name: "expiresAt is set later: it decides", keys: "k1 Current", target: holds("k1"), effective: endsIn(0), spec: []edit{expires(time.Minute)},
		want: policyOutcome{Settle, "True Issued", "", "ends 0s", time.Minute},
	}, {
		name: "also if it is earlier", keys: "k1 Current", target: holds("k1"), effective: endsIn(time.Hour), spec: []edit{expires(0)},
		want: policyOutcome{Settle, "False Expired", "", "ends 1h", 0},
	}, {
		name: "retiring ends with the key at the latest", keys: "k2 Pending, k1 Current", target: holds("k2"), effective: endsIn(time.Minute),
		want: policyOutcome{Record, "False Issuing", "", "ends 1m", 0},
	}, {
		name: "status is gone: counted from the issue that the Secret tells of", defaults: &v1alpha1.KeyDefaults{TTL: "72h", RateLimit: rate(9, "1m")},
		target: adoptable(holds("k1")),
		want:   policyOutcome{Record, "", "", "ends 24h, 9 per 1m", 0},
	}, {
		name: "status is gone and the API too: not taken up without its end", target: adoptable(holds("k1")), apiGone: true,
		want: policyOutcome{Settle, "False APINotFound", "", "", 0},
	}, {
		name: "ttl and maxTTL are equal: the end is cut to what maxTTL allows after creation", defaults: ttlOfADay, limits: atMostADay,
		want: policyOutcome{Issue, "False Issuing", "", "ends 23h", 0},
	}, {
		name: "the cut end has passed: not issued", defaults: &v1alpha1.KeyDefaults{TTL: "30m"}, limits: &v1alpha1.KeyLimits{MaxTTL: "1h"},
		want: policyOutcome{Settle, notIssued, exceedingIt, "", 0},
		says: []string{"spec.expiresAt", "keyLimits.maxTTL", "1h after creation", "create the APIKey anew"},
	}, {
		name: "ttl is above maxTTL: not bent", defaults: &v1alpha1.KeyDefaults{TTL: "48h"}, limits: atMostADay,
		want: policyOutcome{Settle, notIssued, exceedingIt, "", 0},
		says: []string{"spec.expiresAt: unset, and the default of 2026-03-03T12:00:00Z is more than 24h after creation", "set it to 2026-03-02T11:00:00Z or earlier"},
	}})
}

// Limits keep a key from being issued; one that is issued works on and says so.
func TestLimits(t *testing.T) {
	required := &v1alpha1.KeyLimits{Expiry: "Required", AllowedIPs: "Required", Scopes: "Required"}
	allRequired := []edit{expires(time.Hour), scoped("A"), func(s *v1alpha1.APIKeySpec) { s.AllowedIPs = []v1alpha1.IPBlock{"192.0.2.1"} }}
	issue := policyOutcome{Issue, "False Issuing", "", "", 0}
	refused := policyOutcome{Settle, notIssued, exceedingIt, "", 0}
	checkPolicy(t, []policyRule{{
		name: "within all: issued", limits: required, spec: allRequired, want: issue,
	}, {
		name: "within all, issued: said", limits: required, spec: allRequired, keys: "k1 Current", target: holds("k1"),
		want: policyOutcome{Settle, "True Issued", keepingIt, "", time.Hour},
		says: []string{"keyLimits of ProtectedAPI apis/shop"},
	}, {
		name: "none of what is required: each is named", limits: required, want: refused,
		says: []string{
			"spec.expiresAt: required: set it (keyLimits.expiry of ProtectedAPI apis/shop)",
			"; spec.allowedIPs: required: list the addresses", "; spec.scopes: required: list what the key may do",
		},
	}, {
		name: "issued before: works on, and says so", limits: required, keys: "k1 Current", target: holds("k1"),
		want: policyOutcome{Settle, "True Issued", exceedingIt, "", 0},
		says: []string{"spec.expiresAt", "spec.allowedIPs", "spec.scopes"},
	}, {
		name: "issued before and lost: replaced", limits: required, keys: "k1 Current",
		want: issue,
	}, {
		name: "issued before and suspended", limits: required, keys: "k1 Current", target: holds("k1"), spec: []edit{suspended},
		want: policyOutcome{Settle, "True Suspended", exceedingIt, "", 0},
	}, {
		name: "issued before and expired", limits: required, keys: "k1 Current", target: holds("k1"), spec: []edit{expires(0)},
		want: policyOutcome{Settle, "False Expired", exceedingIt, "", 0},
	}, {
		name: "revoked: nothing to keep to", limits: required, keys: "k1 Current", spec: []edit{revoked},
		want: policyOutcome{Settle, "True Revoked", "", "", 0},
	}, {
		name: "no limits: no condition", limits: nil, keys: "k1 Current", target: holds("k1"),
		want: policyOutcome{Settle, "True Issued", "", "", 0},
	}, {
		name: "pending, and then the limits came: not issued again", limits: required, keys: "k1 Pending",
		want: policyOutcome{Settle, notIssued, exceedingIt, "", 10 * time.Minute},
	}, {
		name: "pending and in its Secret before the limits came: issued", limits: required, keys: "k1 Pending", target: holds("k1"),
		want: policyOutcome{Record, "False Issuing", "", "", 0},
	}, {
		name: "an end by default is an end", limits: &v1alpha1.KeyLimits{Expiry: "Required"}, defaults: ttlOfADay,
		want: policyOutcome{Issue, "False Issuing", "", "ends 24h", 0},
	}, {
		name: "also one that was resolved at issue", limits: &v1alpha1.KeyLimits{Expiry: "Required"}, keys: "k1 Current", target: holds("k1"), effective: endsIn(time.Hour),
		want: policyOutcome{Settle, "True Issued", keepingIt, "ends 1h", time.Hour},
	}, {
		name: "maxTTL to the second: issued", limits: atMostADay, spec: []edit{expires(23 * time.Hour)}, want: issue,
	}, {
		name: "a second later: not", limits: atMostADay, spec: []edit{expires(23*time.Hour + time.Second)},
		want: policyOutcome{Settle, notIssued, exceedingIt, "", 23*time.Hour + time.Second},
		says: []string{"spec.expiresAt: 2026-03-02T11:00:01Z is more than 24h after creation: set it to 2026-03-02T11:00:00Z or earlier"},
	}, {
		name: "maxTTL requires an end", limits: &v1alpha1.KeyLimits{MaxTTL: "24h", Expiry: "Optional"}, want: refused,
		says: []string{"spec.expiresAt: required: set it to 2026-03-02T11:00:00Z or earlier", "keyLimits.maxTTL"},
	}, {
		name: "maxTTL was tightened", limits: atMostADay, keys: "k1 Current", target: holds("k1"), effective: endsIn(48 * time.Hour),
		want: policyOutcome{Settle, "True Issued", exceedingIt, "ends 48h", 48 * time.Hour},
	}, {
		name: "maxRateLimit requires a limit", limits: atMost1000, want: refused,
		says: []string{"spec.rateLimit: required: set at most 1000 requests per 1h (keyLimits.maxRateLimit of ProtectedAPI apis/shop)"},
	}, {
		name: "a limit by default is a limit", limits: atMost1000, defaults: aThousand,
		want: policyOutcome{Issue, "False Issuing", "", "1000 per 1h", 0},
	}, {
		name: "a default above it isn't bent", limits: atMost1000, defaults: &v1alpha1.KeyDefaults{RateLimit: rate(1001, "1h")}, want: refused,
		says: []string{"spec.rateLimit: unset, and the default of 1001 requests per 1h is above 1000 requests per 1h: set a lower one"},
	}, {
		name: "above it", limits: atMost1000, spec: []edit{limitedTo(rate(1, "1s"))}, want: refused,
		says: []string{"spec.rateLimit: 1 requests per 1s is above 1000 requests per 1h"},
	}, {
		name: "burst above it", limits: atMost1000, spec: []edit{limitedTo(bucket(100, "1h", 1001))}, want: refused,
		says: []string{"spec.rateLimit.burst: 1001 requests per 1h is above 1000 requests per 1h"},
	}, {
		name: "was tightened", limits: atMost1000, spec: []edit{limitedTo(rate(2000, "1h"))}, keys: "k1 Current", target: holds("k1"),
		want: policyOutcome{Settle, "True Issued", exceedingIt, "", 0},
	}})
}
