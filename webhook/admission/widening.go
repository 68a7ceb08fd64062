package admission

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// opened is what an edit of an APIKey opens that was closed before. The zero
// opened opens nothing.
type opened struct {
	// why is what widens, for people, in the order of the fields of the spec.
	why []string
	// scopes are those of which the editor needs the right: wildcards as written,
	// "*" for full access without scopes; sorted, each once.
	scopes []string
}

// any reports whether the edit opens anything.
func (o opened) any() bool { return len(o.why) > 0 }

// policyOf is what has to be known of an API to tell what opens it. Nil is an API
// that isn't known, or is broken. It counts as one that asks for nothing, so that it
// keeps nobody from taking away, and of which every scope, and full access, is more.
type policyOf struct {
	compiled *keyring.API               // without Err
	spec     *v1alpha1.ProtectedAPISpec // nil for the default API
}

// isDefault holds for the default API: it takes every scope for known, and nobody can
// declare any, nor bind anything.
func (p *policyOf) isDefault() bool { return p != nil && p.spec == nil }

// opensUnscoped reports whether keys without scopes are known to have full access.
func (p *policyOf) opensUnscoped() bool { return p != nil && !p.compiled.DenyEmptyScopes }

// conditional reports whether the API is known to have conditions.
func (p *policyOf) conditional() bool { return p != nil && len(p.compiled.Conditions) > 0 }

// asksFor reports whether a key that has no value there is known to be denied for it,
// or may be.
func (p *policyOf) asksFor(f keyField) bool {
	return p.conditional() || p != nil && slices.ContainsFunc(p.compiled.Bindings, func(b keyring.Binding) bool {
		return !b.IfKeyHas && b.Field == f.Field && b.Attribute == f.Attribute
	})
}

// keyField is a value of a key that bindings can name, by a binding that does.
type keyField = keyring.Binding

// edit is a change of an APIKey, as it is enforced before and after.
type edit struct {
	from, to *keyring.Key
	// old and wanted are the APIKeys of from and to.
	old, wanted *v1alpha1.APIKey
	api         *policyOf
}

// widening returns what an edit of an APIKey opens: whatever lets a request pass
// that was denied before, or lets it reach the upstream as somebody else's. That is
// judged by the API as it is, and as its owner may make it at any time by declaring
// another scope or adding a binding with ifKeyHas. How full the rate limit is doesn't
// count.
//
// Without before the APIKey is new. Without api the ProtectedAPI isn't known. Of after
// only the spec counts, as an edit changes nothing else that is enforced. Whatever
// can't be read opens everything.
func widening(before, after *v1alpha1.APIKey, api *policyOf, now time.Time) opened {
	o := widens(before, after, api, now)
	if o.any() || before == nil || len(before.Status.Keys) == 0 || policy.Delivered(before) {
		return o
	}
	dropped := &v1alpha1.APIKey{ObjectMeta: before.ObjectMeta, Spec: before.Spec} // to be issued anew, with the defaults of then
	return widens(dropped, after, api, now)
}

// widens is widening for a key whose versions stay.
func widens(before, after *v1alpha1.APIKey, api *policyOf, now time.Time) opened {
	e := edit{old: before, wanted: stored(before, after, now), api: api}
	e.to = enforced(e.wanted, api, now)
	if e.to.State != keyring.Active || ended(e.wanted, e.to, now) {
		return opened{}
	}
	if before == nil {
		return opened{why: []string{"spec: the APIKey is new"}, scopes: e.allScopes()}
	}
	e.from = enforced(before, api, now)
	if why := slices.Concat(e.unreadable(), e.revived(now)); len(why) > 0 {
		return opened{why: why, scopes: e.allScopes()}
	}
	more := e.moreScopes()
	why := slices.Concat(e.identity(), e.values(), added(more), e.readScopes(), e.addresses(), e.rate(), e.end(), e.otherKey())
	if len(why) > len(added(more)) {
		more = e.allScopes()
	}
	return opened{why: why, scopes: more}
}

// stored is an APIKey as it is after an edit, with the status it has.
func stored(before, after *v1alpha1.APIKey, now time.Time) *v1alpha1.APIKey {
	if before != nil {
		return &v1alpha1.APIKey{ObjectMeta: before.ObjectMeta, Spec: after.Spec, Status: before.Status}
	}
	out := &v1alpha1.APIKey{ObjectMeta: after.ObjectMeta, Spec: after.Spec}
	out.DeletionTimestamp = nil
	if out.CreationTimestamp.IsZero() { // else a default that is counted from it had ended long ago
		out.CreationTimestamp = policy.Seconds(now)
	}
	return out
}

// enforced is what will be enforced of an APIKey, if need be with defaults as the
// controller resolves them at first issue.
func enforced(k *v1alpha1.APIKey, api *policyOf, now time.Time) *keyring.Key {
	var spec *v1alpha1.ProtectedAPISpec
	if api != nil {
		spec = api.spec
	}
	return compile.Key(policy.Resolved(k, spec, now))
}

// ended reports whether an APIKey has come to its end, for certain.
func ended(k *v1alpha1.APIKey, compiled *keyring.Key, now time.Time) bool {
	return policy.EndCertain(k) && !compiled.ExpiresAt.IsZero() && compiled.ExpiresAt <= keyring.At(now)
}

// unreadable says what can't be compared: the schema refuses it.
func (e *edit) unreadable() []string {
	for _, k := range []*keyring.Key{e.to, e.from} {
		if k.Err != nil {
			return []string{k.Err.Error()}
		}
	}
	return nil
}

// revived says why nothing could pass before.
func (e *edit) revived(now time.Time) (why []string) {
	if ended(e.old, e.from, now) {
		why = append(why, "spec.expiresAt: the key had expired, and now "+until(e.to))
	}
	switch e.from.State {
	case keyring.Active:
	case keyring.Suspended:
		why = append(why, "spec.state: it is resumed")
	default:
		why = append(why, "spec.state: it was for good")
	}
	return why
}

// identity says which fields changed that the schema lets nobody change.
func (e *edit) identity() (why []string) {
	if e.from.API != e.to.API {
		why = append(why, "spec.apiRef: it opens another API")
	}
	if e.from.Environment != e.to.Environment {
		why = append(why, "spec.environment: it is changed")
	}
	return why
}

// values says which values changed that requests may be bound to. The upstream is told
// most of them, too: without a project it takes the key for one of every project, but
// without an owner for nobody's.
func (e *edit) values() (why []string) {
	check := func(name string, f keyField) {
		before, had := e.from.Value(f)
		after, has := e.to.Value(f)
		switch {
		case had && !has:
			why = append(why, "spec."+name+": it is unset")
		case had && before != after:
			why = append(why, "spec."+name+": it is changed")
		case !had && has && f.Field != keyring.Project && f.Field != keyring.Attribute:
			why = append(why, "spec."+name+": it is set, and the upstream is told")
		case !had && has && e.api.asksFor(f):
			why = append(why, "spec."+name+": it is set, and the API may ask for it")
		}
	}
	check("project", keyField{Field: keyring.Project})
	var names []string
	for _, a := range slices.Concat(e.from.Attributes, e.to.Attributes) {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		check("attributes."+name, keyField{Field: keyring.Attribute, Attribute: name})
	}
	check("owner.name", keyField{Field: keyring.OwnerName})
	check("owner.email", keyField{Field: keyring.OwnerEmail})
	return why
}

// allScopes are all scopes of the key after the edit.
func (e *edit) allScopes() []string {
	switch {
	case len(e.to.Scopes) > 0:
		return sorted(e.to.Scopes)
	case e.api == nil || e.api.opensUnscoped():
		return []string{everyScope}
	}
	return nil
}

// moreScopes are those that none of the scopes before covers. They are compared as
// they are written, for the API may declare more of them at any time. Full access is
// more than "*": it also passes where the gateway demands a scope that the API doesn't
// declare.
func (e *edit) moreScopes() []string {
	had, has := len(e.from.Scopes) > 0, len(e.to.Scopes) > 0
	switch {
	case !had && (!has || e.api.opensUnscoped()):
		return nil
	case !has && e.api.isDefault() && e.from.Scopes.Grant(everyScope):
		return nil
	case !has:
		return e.allScopes()
	}
	return sorted(slices.DeleteFunc(slices.Clone(e.to.Scopes), e.from.Scopes.Grant))
}

func sorted(scopes []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(scopes)))
}

// added says which scopes are more.
func added(more []string) []string {
	switch {
	case len(more) == 0:
		return nil
	case len(more) == 1:
		return []string{"spec.scopes: " + more[0] + " is added"}
	}
	return []string{"spec.scopes: " + listed(more) + " are added"}
}

// readScopes says that conditions may read scopes that changed: also fewer of them.
func (e *edit) readScopes() []string {
	if slices.Equal(e.from.Scopes, e.to.Scopes) || !e.api.conditional() {
		return nil
	}
	return []string{"spec.scopes: conditions of the API may ask for how they are now"}
}

// addresses says who is let in. Without a list those are in, too, whose address isn't
// known.
func (e *edit) addresses() []string {
	if len(e.from.AllowedIPs) == 0 {
		return nil
	}
	if len(e.to.AllowedIPs) == 0 {
		return []string{"spec.allowedIPs: every address is let in"}
	}
	var blocks []string
	for _, i := range outside(e.to.AllowedIPs, e.from.AllowedIPs) {
		blocks = append(blocks, string(e.wanted.Spec.AllowedIPs[i]))
	}
	switch len(blocks) {
	case 0:
		return nil
	case 1:
		return []string{"spec.allowedIPs: " + blocks[0] + " is let in"}
	}
	return []string{"spec.allowedIPs: " + listed(blocks) + " are let in"}
}

func (e *edit) rate() []string {
	switch {
	case e.to.Limit.Exceeds(e.from.Limit) && e.to.Limit.Unlimited():
		return []string{"spec.rateLimit: there is none any more"}
	case e.to.Limit.Exceeds(e.from.Limit):
		return []string{"spec.rateLimit: more requests may pass"}
	}
	return nil
}

func (e *edit) end() []string {
	from, to := e.from.ExpiresAt, e.to.ExpiresAt
	if !from.IsZero() && (to.IsZero() || to > from) {
		return []string{"spec.expiresAt: the key " + until(e.to) + " instead of " + from.Time().Format(time.RFC3339)}
	}
	return nil
}

// until says when a key ends.
func until(k *keyring.Key) string {
	if k.ExpiresAt.IsZero() {
		return "never ends"
	}
	return "ends on " + k.ExpiresAt.Time().Format(time.RFC3339)
}

// otherKey says where the key may become one that somebody else holds: until it has
// one, the key in a Secret that was left behind is adopted.
func (e *edit) otherKey() (why []string) {
	if !equality.Semantic.DeepEqual(e.old.Spec.ExistingKey, e.wanted.Spec.ExistingKey) {
		why = append(why, "spec.existingKey: it is another key")
	}
	if policy.Delivered(e.old) {
		return why
	}
	if apikey.SecretName(e.old) != apikey.SecretName(e.wanted) {
		why = append(why, "spec.secret.name: a key in that Secret would be adopted")
	}
	if apikey.SecretEntry(e.old) != apikey.SecretEntry(e.wanted) {
		why = append(why, "spec.secret.entry: a key in that entry would be adopted")
	}
	return why
}

// listedAtMost is how many names a message lists.
const listedAtMost = 5

func listed(names []string) string {
	more := len(names) - listedAtMost
	if more <= 0 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:listedAtMost], ", "), more)
}
