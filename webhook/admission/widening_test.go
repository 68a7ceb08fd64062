package admission

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// These make the objects of the rows below.
type (
	keySpec = v1alpha1.APIKeySpec
	apiSpec = v1alpha1.ProtectedAPISpec
)

func inTime(d time.Duration) *metav1.Time { return &metav1.Time{Time: editedAt.Add(d)} }

func fixed(requests int32, period v1alpha1.Duration) *v1alpha1.RateLimit {
	return &v1alpha1.RateLimit{Requests: requests, Period: period, Algorithm: v1alpha1.FixedWindow}
}

func tokens(requests int32, period v1alpha1.Duration, burst int32) *v1alpha1.RateLimit {
	return &v1alpha1.RateLimit{Requests: requests, Period: period, Algorithm: v1alpha1.TokenBucket, Burst: burst}
}

func declaring(scopes ...v1alpha1.Scope) apiSpec {
	p := apiSpec{}
	for _, s := range scopes {
		p.Scopes = append(p.Scopes, v1alpha1.ScopeDeclaration{Name: s})
	}
	return p
}

func binding(field string, ifKeyHas bool) apiSpec {
	return apiSpec{Bindings: []v1alpha1.Binding{bindHeader("x-it", field, ifKeyHas)}}
}

func meeting(condition string) apiSpec {
	return apiSpec{Conditions: []v1alpha1.KeyCondition{{Expression: condition}}}
}

func defaults(ttl v1alpha1.Duration, rate *v1alpha1.RateLimit) apiSpec {
	return apiSpec{KeyDefaults: &v1alpha1.KeyDefaults{TTL: ttl, RateLimit: rate}}
}

// wideningRow is an edit, and what it and its opposite open.
type wideningRow struct {
	name          string
	before, after keySpec
	api           apiSpec
	wide, narrow  opened // of before to after, and of after to before
}

// opens is what opens scopes for reasons: none of the reasons, if none opens anything.
func opens(scopes []string, why ...string) opened { return opened{why: why, scopes: scopes} }

// keysOfRow are the APIKeys of a row: issued, or not yet.
func keysOfRow(row wideningRow, issued bool) (before, after *v1alpha1.APIKey) {
	before = &v1alpha1.APIKey{Spec: row.before}
	before.Namespace, before.Name, before.CreationTimestamp = "team", "integration", metav1.NewTime(editedAt.Add(-time.Hour))
	if issued {
		before.Status.Keys = issuedVersions()
	}
	after = before.DeepCopy()
	after.Spec = row.after
	return before, after
}

func checkWidening(t *testing.T, row wideningRow, issued bool, api *policyOf) {
	t.Helper()
	before, after := keysOfRow(row, issued)
	for _, way := range []struct {
		name     string
		from, to *v1alpha1.APIKey
		want     opened
	}{{"there", before, after, row.wide}, {"back", after, before, row.narrow}} {
		got := widening(way.from, way.to, api, editedAt)
		if diff := cmp.Diff(way.want, got, cmp.AllowUnexported(opened{})); diff != "" {
			t.Errorf("%s, %s (-want +got)\n%s", row.name, way.name, diff)
		}
	}
}

// everything is what a key without scopes has.
var everything = []string{"*"}

func TestWidening(t *testing.T) {
	ab := []v1alpha1.Scope{"b", "a"}
	for _, row := range []wideningRow{
		{name: "nothing"},
		{name: "resume", before: keySpec{State: "Suspended"}, after: keySpec{State: "Active"}, wide: opens(everything, "spec.state: it is resumed")},
		{name: "resume with less than it had", before: keySpec{State: "Suspended", Scopes: ab}, after: keySpec{Scopes: ab[:1]}, wide: opens([]string{"b"}, "spec.state: it is resumed")},
		{name: "resume what has expired", before: keySpec{State: "Suspended"}, after: keySpec{ExpiresAt: inTime(0)}},
		{name: "suspended, whatever else", before: keySpec{State: "Suspended", AllowedIPs: []v1alpha1.IPBlock{"10.0.0.1"}}, after: keySpec{State: "Suspended"}},
		{name: "back from revoked", before: keySpec{State: "Revoked"}, wide: opens(everything, "spec.state: it was for good")},
		{
			name: "prolong", before: keySpec{ExpiresAt: inTime(time.Hour)}, after: keySpec{ExpiresAt: inTime(2 * time.Hour)},
			wide: opens(everything, "spec.expiresAt: the key ends on 2026-11-03T11:41:07Z instead of 2026-11-03T10:41:07Z"),
		},
		{
			name: "no end any more", before: keySpec{ExpiresAt: inTime(time.Hour)},
			wide: opens(everything, "spec.expiresAt: the key never ends instead of 2026-11-03T10:41:07Z"),
		},
		{
			name: "prolong what has expired", before: keySpec{ExpiresAt: inTime(0), Scopes: ab}, after: keySpec{ExpiresAt: inTime(1), Scopes: ab},
			wide: opens([]string{"a", "b"}, "spec.expiresAt: the key had expired, and now ends on 2026-11-03T09:41:07Z"),
		},
		{name: "expired, whatever else", before: keySpec{ExpiresAt: inTime(-time.Hour), Project: "p1"}, after: keySpec{ExpiresAt: inTime(0)}},
		{
			name: "expired and suspended", before: keySpec{ExpiresAt: inTime(-1), State: "Suspended"},
			wide: opens(everything, "spec.expiresAt: the key had expired, and now never ends", "spec.state: it is resumed"),
		},
		{
			name: "more of many addresses", before: keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.0/25", "10.0.0.128/25"}},
			after: keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.0/24", "203.0.113.0/24"}},
			wide:  opens(everything, "spec.allowedIPs: 203.0.113.0/24 is let in"),
		},
		{name: "the same addresses", before: keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.0/25", "10.0.0.128/25"}}, after: keySpec{AllowedIPs: []v1alpha1.IPBlock{"::ffff:10.0.0.0/120"}}},
		{
			name: "other addresses", before: keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.1"}}, after: keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.2", "10.0.0.3"}},
			wide: opens(everything, "spec.allowedIPs: 10.0.0.2, 10.0.0.3 are let in"), narrow: opens(everything, "spec.allowedIPs: 10.0.0.1 is let in"),
		},
		{
			name: "no list", before: keySpec{AllowedIPs: []v1alpha1.IPBlock{"0.0.0.0/0", "::/0"}}, // which holds no unknown address
			wide: opens(everything, "spec.allowedIPs: every address is let in"),
		},
		{name: "higher limit", before: keySpec{RateLimit: fixed(10, "1h")}, after: keySpec{RateLimit: fixed(11, "1h")}, wide: opens(everything, "spec.rateLimit: more requests may pass")},
		{name: "shorter window", before: keySpec{RateLimit: fixed(10, "1h")}, after: keySpec{RateLimit: fixed(10, "30m")}, wide: opens(everything, "spec.rateLimit: more requests may pass")},
		{name: "no limit", before: keySpec{RateLimit: fixed(10, "1h")}, wide: opens(everything, "spec.rateLimit: there is none any more")},
		{name: "the same in other words", before: keySpec{RateLimit: fixed(10, "1h")}, after: keySpec{RateLimit: fixed(10, "60m")}},
		{
			name: "bucket to window", before: keySpec{RateLimit: tokens(10, "1h", 5)}, after: keySpec{RateLimit: fixed(5, "1h")},
			narrow: opens(everything, "spec.rateLimit: more requests may pass"),
		},
		{
			name: "each in its way", before: keySpec{RateLimit: tokens(20, "1h", 1)}, after: keySpec{RateLimit: fixed(5, "1h")},
			wide: opens(everything, "spec.rateLimit: more requests may pass"), narrow: opens(everything, "spec.rateLimit: more requests may pass"),
		},
		{
			name: "project changed", before: keySpec{Project: "p1"}, after: keySpec{Project: "p2"},
			wide: opens(everything, "spec.project: it is changed"), narrow: opens(everything, "spec.project: it is changed"),
		},
		{name: "project unset", before: keySpec{Project: "p1"}, wide: opens(everything, "spec.project: it is unset")},
		{name: "project unset, bound if there is one", before: keySpec{Project: "p1"}, api: binding("project", true), wide: opens(everything, "spec.project: it is unset")},
		{
			name: "project unset, bound", before: keySpec{Project: "p1"}, api: binding("project", false),
			wide: opens(everything, "spec.project: it is unset"), narrow: opens(everything, "spec.project: it is set, and the API may ask for it"),
		},
		{name: "project unset, another field bound", before: keySpec{Project: "p1"}, api: binding("owner.name", false), wide: opens(everything, "spec.project: it is unset")},
		{
			name:   "attributes, in order",
			before: keySpec{Attributes: map[string]v1alpha1.AttributeValue{"z": "1", "b": "1", "same": "1"}},
			after:  keySpec{Attributes: map[string]v1alpha1.AttributeValue{"b": "2", "same": "1", "new": "1"}},
			wide:   opens(everything, "spec.attributes.b: it is changed", "spec.attributes.z: it is unset"),
			narrow: opens(everything, "spec.attributes.b: it is changed", "spec.attributes.new: it is unset"),
		},
		{
			name: "an attribute bound", before: keySpec{Attributes: map[string]v1alpha1.AttributeValue{"a": "1", "b": "1"}}, api: binding("attributes.a", false),
			wide:   opens(everything, "spec.attributes.a: it is unset", "spec.attributes.b: it is unset"),
			narrow: opens(everything, "spec.attributes.a: it is set, and the API may ask for it"),
		},
		{
			name: "owner", before: keySpec{Owner: &v1alpha1.Owner{Name: "Ann", Email: "ann@x.example"}}, after: keySpec{Owner: &v1alpha1.Owner{Name: "Bob"}},
			wide:   opens(everything, "spec.owner.name: it is changed", "spec.owner.email: it is unset"),
			narrow: opens(everything, "spec.owner.name: it is changed", "spec.owner.email: it is set, and the upstream is told"),
		},
		{
			name: "owner bound", after: keySpec{Owner: &v1alpha1.Owner{Email: "ann@x.example"}}, api: binding("owner.email", false),
			wide: opens(everything, "spec.owner.email: it is set, and the upstream is told"), narrow: opens(everything, "spec.owner.email: it is unset"),
		},
		{
			name: "owner, of whom nothing asks", after: keySpec{Owner: &v1alpha1.Owner{Name: "Ann", Email: "ann@x.example"}},
			wide:   opens(everything, "spec.owner.name: it is set, and the upstream is told", "spec.owner.email: it is set, and the upstream is told"),
			narrow: opens(everything, "spec.owner.name: it is unset", "spec.owner.email: it is unset"),
		},
		{
			name: "more at once, in the order of the spec",
			before: keySpec{
				Project: "p1", Owner: &v1alpha1.Owner{Name: "Ann"}, Scopes: ab[:1], AllowedIPs: []v1alpha1.IPBlock{"10.0.0.1"},
				RateLimit: fixed(1, "1h"), ExpiresAt: inTime(time.Hour),
			},
			after: keySpec{Project: "p2", Scopes: ab},
			wide: opens([]string{"a", "b"}, "spec.project: it is changed", "spec.owner.name: it is unset", "spec.scopes: a is added", "spec.allowedIPs: every address is let in",
				"spec.rateLimit: there is none any more", "spec.expiresAt: the key never ends instead of 2026-11-03T10:41:07Z"),
			narrow: opens([]string{"b"}, "spec.project: it is changed", "spec.owner.name: it is set, and the upstream is told"),
		},
		{
			name: "what is for people, and how the Secret looks",
			after: keySpec{
				DisplayName: "Shop", Description: "of the shop", Rotation: &v1alpha1.Rotation{Interval: "720h", Trigger: "now"},
				Secret: &v1alpha1.SecretTemplate{Name: "other", Entry: "token", Labels: map[string]v1alpha1.LabelValue{"a": "b"}, DeleteAfter: "1h"},
			},
		},
	} {
		checkWidening(t, row, true, policyFor(t, apiOf(row.api)))
	}
}

func apiOf(spec apiSpec) *v1alpha1.ProtectedAPI {
	p := &v1alpha1.ProtectedAPI{Spec: spec}
	p.Namespace, p.Name = "apis", "shop"
	return p
}

func TestWideningOfScopes(t *testing.T) {
	of := func(names ...v1alpha1.Scope) keySpec { return keySpec{Scopes: names} }
	full := apiSpec{EmptyScopes: v1alpha1.EmptyScopesFullAccess}
	with := func(s apiSpec, e v1alpha1.EmptyScopes) apiSpec {
		s.EmptyScopes = e
		return s
	}
	for _, row := range []wideningRow{
		{name: "one more", before: of("a"), after: of("a", "b"), api: declaring("a", "b"), wide: opens([]string{"b"}, "spec.scopes: b is added")},
		{
			name: "others, once each and sorted", before: of("a"), after: of("d", "c", "d"), api: declaring("a", "c", "d"),
			wide: opens([]string{"c", "d"}, "spec.scopes: c, d are added"), narrow: opens([]string{"a"}, "spec.scopes: a is added"),
		},
		{name: "another order", before: of("a", "b"), after: of("b", "a"), api: declaring("a", "b")},
		{name: "one that the API doesn't declare", before: of("a"), after: of("a", "later"), api: declaring("a"), wide: opens([]string{"later"}, "spec.scopes: later is added")},
		{name: "a wildcard, also where it is all there is today", before: of("f:x"), after: of("f:*"), api: declaring("f:x"), wide: opens([]string{"f:*"}, "spec.scopes: f:* is added")},
		{name: "a wildcard in a wildcard", before: of("f:g:*"), after: of("f:*"), api: declaring("f:g:x"), wide: opens([]string{"f:*"}, "spec.scopes: f:* is added")},
		{name: "a wildcard of all", before: of("f:*", "a"), after: of("*"), api: declaring("a"), wide: opens(everything, "spec.scopes: * is added")},
		{
			name: "many", before: of("a"), after: of("b", "c", "d", "e", "f", "g", "h"),
			wide: opens([]string{"b", "c", "d", "e", "f", "g", "h"}, "spec.scopes: b, c, d, e, f and 2 more are added"), narrow: opens([]string{"a"}, "spec.scopes: a is added"),
		},
		{name: "none, which is everything", before: of("a"), api: with(declaring("a"), v1alpha1.EmptyScopesFullAccess), wide: opens(everything, "spec.scopes: * is added")},
		{name: "none, which is more than all", before: of("*"), api: full, wide: opens(everything, "spec.scopes: * is added")},
		{name: "none, which is nothing", after: of("a"), api: declaring("a"), wide: opens([]string{"a"}, "spec.scopes: a is added")},
		{name: "none, which is said to be nothing", after: of("*"), api: apiSpec{EmptyScopes: v1alpha1.EmptyScopesDeny}, wide: opens(everything, "spec.scopes: * is added")},
		{name: "nothing, resumed", before: keySpec{State: "Suspended"}, api: declaring("a"), wide: opens(nil, "spec.state: it is resumed")},
		{
			name: "with more than scopes", before: keySpec{Scopes: []v1alpha1.Scope{"a", "c"}, Project: "p1"}, after: of("a", "b"), api: declaring("a", "b"),
			wide: opens([]string{"a", "b"}, "spec.project: it is unset", "spec.scopes: b is added"), narrow: opens([]string{"c"}, "spec.scopes: c is added"),
		},
	} {
		checkWidening(t, row, true, policyFor(t, apiOf(row.api)))
	}
	checkWidening(t, wideningRow{name: "the default API, whose scopes are all known", before: of("*")}, true, policyFor(t, nil))
	checkWidening(t, wideningRow{name: "the default API, a scope", before: of("a"), wide: opens(everything, "spec.scopes: * is added")}, true, policyFor(t, nil))
}

// TestWideningUnderConditions: they may ask for anything that they can read.
func TestWideningUnderConditions(t *testing.T) {
	api := policyFor(t, apiOf(meeting("request.method == 'GET'")))
	const asks = "spec.scopes: conditions of the API may ask for how they are now"
	const set, told = ": it is set, and the API may ask for it", ": it is set, and the upstream is told"
	for _, row := range []wideningRow{
		{
			name: "scopes", before: keySpec{Scopes: []v1alpha1.Scope{"a"}}, after: keySpec{Scopes: []v1alpha1.Scope{"a", "b"}},
			wide: opens([]string{"a", "b"}, "spec.scopes: b is added", asks), narrow: opens([]string{"a"}, asks),
		},
		{
			name: "their order", before: keySpec{Scopes: []v1alpha1.Scope{"a", "b"}}, after: keySpec{Scopes: []v1alpha1.Scope{"b", "a"}},
			wide: opens([]string{"a", "b"}, asks), narrow: opens([]string{"a", "b"}, asks),
		},
		{name: "project", before: keySpec{Project: "p1"}, wide: opens(everything, "spec.project: it is unset"), narrow: opens(everything, "spec.project"+set)},
		{
			name: "attribute", before: keySpec{Attributes: map[string]v1alpha1.AttributeValue{"a": "1"}},
			wide: opens(everything, "spec.attributes.a: it is unset"), narrow: opens(everything, "spec.attributes.a"+set),
		},
		{
			name: "owner", before: keySpec{Owner: &v1alpha1.Owner{Name: "Ann", Email: "ann@x.example"}},
			wide:   opens(everything, "spec.owner.name: it is unset", "spec.owner.email: it is unset"),
			narrow: opens(everything, "spec.owner.name"+told, "spec.owner.email"+told),
		},
		{name: "what they can't read", before: keySpec{DisplayName: "Shop"}},
		{name: "what only allows less", after: keySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.1"}}, narrow: opens(everything, "spec.allowedIPs: every address is let in")},
	} {
		checkWidening(t, row, true, api)
	}
}
