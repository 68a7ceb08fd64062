package admission

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// protectedAPIs admits ProtectedAPIs.
type protectedAPIs struct{ *Validators }

var _ admission.Validator[*v1alpha1.ProtectedAPI] = protectedAPIs{}

// ValidateCreate admits a new ProtectedAPI.
func (v protectedAPIs) ValidateCreate(ctx context.Context, p *v1alpha1.ProtectedAPI) (admission.Warnings, error) {
	return v.admitAPI(ctx, nil, p)
}

// ValidateUpdate admits an edit.
func (v protectedAPIs) ValidateUpdate(ctx context.Context, before, after *v1alpha1.ProtectedAPI) (admission.Warnings, error) {
	if equality.Semantic.DeepEqual(before.Spec, after.Spec) || !after.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	return v.admitAPI(ctx, before, after)
}

// ValidateDelete admits every deletion. It isn't asked.
func (protectedAPIs) ValidateDelete(context.Context, *v1alpha1.ProtectedAPI) (admission.Warnings, error) {
	return nil, nil
}

func (v *Validators) admitAPI(ctx context.Context, before, after *v1alpha1.ProtectedAPI) (admission.Warnings, error) {
	ctx, cancel := answering(ctx)
	defer cancel()
	f, err := v.readForAPI(ctx, before, after)
	if err != nil {
		return nil, unknown(err)
	}
	if problems := apiProblems(f); len(problems) > 0 {
		return nil, invalid("ProtectedAPI", after.Name, problems)
	}
	return apiWarnings(f), nil
}

// forAPI is what an edit of a ProtectedAPI is judged by.
type forAPI struct {
	before, after *v1alpha1.ProtectedAPI // before is nil for a new one
	was, is       *keyring.API           // as compiled
	lost          []keyring.HostVerdict  // of the hosts after the edit
	attached      []v1alpha1.APIKey
	now           time.Time
}

func (v *Validators) readForAPI(ctx context.Context, before, after *v1alpha1.ProtectedAPI) (forAPI, error) {
	f := forAPI{before: before, after: after, now: v.Clock.Now()}
	all, err := v.Namespaces.All(ctx)
	if err != nil {
		return f, err
	}
	f.is = compile.API(after, all)
	if f.lost, err = v.lostHosts(ctx, f); err != nil || before == nil {
		return f, err
	}
	f.was = compile.API(before, all)
	var keys v1alpha1.APIKeyList
	if err := v.Cache.List(ctx, &keys, client.MatchingFields{apikey.IndexAPI: f.is.Name.String()}, client.UnsafeDisableDeepCopy); err != nil {
		return f, fmt.Errorf("listing APIKeys: %w", err)
	}
	f.attached = keys.Items
	return f, nil
}

// lostHosts returns the hosts that have no effect, as the controller will say.
func (v *Validators) lostHosts(ctx context.Context, f forAPI) ([]keyring.HostVerdict, error) {
	if len(f.after.Spec.Hosts) == 0 {
		return nil, nil
	}
	var apis v1alpha1.ProtectedAPIList
	if err := v.Cache.List(ctx, &apis, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ProtectedAPIs: %w", err)
	}
	claim := &keyring.API{Name: f.is.Name, CreatedAt: f.is.CreatedAt, Hosts: f.is.Hosts}
	if claim.CreatedAt.IsZero() {
		claim.CreatedAt = f.now
	}
	claims := []*keyring.API{claim}
	for i := range apis.Items {
		p := &apis.Items[i]
		other := &keyring.API{Name: keyring.Name{Namespace: p.Namespace, Name: p.Name}, CreatedAt: p.CreationTimestamp.Time}
		for _, h := range p.Spec.Hosts {
			other.Hosts = append(other.Hosts, string(h))
		}
		if other.Name != claim.Name {
			claims = append(claims, other)
		}
	}
	_, lost := v.Hosts.Assign(claims, nil)
	return lost[claim.Name], nil
}

// fieldOf finds the field that an error of package compile begins with.
var fieldOf = regexp.MustCompile(`^(spec\.[A-Za-z0-9.\[\]]+): `)

// apiProblems are why auth servers can't serve a ProtectedAPI, or no key that leaves
// its policy to it can be issued. What was so before the edit isn't held against it.
func apiProblems(f forAPI) []problem {
	var out []problem
	if err := f.is.Err; err != nil && (f.was == nil || f.was.Err == nil || f.was.Err.Error() != err.Error()) {
		field, says := "spec", err.Error()
		if m := fieldOf.FindStringSubmatch(says); m != nil {
			field, says = m[1], strings.TrimPrefix(says, m[0])
		}
		out = append(out, problem{field: field, says: says + "; auth servers can't serve that: correct it"})
	}
	known := []problem{}
	if f.before != nil {
		known = defaultProblems(f.before, f.now)
	}
	for _, p := range defaultProblems(f.after, f.now) {
		if !slices.ContainsFunc(known, func(k problem) bool { return k.about == p.about && k.by >= p.by }) {
			out = append(out, p)
		}
	}
	return out
}

// ofDefault are the fields of keyDefaults that fill up fields of a key.
var ofDefault = map[string]string{
	"spec.expiresAt":         "spec.keyDefaults.ttl",
	"spec.rateLimit":         "spec.keyDefaults.rateLimit",
	"spec.rateLimit.burst":   "spec.keyDefaults.rateLimit.burst",
	"spec.rotation.interval": "spec.keyDefaults.rotation.interval",
}

// defaultProblems are the keyDefaults that break keyLimits: a key that left all to them
// would not be issued.
func defaultProblems(p *v1alpha1.ProtectedAPI, now time.Time) []problem {
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, CreationTimestamp: metav1.NewTime(now)}}
	k.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Name: p.Name}
	var out []problem
	for _, e := range policy.Exceeded(k, &p.Spec, now) {
		if field := ofDefault[e.Field]; field != "" && !e.Missing() {
			out = append(out, problem{field: field, about: e.Field + " " + e.Limit, by: e.By, says: fmt.Sprintf(
				"is above spec.keyLimits.%s, so that no key which leaves it to the default would be issued: lower the default, or raise the limit", e.Limit)})
		}
	}
	return out
}

// apiWarnings are what an edit of a ProtectedAPI does beside what it says.
func apiWarnings(f forAPI) []string {
	var out []string
	for _, l := range f.lost {
		switch {
		case f.before != nil && slices.Contains(f.before.Spec.Hosts, v1alpha1.Hostname(l.Host)):
		case l.Winner != nil && l.Winner.Namespace == f.after.Namespace:
			out = append(out, fmt.Sprintf("spec.hosts: %s is held by ProtectedAPI %s and has no effect here", l.Host, l.Winner.Name))
		case l.Winner != nil:
			out = append(out, fmt.Sprintf("spec.hosts: %s is held by a ProtectedAPI of another namespace and has no effect here", l.Host))
		default:
			out = append(out, fmt.Sprintf("spec.hosts: %s isn't granted to namespace %s and has no effect: ask the operator for --host-claims", l.Host, f.after.Namespace))
		}
	}
	if f.before == nil || len(f.attached) == 0 {
		return out
	}
	var scopes, outside int
	for i := range f.attached {
		k := &f.attached[i]
		if unknownNow(k, f) {
			scopes++
		}
		if f.was.Admits(k.Namespace) && !f.is.Admits(k.Namespace) {
			outside++
		}
	}
	if scopes > 0 {
		out = append(out, fmt.Sprintf("spec.scopes: %d APIKeys name scopes that aren't declared any more and grant nothing from now on", scopes))
	}
	if outside > 0 {
		out = append(out, fmt.Sprintf("spec.allowedNamespaces: %d APIKeys are in namespaces that aren't admitted any more: their requests are denied from now on", outside))
	}
	if !equality.Semantic.DeepEqual(f.before.Spec.KeyFormat, f.after.Spec.KeyFormat) {
		out = append(out, fmt.Sprintf("spec.keyFormat: touches keys issued from now on; those of %d APIKeys stay as they are until they rotate", len(f.attached)))
	}
	return out
}

// unknownNow reports whether a key names a scope that the edit has made unknown.
func unknownNow(k *v1alpha1.APIKey, f forAPI) bool {
	before := policy.UnknownScopes(k, &f.before.Spec)
	return slices.ContainsFunc(policy.UnknownScopes(k, &f.after.Spec), func(u policy.UnknownScope) bool {
		return !slices.ContainsFunc(before, func(b policy.UnknownScope) bool { return b.Name == u.Name })
	})
}
