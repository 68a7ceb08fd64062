package admission

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// TestWideningBeforeIssue: of a key that isn't issued yet the API's defaults count, as
// they would be resolved now, and it may be adopted from a Secret.
func TestWideningBeforeIssue(t *testing.T) {
	unnamed := wideningRow{after: keySpec{Secret: &v1alpha1.SecretTemplate{Name: "other", Entry: "token"}}}
	const name, entry = "spec.secret.name: a key in that Secret would be adopted", "spec.secret.entry: a key in that entry would be adopted"
	unnamed.name, unnamed.wide, unnamed.narrow = "the Secret", opens(everything, name, entry), opens(everything, name, entry)
	for _, row := range []wideningRow{
		unnamed,
		{name: "the Secret, in other words", after: keySpec{Secret: &v1alpha1.SecretTemplate{Name: "integration", Entry: "api-key", DeleteAfter: "1h"}}},
		{
			name: "own end before the default one", after: keySpec{ExpiresAt: inTime(59 * time.Minute)}, api: defaults("1h", nil),
			narrow: opens(everything, "spec.expiresAt: the key ends on 2026-11-03T10:41:07Z instead of 2026-11-03T10:40:07Z"),
		},
		{
			name: "own end after the default one", after: keySpec{ExpiresAt: inTime(61 * time.Minute)}, api: defaults("1h", nil),
			wide: opens(everything, "spec.expiresAt: the key ends on 2026-11-03T10:42:07Z instead of 2026-11-03T10:41:07Z"),
		},
		{name: "own limit above the default one", after: keySpec{RateLimit: fixed(11, "1h")}, api: defaults("", fixed(10, "1h")), wide: opens(everything, "spec.rateLimit: more requests may pass")},
		{name: "own limit below the default one", before: keySpec{RateLimit: fixed(9, "1h")}, api: defaults("", fixed(10, "1h")), wide: opens(everything, "spec.rateLimit: more requests may pass")},
		{
			name: "more, though the default end has passed", api: apiSpec{
				KeyDefaults: &v1alpha1.KeyDefaults{TTL: "30m"}, KeyLimits: &v1alpha1.KeyLimits{MaxTTL: "45m"},
			}, // its owner may make it later ones, and then the key is issued
			before: keySpec{Scopes: []v1alpha1.Scope{"a"}}, after: keySpec{Scopes: []v1alpha1.Scope{"a", "b"}, DisplayName: "Shop"},
			wide: opens([]string{"b"}, "spec.scopes: b is added"),
		},
	} {
		checkWidening(t, row, false, policyFor(t, apiOf(row.api)))
	}
}

// TestWideningOfPending: a key that nobody has had may be dropped yet: then a Secret is
// adopted, or the key issued anew, with the API's defaults as they would be resolved now.
func TestWideningOfPending(t *testing.T) {
	const (
		prolonged = "spec.expiresAt: the key ends on 2026-11-03T10:41:07Z instead of 2026-11-03T10:40:07Z"
		atAll     = "spec.expiresAt: the key ends on 2026-11-03T10:40:07Z instead of 2026-11-03T09:42:07Z"
		later     = "spec.expiresAt: the key ends on 2026-11-03T11:41:07Z instead of 2026-11-03T10:42:07Z"
	)
	for _, row := range []struct {
		wideningRow
		effective *v1alpha1.EffectiveDefaults
		delivered [2]opened // what it and its opposite open once it is Current
	}{
		{
			wideningRow: wideningRow{
				name: "the Secret", after: keySpec{Secret: &v1alpha1.SecretTemplate{Name: "other"}},
				wide:   opens(everything, "spec.secret.name: a key in that Secret would be adopted"),
				narrow: opens(everything, "spec.secret.name: a key in that Secret would be adopted"),
			},
		},
		{
			wideningRow: wideningRow{
				name: "more, though the default end has passed", before: keySpec{Scopes: []v1alpha1.Scope{"a"}}, after: keySpec{Scopes: []v1alpha1.Scope{"a", "b"}},
				wide: opens([]string{"b"}, "spec.scopes: b is added"),
			},
			effective: &v1alpha1.EffectiveDefaults{ExpiresAt: inTime(-time.Second)},
		},
		{
			wideningRow: wideningRow{
				name: "no own end any more, where the default one is earlier, but later if it is issued anew", before: keySpec{ExpiresAt: inTime(59 * time.Minute)}, api: defaults("1h", nil),
				wide: opens(everything, prolonged), narrow: opens(everything, atAll),
			},
			effective: &v1alpha1.EffectiveDefaults{ExpiresAt: inTime(time.Minute)}, delivered: [2]opened{{}, opens(everything, atAll)},
		},
		{
			wideningRow: wideningRow{
				name: "an own end before the default one, but later if it is issued anew", after: keySpec{ExpiresAt: inTime(61 * time.Minute)}, api: defaults("1h", nil),
				wide:   opens(everything, "spec.expiresAt: the key ends on 2026-11-03T10:42:07Z instead of 2026-11-03T10:41:07Z"),
				narrow: opens(everything, later),
			},
			effective: &v1alpha1.EffectiveDefaults{ExpiresAt: inTime(2 * time.Hour)}, delivered: [2]opened{{}, opens(everything, later)},
		},
	} {
		for _, phase := range []v1alpha1.KeyPhase{v1alpha1.KeyPending, v1alpha1.KeySuperseded, v1alpha1.KeyRetiring, v1alpha1.KeyCurrent} {
			before, after := keysOfRow(row.wideningRow, true)
			for _, k := range []*v1alpha1.APIKey{before, after} {
				k.Status.Keys[0].Phase, k.Status.Effective = phase, row.effective
			}
			want := [2]opened{row.wide, row.narrow}
			if phase == v1alpha1.KeyCurrent {
				want = row.delivered
			}
			api := policyFor(t, apiOf(row.api))
			got := [2]opened{widening(before, after, api, editedAt), widening(after, before, api, editedAt)}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(opened{})); diff != "" {
				t.Errorf("%s, %s (-want +got)\n%s", row.name, phase, diff)
			}
		}
	}
}

// TestWideningOfIssued: the defaults of an issued key are those of its status, whatever
// the API says today, and whatever status the edit comes with.
func TestWideningOfIssued(t *testing.T) {
	before, after := keysOfRow(wideningRow{before: keySpec{ExpiresAt: inTime(time.Hour)}}, true)
	before.Status.Effective = &v1alpha1.EffectiveDefaults{ExpiresAt: inTime(time.Hour)}
	api := policyFor(t, apiOf(defaults("8760h", nil)))
	if got := widening(before, after, api, editedAt); got.any() {
		t.Errorf("the same end opens %v", got)
	}
	before.Status.Effective.ExpiresAt = inTime(2 * time.Hour)
	if got := widening(before, after, api, editedAt); !got.any() {
		t.Error("a later default opens nothing")
	}
}

// TestWideningOfUnknownAPI: all that is more counts, and what only takes away is let
// through, whatever the API may turn out to ask for.
func TestWideningOfUnknownAPI(t *testing.T) {
	for _, row := range []wideningRow{
		{name: "nothing", before: keySpec{DisplayName: "Shop"}},
		{
			name: "no scopes are nothing before, and everything after", before: keySpec{Scopes: []v1alpha1.Scope{"a"}},
			wide:   opens(everything, "spec.scopes: * is added"),
			narrow: opens([]string{"a"}, "spec.scopes: a is added"),
		},
		{name: "fewer scopes", before: keySpec{Scopes: []v1alpha1.Scope{"a"}}, after: keySpec{Scopes: []v1alpha1.Scope{"b", "a"}}, wide: opens([]string{"b"}, "spec.scopes: b is added")},
		{name: "their order", before: keySpec{Scopes: []v1alpha1.Scope{"a", "b"}}, after: keySpec{Scopes: []v1alpha1.Scope{"b", "a"}}},
		{name: "a wildcard", before: keySpec{Scopes: []v1alpha1.Scope{"f:x"}}, after: keySpec{Scopes: []v1alpha1.Scope{"f:*"}}, wide: opens([]string{"f:*"}, "spec.scopes: f:* is added")},
		{name: "project", before: keySpec{Project: "p1"}, wide: opens(everything, "spec.project: it is unset")},
		{name: "attribute", before: keySpec{Attributes: map[string]v1alpha1.AttributeValue{"a": "1"}}, wide: opens(everything, "spec.attributes.a: it is unset")},
		{
			name: "owner", before: keySpec{Owner: &v1alpha1.Owner{Name: "Ann"}},
			wide: opens(everything, "spec.owner.name: it is unset"), narrow: opens(everything, "spec.owner.name: it is set, and the upstream is told"),
		},
		{name: "fewer addresses", after: keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.1"}}, narrow: opens(everything, "spec.allowedIPs: every address is let in")},
		{
			name: "an end", before: keySpec{ExpiresAt: inTime(time.Hour)},
			wide: opens(everything, "spec.expiresAt: the key never ends instead of 2026-11-03T10:41:07Z"),
		},
		{
			name: "a limit", before: keySpec{RateLimit: fixed(1, "1h")},
			wide: opens(everything, "spec.rateLimit: there is none any more"),
		},
		{name: "suspend", after: keySpec{State: "Suspended"}, narrow: opens(everything, "spec.state: it is resumed")},
	} {
		checkWidening(t, row, false, nil)
	}
}

// TestWideningOfNewKeys: import and adoption are creations, too.
func TestWideningOfNewKeys(t *testing.T) {
	limited := apiSpec{KeyDefaults: &v1alpha1.KeyDefaults{TTL: "1h"}, KeyLimits: &v1alpha1.KeyLimits{MaxTTL: "2h"}}
	for _, row := range []struct {
		name string
		spec keySpec
		api  *policyOf
		want opened
	}{
		{"the default API", keySpec{}, policyFor(t, nil), opens(everything, "spec: the APIKey is new")},
		{"an unknown API", keySpec{}, nil, opens(everything, "spec: the APIKey is new")},
		{"an API where no scopes are nothing", keySpec{}, policyFor(t, apiOf(declaring("a"))), opens(nil, "spec: the APIKey is new")},
		{"with scopes", keySpec{Scopes: []v1alpha1.Scope{"b:*", "a"}}, policyFor(t, apiOf(declaring("a"))), opens([]string{"a", "b:*"}, "spec: the APIKey is new")},
		{"import", keySpec{ExistingKey: &v1alpha1.ExistingKey{SHA256: "00"}}, policyFor(t, nil), opens(everything, "spec: the APIKey is new")},
		{"with an end by default, though nobody says when it was created", keySpec{}, policyFor(t, apiOf(limited)), opens(everything, "spec: the APIKey is new")},
		{"suspended", keySpec{State: "Suspended"}, policyFor(t, nil), opened{}},
		{"revoked", keySpec{State: "Revoked"}, nil, opened{}},
		{"expired", keySpec{ExpiresAt: inTime(0)}, nil, opened{}},
		{"that can't be read", keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.0/99"}}, policyFor(t, nil), opens(everything, "spec: the APIKey is new")},
	} {
		k := &v1alpha1.APIKey{Spec: row.spec}
		k.Namespace, k.Name = "team", "integration"
		k.Status.Effective = &v1alpha1.EffectiveDefaults{ExpiresAt: inTime(-time.Hour)} // nobody's but the controller's to say
		k.DeletionTimestamp = inTime(0)
		if diff := cmp.Diff(row.want, widening(nil, k, row.api, editedAt), cmp.AllowUnexported(opened{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", row.name, diff)
		}
	}
}

// TestWideningOfWhatTheSchemaRefuses: should it ever get here, it isn't let through.
func TestWideningOfWhatTheSchemaRefuses(t *testing.T) {
	row := wideningRow{
		before: keySpec{APIRef: &v1alpha1.ProtectedAPIReference{Name: "other"}, Environment: "test", ExistingKey: &v1alpha1.ExistingKey{SHA256: "00"}},
		after:  keySpec{Environment: "live"},
		wide:   opens(everything, "spec.apiRef: it opens another API", "spec.environment: it is changed", "spec.existingKey: it is another key"),
	}
	row.name, row.narrow = "what is immutable", row.wide
	checkWidening(t, row, true, policyFor(t, apiOf(apiSpec{})))
	for _, row := range []wideningRow{
		{name: "addresses", after: keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.0/99"}}, wide: opens(everything, `spec.allowedIPs: netip.ParsePrefix("10.0.0.0/99"): prefix length out of range`)},
		{name: "rate limit", after: keySpec{RateLimit: fixed(1, "1")}, wide: opens(everything, `spec.rateLimit: 1 requests in "1" can't be counted`)},
		{name: "state", after: keySpec{State: "Sleeping"}, narrow: opens(everything, `spec.state: "Sleeping" is not known`, "spec.state: it is resumed")},
	} {
		if row.narrow.why == nil {
			row.narrow = row.wide
		}
		checkWidening(t, row, true, policyFor(t, apiOf(apiSpec{})))
	}
}

// TestWideningOfDeletion: what is being deleted never comes back.
func TestWideningOfDeletion(t *testing.T) {
	before, after := keysOfRow(wideningRow{before: keySpec{Project: "p1"}}, true)
	before.DeletionTimestamp = inTime(0)
	if got := widening(before, after, nil, editedAt); got.any() {
		t.Errorf("opens %v", got)
	}
}
