package apikey

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// wantCondition demands a condition, and a message with these words.
func (w *world) wantCondition(name, condition, statusAndReason string, says ...string) {
	w.Helper()
	got, message := "", ""
	if c := meta.FindStatusCondition(w.key(name).Status.Conditions, condition); c != nil {
		got, message = string(c.Status)+" "+c.Reason, c.Message
	}
	if got != statusAndReason {
		w.Errorf("%s: %s is %q (%s), want %q", name, condition, got, message, statusAndReason)
	}
	for _, words := range says {
		if !strings.Contains(message, words) {
			w.Errorf("%s: %q doesn't say %q", name, message, words)
		}
	}
}

// wantEnforced demands that auth servers treat a key as before.
func (w *world) wantEnforced(name string, before *keyring.Key) {
	w.Helper()
	ignore := cmpopts.IgnoreUnexported(keyring.Key{}, keyring.Version{}, keyring.Terms{}, keyring.Holder{})
	if diff := cmp.Diff(before, compile.Key(w.key(name)), ignore); diff != "" {
		w.Errorf("%s: what is enforced has changed (-before +after)\n%s", name, diff)
	}
}

// TestTightenedLimits: keys that were issued before say that they exceed them and
// are accepted as ever; loosened, they say so again.
func TestTightenedLimits(t *testing.T) {
	w := newWorld(t)
	api := w.createAPI(v1alpha1.ProtectedAPISpec{KeyDefaults: &v1alpha1.KeyDefaults{TTL: "48h"}})
	w.create("key", opens(api), limitedTo(rate(2000, "1h")))
	w.reconcile("key")
	w.wantCondition("key", "WithinLimits", "")
	enforced, secret := compile.Key(w.key("key")), w.secret("key")
	if enforced.Err != nil || enforced.Limit.Requests != 2000 || !enforced.ExpiresAt.Time().Equal(w.clock.Now().Add(48*time.Hour)) {
		t.Fatalf("compiled: %+v", enforced)
	}
	w.told = nil

	for _, row := range []struct {
		limits *v1alpha1.KeyLimits
		want   string
		says   []string
		told   []string
	}{
		{&v1alpha1.KeyLimits{MaxTTL: "72h"}, "True WithinLimits", nil, nil},
		{&v1alpha1.KeyLimits{MaxTTL: "24h"}, "False LimitExceeded", []string{"spec.expiresAt: unset, and the default of", "keyLimits.maxTTL", api}, []string{"Warning LimitExceeded spec.expiresAt"}},
		{&v1alpha1.KeyLimits{MaxTTL: "24h", MaxRateLimit: &v1alpha1.MaxRateLimit{Requests: 1999, Period: "1h"}}, "False LimitExceeded", []string{"spec.rateLimit: 2000 requests per 1h is above 1999 requests per 1h"}, nil},
		{&v1alpha1.KeyLimits{AllowedIPs: "Required", Scopes: "Required"}, "False LimitExceeded", []string{"spec.allowedIPs", "spec.scopes"}, nil},
		{&v1alpha1.KeyLimits{Expiry: "Required"}, "True WithinLimits", nil, nil},
		{nil, "", nil, nil},
	} {
		w.editAPI(w.namespace, api, func(s *v1alpha1.ProtectedAPISpec) { s.KeyLimits = row.limits })
		w.reconcile("key")
		w.want("key", "Active | True Issued | Present key | Current")
		w.wantCondition("key", "WithinLimits", row.want, row.says...)
		w.wantEnforced("key", enforced)
		w.wantTold(row.told...)
	}
	w.wantSame(secret)
}

// TestLimitsAtIssue: a key that exceeds them isn't issued until it, or its API, is
// mended.
func TestLimitsAtIssue(t *testing.T) {
	w := newWorld(t)
	api := w.createAPI(v1alpha1.ProtectedAPISpec{
		KeyDefaults: &v1alpha1.KeyDefaults{TTL: "24h"},
		KeyLimits:   &v1alpha1.KeyLimits{MaxTTL: "24h", MaxRateLimit: &v1alpha1.MaxRateLimit{Requests: 1000, Period: "1h"}},
	})
	w.create("key", opens(api))
	w.create("other", opens(api))
	for _, name := range []string{"key", "other"} {
		w.told = nil
		if result := w.reconcile(name); !result.IsZero() {
			t.Errorf("result %+v: a watch will tell", result)
		}
		w.want(name, "Pending | False LimitExceeded | None | ")
		w.wantCondition(name, "Ready", "False LimitExceeded", "spec.rateLimit: required: set at most 1000 requests per 1h", "keyLimits.maxRateLimit", api)
		w.wantCondition(name, "WithinLimits", "False LimitExceeded", "spec.rateLimit")
		w.wantEffective(name, "")
		w.wantNoSecret(name)
		w.wantTold("Warning LimitExceeded spec.rateLimit")
	}
	w.later(time.Hour)
	w.edit("key", limitedTo(rate(24000, "24h")))
	w.editAPI(w.namespace, api, func(s *v1alpha1.ProtectedAPISpec) { s.KeyDefaults.RateLimit = bucket(10, "36s", 10) })
	for _, name := range []string{"key", "other"} {
		w.reconcile(name)
		w.want(name, "Active | True Issued | Present "+name+" | Current")
		w.wantCondition(name, "WithinLimits", "True WithinLimits")
		k := w.key(name)
		if end, latest := k.Status.Effective.ExpiresAt, k.CreationTimestamp.Add(24*time.Hour); !end.Time.Equal(latest) {
			t.Errorf("%s ends %v, want %v, a day after its creation", name, end, latest)
		}
	}
}

// TestScopesComeAndGo: a scope that the API doesn't declare keeps a key from being
// issued, and is said of an issued one, whose traffic it doesn't touch.
func TestScopesComeAndGo(t *testing.T) {
	w := newWorld(t)
	api := w.createAPI(v1alpha1.ProtectedAPISpec{Scopes: []v1alpha1.ScopeDeclaration{{Name: "READ_BUDGETS"}}})
	w.create("key", opens(api), scoped("READ_BUDGETS", "WRITE_BUDGET"))
	if result := w.reconcile("key"); !result.IsZero() {
		t.Errorf("result %+v: a watch will tell", result)
	}
	w.want("key", "Pending | False UnknownScope | None | ")
	w.wantReady("key", "UnknownScope", "spec.scopes", api, `"WRITE_BUDGET" (nearest: "READ_BUDGETS")`, "declare them")
	w.wantTold("Warning UnknownScope spec.scopes")
	w.wantNoSecret("key")

	w.editAPI(w.namespace, api, func(s *v1alpha1.ProtectedAPISpec) {
		s.Scopes = append(s.Scopes, v1alpha1.ScopeDeclaration{Name: "WRITE_BUDGET"})
	})
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantTold("Normal Issued")
	enforced, secret := compile.Key(w.key("key")), w.secret("key")

	w.editAPI(w.namespace, api, func(s *v1alpha1.ProtectedAPISpec) { s.Scopes = s.Scopes[:1] })
	w.reconcile("key")
	w.want("key", "Active | False UnknownScope | Present key | Current")
	w.wantEnforced("key", enforced)
	w.wantSame(secret)
	w.wantTold("Warning UnknownScope")

	w.deleteSecret("key")
	w.reconcile("key")
	w.want("key", "Active | False UnknownScope | Present key | Current, Retiring 1h")
	w.edit("key", scoped("READ_BUDGETS"))
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 1h")
}
