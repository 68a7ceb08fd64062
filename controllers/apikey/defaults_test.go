package apikey

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
)

// wantEffective demands status.effective in the notation of effectiveOf.
func (w *world) wantEffective(name, want string) {
	w.Helper()
	if got := effectiveOf(w.key(name).Status, w.clock.Now()); got != want {
		w.Errorf("%s: status.effective is %q, want %q", name, got, want)
	}
}

// TestDefaultsArePublishedWithTheDigest: no auth server ever sees the digest
// without them, and the Secret's templates are rendered with them at once.
func TestDefaultsArePublishedWithTheDigest(t *testing.T) {
	w := newWorld(t)
	api := w.createAPI(v1alpha1.ProtectedAPISpec{KeyDefaults: &v1alpha1.KeyDefaults{TTL: "24h", RateLimit: rate(1000, "1h")}})
	w.create("key", opens(api), secretLike(v1alpha1.SecretTemplate{Data: map[string]v1alpha1.Template{"ends": "{{ .ExpiresAt }}"}}))
	c := interceptor.NewClient(w.client, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			if k, ok := o.(*v1alpha1.APIKey); ok && len(k.Status.Keys) > 0 && effectiveOf(k.Status, w.clock.Now()) != "ends 24h, 1000 per 1h" {
				t.Errorf("a digest is published with %q", effectiveOf(k.Status, w.clock.Now()))
			}
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			t.Errorf("%T %s is written twice", o, o.GetName())
			return c.Update(ctx, o, opts...)
		},
	})
	result, err := w.try(c, "key")
	w.must(err)
	if result.RequeueAfter != 24*time.Hour {
		t.Errorf("looks again in %v, want 24h", result.RequeueAfter)
	}
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantEffective("key", "ends 24h, 1000 per 1h")
	if got, want := string(w.secret("key").Data["ends"]), w.clock.Now().Add(24*time.Hour).Format(time.RFC3339); got != want {
		t.Errorf("the template says %q, want %q", got, want)
	}
	if r := w.key("key").Status.Effective.RateLimit; *r != *rate(1000, "1h") {
		t.Errorf("rate limit %+v", r)
	}
}

// TestChangedDefaults: what the API says later alters no issued key, whether it
// had defaults at issue or not, and not over a lost key either.
func TestChangedDefaults(t *testing.T) {
	w := newWorld(t)
	api := w.createAPI(v1alpha1.ProtectedAPISpec{EmptyScopes: "Deny", KeyDefaults: &v1alpha1.KeyDefaults{TTL: "24h", RateLimit: rate(1000, "1h")}})
	w.create("filled", opens(api))
	w.create("own", opens(api), limitedTo(rate(5, "1s")), func(s *v1alpha1.APIKeySpec) {
		s.ExpiresAt = new(metav1.NewTime(w.clock.Now().Add(time.Hour)))
	})
	effective := map[string]string{"filled": "ends 24h, 1000 per 1h", "own": "ends 24h, 1000 per 1h"}
	for _, defaults := range []*v1alpha1.KeyDefaults{
		{TTL: "24h", RateLimit: rate(1000, "1h")}, {TTL: "1m"}, {RateLimit: rate(1, "1h")}, nil, {TTL: "87600h", RateLimit: bucket(9, "1m", 3)},
	} {
		w.editAPI(w.namespace, api, func(s *v1alpha1.ProtectedAPISpec) { s.KeyDefaults = defaults })
		for name, want := range effective {
			w.reconcile(name)
			w.wantEffective(name, want)
		}
	}
	before := map[string]string{}
	for name := range effective {
		before[name] = w.key(name).ResourceVersion
		w.reconcile(name)
		if w.key(name).ResourceVersion != before[name] {
			t.Errorf("%s was written", name)
		}
	}
	for name, want := range effective {
		w.deleteSecret(name)
		w.reconcile(name)
		w.want(name, "Active | True Issued | Present "+name+" | Current, Retiring 1h")
		w.wantEffective(name, want)
	}
}

// TestTTLCountsFromFirstIssue: not from the manifest, which may have waited for its
// API, and not from a later issue.
func TestTTLCountsFromFirstIssue(t *testing.T) {
	w := newWorld(t)
	w.create("key", opens("late"))
	w.reconcile("key")
	w.wantReady("key", "APINotFound")
	w.later(48 * time.Hour)
	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "late"}}
	p.Spec.KeyDefaults = &v1alpha1.KeyDefaults{TTL: "2h"}
	w.must(w.client.Create(w.Context(), p))
	w.reconcile("key")
	w.wantEffective("key", "ends 2h")
	first := compile.Key(w.key("key"))

	w.later(90 * time.Minute)
	w.deleteSecret("key")
	if result := w.reconcile("key"); result.RequeueAfter != 30*time.Minute {
		t.Errorf("looks again in %v, want 30m", result.RequeueAfter)
	}
	w.want("key", "Active | True Issued | Present key | Current, Retiring 30m")
	w.wantEffective("key", "ends 30m")
	if k := compile.Key(w.key("key")); k.ExpiresAt != first.ExpiresAt || k.Err != nil {
		t.Errorf("enforced until %v (%v), want %v", k.ExpiresAt, k.Err, first.ExpiresAt)
	}

	w.later(30 * time.Minute)
	w.reconcile("key")
	w.want("key", "Expired | False Expired | Present key | Current")
	w.wantReady("key", "Expired", "status.effective.expiresAt", "spec.expiresAt")
	end := metav1.NewTime(w.clock.Now().Add(time.Hour))
	w.edit("key", func(s *v1alpha1.APIKeySpec) { s.ExpiresAt = &end })
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.edit("key", func(s *v1alpha1.APIKeySpec) { s.ExpiresAt = nil })
	w.reconcile("key")
	w.want("key", "Expired | False Expired | Present key | Current")
	w.wantEffective("key", "ends 0s")
}

// TestRefusedIssueIsNone: a key whose Secret was refused until it would have ended
// was never issued; its end counts from when it is. The controller may die meanwhile,
// or not.
func TestRefusedIssueIsNone(t *testing.T) {
	w := newWorld(t)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("0")}},
	}
	w.must(w.client.Create(w.Context(), quota))
	w.eventually("the quota holds", func() bool { return apierrors.IsForbidden(w.dryRun()) })
	api := w.createAPI(v1alpha1.ProtectedAPISpec{KeyDefaults: &v1alpha1.KeyDefaults{TTL: "1h"}})
	lives := w.controller()
	for _, name := range []string{"key", "lives"} {
		w.create(name, opens(api))
	}
	for range 3 {
		w.reconcile("key")
		w.with(lives, "lives")
		for _, name := range []string{"key", "lives"} {
			w.want(name, "Pending | False WriteFailed | None | Pending")
			w.wantEffective(name, "ends 1h")
		}
		w.later(time.Hour)
	}
	w.must(w.client.Delete(w.Context(), quota))
	w.eventually("the quota is lifted", func() bool { return w.dryRun() == nil })
	w.reconcile("key")
	w.with(lives, "lives")
	for _, name := range []string{"key", "lives"} {
		w.want(name, "Active | True Issued | Present "+name+" | Current")
		w.wantEffective(name, "ends 1h")
	}
}

// TestLostStatus: a key that is taken up again from its Secret ends when it would
// have, and isn't taken up as long as its API can't say so.
func TestLostStatus(t *testing.T) {
	w := newWorld(t)
	api := w.createAPI(v1alpha1.ProtectedAPISpec{KeyDefaults: &v1alpha1.KeyDefaults{TTL: "24h", RateLimit: rate(1000, "1h")}})
	w.create("key", opens(api))
	w.reconcile("key")
	before := w.secret("key")
	w.later(time.Hour)
	forget := func() {
		k := w.key("key")
		k.Status = v1alpha1.APIKeyStatus{}
		w.must(w.client.Status().Update(w.Context(), k))
	}
	forget()
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantEffective("key", "ends 23h, 1000 per 1h")

	forget()
	p := &v1alpha1.ProtectedAPI{}
	w.must(w.client.Get(w.Context(), w.named(api), p))
	w.must(w.client.Delete(w.Context(), p))
	w.reconcile("key")
	w.want("key", "Pending | False APINotFound | None | ")
	w.must(w.client.Create(w.Context(), &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: api}, Spec: p.Spec}))
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantEffective("key", "ends 23h, 1000 per 1h")
	w.wantSame(before)
}

// TestReapply applies one manifest ten times, with time going by: nothing is
// written but what it said at first.
func TestReapply(t *testing.T) {
	w := newWorld(t)
	api := w.createAPI(v1alpha1.ProtectedAPISpec{
		KeyDefaults: &v1alpha1.KeyDefaults{TTL: "24h", RateLimit: rate(1000, "1h")},
		KeyLimits:   &v1alpha1.KeyLimits{MaxTTL: "24h", MaxRateLimit: &v1alpha1.MaxRateLimit{Requests: 1000, Period: "1h"}},
		Scopes:      []v1alpha1.ScopeDeclaration{{Name: "READ_BUDGETS"}},
	})
	apply := func() {
		u := &unstructured.Unstructured{Object: map[string]any{
			"spec": map[string]any{"apiRef": map[string]any{"name": api}, "scopes": []any{"READ_BUDGETS"}},
		}}
		u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("APIKey"))
		u.SetNamespace(w.namespace)
		u.SetName("key")
		w.must(w.client.Apply(w.Context(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("kubectl"), client.ForceOwnership))
	}
	apply()
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	if got := limitsOf(w.key("key").Status); got != keepingIt {
		t.Errorf("limits: %q", got)
	}
	key, secret := w.key("key"), w.secret("key")
	for range 10 {
		w.later(time.Minute)
		apply()
		w.reconcile("key")
	}
	if diff := cmp.Diff(key, w.key("key")); diff != "" {
		t.Errorf("the APIKey has changed (-first +last)\n%s", diff)
	}
	w.wantSame(secret)
}
