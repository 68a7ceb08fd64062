package admission

import (
	"maps"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// editedAt is when edits are made.
var editedAt = time.Date(2026, 11, 3, 9, 41, 7, 0, time.UTC)

const issuedKey = "ak_1234567890abcdef1234567890abcdef"

// What random APIKeys and ProtectedAPIs are made of: little, so that they meet.
var (
	projects = []string{"", "p1", "p2"}
	teams    = []string{"", "t1", "t2"}
	names    = []string{"", "Ann", "Bob"}
	emails   = []string{"", "ann@x.example", "bob@x.example"}
	// catalogue are the scopes that may be declared: each stands for others like it.
	catalogue = []string{"a", "b", "fam:x", "fam:y", "fam:sub:z", "rare", "fam:else", "fam:sub:else", "else"}
	scopePool = []v1alpha1.Scope{"a", "b", "fam:x", "fam:y", "fam:sub:z", "fam:*", "fam:sub:*", "*", "rare"}
	blockPool = []v1alpha1.IPBlock{
		"10.0.0.5", "10.0.0.0/25", "10.0.0.128/25", "10.0.0.0/24", "::ffff:10.0.0.0/121", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/64", "2001:db8::/32", "::/0",
	}
	ends = []time.Duration{-time.Hour, 0, time.Hour, 90 * time.Minute, 2 * time.Hour, 2 * time.Hour, time.Hour, 90 * time.Minute, time.Hour, 90 * time.Minute}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// one is true once in n times.
func one(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// some are up to most different ones.
func some[T comparable](r *rand.Rand, from []T, most int) (out []T) {
	for _, i := range r.Perm(len(from))[:r.IntN(most+1)] {
		out = append(out, from[i])
	}
	return out
}

func randomEnd(r *rand.Rand) *metav1.Time {
	if one(r, 3) {
		return nil
	}
	end := metav1.NewTime(editedAt.Add(pick(r, ends)))
	return &end
}

func randomRate(r *rand.Rand) *v1alpha1.RateLimit {
	if one(r, 4) {
		return nil
	}
	l := &v1alpha1.RateLimit{Requests: pick(r, []int32{1, 2, 4}), Period: pick(r, []v1alpha1.Duration{"1s", "2s", "4s"}), Algorithm: v1alpha1.FixedWindow}
	if one(r, 2) {
		l.Algorithm, l.Burst = v1alpha1.TokenBucket, pick(r, []int32{0, 1, 2, 3})
	}
	return l
}

func randomState(r *rand.Rand) v1alpha1.DesiredState {
	return pick(r, []v1alpha1.DesiredState{"", "Active", "Active", "Active", "Active", "Active", "Suspended", "Revoked"})
}

func setAttribute(s *v1alpha1.APIKeySpec, name, value string) {
	attributes := map[string]v1alpha1.AttributeValue{}
	maps.Copy(attributes, s.Attributes)
	if attributes[name] = v1alpha1.AttributeValue(value); value == "" {
		delete(attributes, name)
	}
	s.Attributes = attributes
}

func setOwner(s *v1alpha1.APIKeySpec, set func(*v1alpha1.Owner)) {
	o := &v1alpha1.Owner{}
	if s.Owner != nil {
		*o = *s.Owner
	}
	set(o)
	if s.Owner = o; *o == (v1alpha1.Owner{}) {
		s.Owner = nil
	}
}

// fieldEdits change one field of an APIKey each; the last few open nothing ever.
var fieldEdits = []func(*rand.Rand, *v1alpha1.APIKeySpec){
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { s.Project = pick(r, projects) },
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { setAttribute(s, "team", pick(r, teams)) },
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { setAttribute(s, "other", pick(r, teams)) },
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) {
		setOwner(s, func(o *v1alpha1.Owner) { o.Name = pick(r, names) })
	},
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) {
		setOwner(s, func(o *v1alpha1.Owner) { o.Email = pick(r, emails) })
	},
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { s.Scopes = some(r, scopePool, 4) },
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) {
		if s.Scopes = append(some(r, scopePool, 1), s.Scopes...); one(r, 2) && len(s.Scopes) > 0 {
			s.Scopes = s.Scopes[:len(s.Scopes)-1] // one comes, one goes
		}
	},
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { s.AllowedIPs = some(r, blockPool, 4) },
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) {
		if n := len(s.AllowedIPs); n > 0 {
			s.AllowedIPs = append(s.AllowedIPs[:r.IntN(n):n], pick(r, blockPool))
		}
	},
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { s.RateLimit = randomRate(r) },
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { s.RateLimit = randomRate(r) },
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { s.ExpiresAt = randomEnd(r) },
	func(r *rand.Rand, s *v1alpha1.APIKeySpec) { s.State = randomState(r) },
	func(_ *rand.Rand, s *v1alpha1.APIKeySpec) { s.DisplayName, s.Description = "Shop", "of the shop" },
	func(_ *rand.Rand, s *v1alpha1.APIKeySpec) { s.Rotation = &v1alpha1.Rotation{Interval: "720h"} },
	func(_ *rand.Rand, s *v1alpha1.APIKeySpec) {
		s.Secret = &v1alpha1.SecretTemplate{Labels: map[string]v1alpha1.LabelValue{"a": "b"}}
	},
}

// randomKey is an APIKey of an API, nil being the default one. One in four has no key
// yet, so that the API's defaults are still to be resolved, and of the others one in
// three has none that was delivered, so that they may be resolved again.
func randomKey(r *rand.Rand, api *v1alpha1.ProtectedAPI) *v1alpha1.APIKey {
	k := &v1alpha1.APIKey{}
	k.Namespace, k.Name, k.UID, k.CreationTimestamp = "team", "integration", "uid", metav1.NewTime(editedAt.Add(-30*time.Minute))
	if api != nil {
		k.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Name: api.Name, Namespace: api.Namespace}
	}
	for _, edit := range fieldEdits {
		edit(r, &k.Spec)
	}
	if !one(r, 6) {
		k.Spec.State = v1alpha1.DesiredActive
		if end := k.Spec.ExpiresAt; end != nil && !end.After(editedAt) {
			k.Spec.ExpiresAt = nil
		}
	}
	if !one(r, 4) {
		k.Status.Keys = issuedVersions()
		if one(r, 4) {
			k.Status.Effective = &v1alpha1.EffectiveDefaults{ExpiresAt: randomEnd(r), RateLimit: randomRate(r)}
		}
		if one(r, 3) {
			k.Status.Keys[0].Phase = pick(r, []v1alpha1.KeyPhase{v1alpha1.KeyPending, v1alpha1.KeySuperseded, v1alpha1.KeyRetiring})
		}
	}
	return k
}

func issuedVersions() []v1alpha1.KeyVersion {
	return []v1alpha1.KeyVersion{{Digest: key.NewRaw(issuedKey).Digest().String(), Phase: v1alpha1.KeyCurrent, IssuedAt: metav1.NewTime(editedAt.Add(-time.Minute))}}
}

// randomEdit changes something, most often one field.
func randomEdit(r *rand.Rand, k *v1alpha1.APIKey) *v1alpha1.APIKey {
	out := k.DeepCopy()
	for one(r, 4) || equality.Semantic.DeepEqual(out.Spec, k.Spec) {
		pick(r, fieldEdits)(r, &out.Spec)
	}
	return out
}

// bindable are the fields that random bindings name, with the header that has to be
// the same, and the values that the field may have.
var bindable = []struct {
	field, header string
	values        []string
}{
	{"project", "x-project", projects}, {"attributes.team", "x-team", teams}, {"owner.name", "x-name", names}, {"owner.email", "x-email", emails},
}

func bindHeader(header, field string, ifKeyHas bool) v1alpha1.Binding {
	return v1alpha1.Binding{From: v1alpha1.BindingSource{Header: v1alpha1.HeaderName(header)}, Equals: field, IfKeyHas: &ifKeyHas}
}

// randomAPI has whatever a verdict depends on. Paths that a variable is bound in are
// open without a scope: else a binding there might never matter.
func randomAPI(r *rand.Rand, conditions bool) *v1alpha1.ProtectedAPI {
	p := &v1alpha1.ProtectedAPI{}
	p.Namespace, p.Name = "apis", "shop"
	p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}
	p.Spec.EmptyScopes = pick(r, []v1alpha1.EmptyScopes{"", v1alpha1.EmptyScopesDeny, v1alpha1.EmptyScopesFullAccess})
	for _, name := range some(r, catalogue, 5) {
		d := v1alpha1.ScopeDeclaration{Name: v1alpha1.Scope(name)}
		if one(r, 2) {
			d.Routes = []v1alpha1.Route{{Path: "/r/" + v1alpha1.PathPattern(pick(r, []string{"1", "2", "**"})), Methods: some(r, []v1alpha1.HTTPMethod{"GET", "POST"}, 1)}}
		}
		p.Spec.Scopes = append(p.Spec.Scopes, d)
	}
	if one(r, 4) {
		p.Spec.PublicRoutes = []v1alpha1.Route{{Path: "/r/2"}}
	}
	p.Spec.UnmatchedRoutes = pick(r, []v1alpha1.Permission{"", v1alpha1.Deny, v1alpha1.Allow, v1alpha1.Allow})
	for _, b := range bindable {
		if one(r, 5) {
			p.Spec.Bindings = append(p.Spec.Bindings, bindHeader(b.header, b.field, !one(r, 4)))
		}
	}
	if one(r, 5) {
		p.Spec.UnmatchedRoutes = v1alpha1.Allow
		p.Spec.Bindings = append(p.Spec.Bindings, v1alpha1.Binding{
			From: v1alpha1.BindingSource{PathVariable: "it", Path: "/of/{it}/**"}, Equals: pick(r, bindable[:2]).field, IfKeyHas: new(one(r, 2)),
		})
	}
	if one(r, 3) {
		p.Spec.KeyDefaults = &v1alpha1.KeyDefaults{RateLimit: randomRate(r), TTL: pick(r, []v1alpha1.Duration{"", "1h", "90m"})}
		if one(r, 3) {
			p.Spec.KeyLimits = &v1alpha1.KeyLimits{MaxTTL: pick(r, []v1alpha1.Duration{"30m", "100m", "100m", "2h"})}
		}
	}
	if conditions {
		p.Spec.Conditions = []v1alpha1.KeyCondition{{Expression: pick(r, conditionPool)}}
	}
	return p
}

// conditionPool are conditions that turn on what keys have, or lack.
var conditionPool = []string{
	"key.project == 'p1'", "key.project != 'p1'", "key.project == ''",
	"key.owner.name != 'Ann' || request.method == 'GET'", "key.owner.email == ''",
	"!('team' in key.attributes)", "'team' in key.attributes && key.attributes.team == 't1'", "!('other' in key.attributes) || request.path == '/'",
	"!('a' in key.scopes)", "size(key.scopes) < 2", "size(key.scopes) > 0 && key.scopes[0] == 'a'", "request.clientIP != '' && 'b' in key.scopes",
}
