package admission

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// variant is an API as it is, or as its owner may make it without asking anybody: with
// one more scope declared (what emptyScopes comes to staying as it is), or one more
// binding with ifKeyHas. Requests for it are shapes.
type variant struct {
	name   string // "" is the API as it is
	api    *keyring.API
	shapes [][]shape // of the same path and headers
}

// shape is what of a request scopes, routes, bindings and conditions look at.
type shape struct {
	method, path string
	headers      headers
	demanded     string // by the gateway, "" for nothing
}

// headers implements auth.Headers.
type headers map[string]string

func (h headers) Value(name string, i int) (string, bool) {
	v, ok := h[name]
	return v, ok && i == 0
}

// at is when a request comes, and where from.
type at struct {
	after  time.Duration
	client string // "" isn't known
}

// moments lie between any two ends of random keys, origins in and around each block.
var (
	moments = []time.Duration{0, 30 * time.Minute, 61 * time.Minute, 80 * time.Minute, 95 * time.Minute, 3 * time.Hour}
	origins = []string{"10.0.0.5", "10.0.0.6", "10.0.0.200", "10.9.9.9", "192.0.2.1", "2001:db8::1", "2001:db8:1::1", "2001:db9::1", ""}
)

// variantsOf are an API, nil for the default one, and what may become of it: the
// scopes' variants by scope, the bindings' by field.
func variantsOf(p *v1alpha1.ProtectedAPI) (base variant, scopes, bindings []variant) {
	if p == nil {
		api := keyring.NewDefaultAPI()
		return variant{api: api, shapes: shapesOf(api, catalogue)}, nil, nil
	}
	api := compile.API(p, nil)
	demanded := []string{"nobody's"}
	if len(p.Spec.Scopes) == 0 {
		demanded = catalogue
	}
	for _, s := range p.Spec.Scopes {
		demanded = append(demanded, string(s.Name))
	}
	base = variant{api: api, shapes: shapesOf(api, demanded)}
	for _, name := range catalogue {
		if api.KnownScopes[name] {
			continue
		}
		more := p.DeepCopy()
		more.Spec.Scopes = append(more.Spec.Scopes, v1alpha1.ScopeDeclaration{Name: v1alpha1.Scope(name)})
		if more.Spec.EmptyScopes = v1alpha1.EmptyScopesFullAccess; api.DenyEmptyScopes {
			more.Spec.EmptyScopes = v1alpha1.EmptyScopesDeny
		}
		compiled := compile.API(more, nil)
		scopes = append(scopes, variant{"declares " + name, compiled, shapesOf(compiled, []string{name, "nobody's"})})
	}
	for _, field := range []string{"project", "attributes.team", "attributes.other", "owner.name", "owner.email"} {
		more := p.DeepCopy()
		more.Spec.Bindings = append(more.Spec.Bindings, bindHeader("x-more", field, true))
		compiled := compile.API(more, nil)
		bindings = append(bindings, variant{"binds " + field, compiled, shapesOf(compiled, demanded[:1])})
	}
	return base, scopes, bindings
}

// shapesOf are requests of all kinds that an API tells apart.
func shapesOf(api *keyring.API, demanded []string) (all [][]shape) {
	combined := []headers{{"authorization": "Bearer " + issuedKey}}
	paths := []string{"/"}
	if api.Routes != nil {
		paths = append(paths, "/r/1", "/r/2", "/r/3")
	}
	for _, b := range api.Bindings {
		if b.Header == "" {
			paths = append(paths, "/of/p1", "/of/p2/x", "/of/t1/y", "/of/t2")
			continue
		}
		var next []headers
		for _, h := range combined {
			for _, value := range valuesOf(b) {
				more := maps.Clone(h)
				if value != "" {
					more[b.Header] = value
				}
				next = append(next, more)
			}
		}
		combined = next
	}
	for _, path := range paths {
		for _, h := range combined {
			var group []shape
			for _, d := range append([]string{""}, demanded...) {
				for _, method := range []string{"GET", "POST"} {
					group = append(group, shape{method, path, h, d})
				}
			}
			all = append(all, group)
		}
	}
	return all
}

func valuesOf(b keyring.Binding) []string {
	switch b.Field {
	case keyring.Project:
		return projects
	case keyring.OwnerName:
		return names
	case keyring.OwnerEmail:
		return emails
	default:
		return teams
	}
}

// side is an auth server with one key.
type side struct {
	ring *keyring.Ring
	auth *auth.Authenticator
	key  *keyring.Key
	last int
}

func newSide() *side {
	ring := keyring.New(keyring.HostPolicy{})
	always := func() bool { return true }
	return &side{ring: ring, auth: &auth.Authenticator{
		Ring: ring, Synced: always, Current: always, TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}}
}

// hold takes a key, nil for none, with the version that is issued sooner or later.
func (s *side) hold(k *v1alpha1.APIKey, spec *v1alpha1.ProtectedAPISpec) {
	s.ring.KeepKeys("", nil)
	s.key = nil
	if k != nil {
		k = policy.Resolved(k, spec, editedAt).DeepCopy()
		k.Status.Keys = issuedVersions()
		s.key = compile.Key(k)
		s.limit(ratelimit.Limit{})
	}
}

// limit gives the key a limit of which nothing is used.
func (s *side) limit(l ratelimit.Limit) {
	if s.key == nil {
		return
	}
	k := s.key.Clone()
	s.last++
	k.UID, k.Limit = fmt.Sprint(s.last), l
	s.ring.SetKey(k)
}

func (s *side) ask(api *keyring.API, sh shape, when at) auth.Verdict {
	r := auth.Request{
		Caller: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Target: auth.Target{Kind: auth.ByName, Name: api.Name},
		TLS: true, Method: sh.method, Host: "api.example", Path: sh.path, Headers: sh.headers, Source: when.client, Time: editedAt.Add(when.after),
	}
	if sh.demanded != "" {
		r.Target.Scopes = []string{sh.demanded}
	}
	return s.auth.Authenticate(&r)
}

// finder looks for requests that an edit opens.
type finder struct {
	before, after *side
	random        *rand.Rand
	// endCertain is that the key's end isn't a default which may be resolved yet.
	endCertain bool
}

func newFinder(r *rand.Rand) *finder { return &finder{before: newSide(), after: newSide(), random: r} }

// edit prepares the finder for an edit.
func (f *finder) edit(before, after *v1alpha1.APIKey, spec *v1alpha1.ProtectedAPISpec) {
	f.before.hold(before, spec)
	f.after.hold(after, spec)
	f.endCertain = after.Spec.ExpiresAt != nil || delivered(after)
}

// delivered holds where a version is the current one.
func delivered(k *v1alpha1.APIKey) bool {
	return slices.ContainsFunc(k.Status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Phase == v1alpha1.KeyCurrent })
}

// find returns a request that the edit opens, "" if there is none, and whether the key
// opens anything at all after the edit.
//
// It leaves the rate limits away until it holds them against each other: they let the
// first request pass in any case. And it varies when and where from a request comes
// for one shape that passes, and the shape for one time and origin, since no check but
// conditions looks at both; it adds some at random, should that not be so.
func (f *finder) find(v variant) (found string, opens bool) {
	for _, s := range []*side{f.before, f.after} {
		s.ring.SetAPI(v.api)
	}
	base, when, opens := f.base(v)
	for range 20 {
		sh, when := pick(f.random, pick(f.random, v.shapes)), at{pick(f.random, moments), pick(f.random, origins)}
		if f.proves(v, sh, when) == "" {
			return describe(v, sh, when), true
		}
	}
	if !opens {
		return "", false
	}
	for _, group := range v.shapes {
		for _, sh := range group {
			got := f.proves(v, sh, when)
			if got == "" {
				return describe(v, sh, when), true
			}
			if hopeless[got] {
				break
			}
		}
	}
	for _, after := range moments {
		for _, client := range origins {
			if f.proves(v, base, at{after, client}) == "" {
				return describe(v, base, at{after, client}), true
			}
		}
	}
	return f.burst(v, base, when), true
}

// base is a request that passes by the key after the edit: if any does, one does at
// once. Of the origins that are let in two are enough, and the unknown one.
func (f *finder) base(v variant) (shape, at, bool) {
	tried := 0
	for _, client := range origins {
		when := at{0, client}
		if tried == 2 && client != "" {
			continue
		}
		if got := f.after.ask(v.api, v.shapes[0][0], when); got.Reason == auth.IPNotAllowed {
			continue
		}
		tried++
		for _, group := range v.shapes {
			for _, sh := range group {
				got := f.after.ask(v.api, sh, when)
				if got.OK() && got.Key != nil {
					return sh, when, true
				}
				if hopeless[got.Reason] {
					break
				}
			}
		}
	}
	return shape{}, at{}, false
}

// hopeless are denials that are the same for all shapes of a group.
var hopeless = map[auth.Reason]bool{
	auth.RevokedKey: true, auth.SuspendedKey: true, auth.ExpiredKey: true, auth.IPNotAllowed: true,
	auth.HeaderMismatch: true, auth.BindingMismatch: true, auth.ProjectMismatch: true,
}

// proves returns "" if the request passes after the edit, and before it didn't, or
// went to the upstream as somebody else's; else why not.
func (f *finder) proves(v variant, sh shape, when at) auth.Reason {
	after := f.after.ask(v.api, sh, when)
	if !after.OK() {
		return after.Reason
	}
	before := f.before.ask(v.api, sh, when)
	if !before.OK() {
		return ""
	}
	a, b := before.Key, after.Key
	switch {
	case a == nil || b == nil: // a public route, where the upstream is told of nobody
	case a.OwnerName != b.OwnerName, a.OwnerEmail != b.OwnerEmail:
		return ""
	case a.Project != "" && a.Project != b.Project: // without one it is of every project
		return ""
	}
	return auth.Allowed
}

// burst sends as much as passes, at once and whenever a token may have come or a window
// has ended, and just before, from limits of which nothing is used. It returns when more
// has passed than before the edit.
func (f *finder) burst(v variant, sh shape, when at) string {
	if f.before.key == nil || f.before.key.Limit == f.after.key.Limit {
		return ""
	}
	for _, s := range []*side{f.before, f.after} {
		s.limit(s.key.Limit)
		defer s.limit(ratelimit.Limit{})
	}
	before, after := 0, 0
	for tick := range 80 {
		for _, early := range []time.Duration{1, 0} {
			now := at{when.after + time.Duration(tick)*250*time.Millisecond - early, when.client}
			if now.after < when.after {
				continue
			}
			before += f.before.pass(v, sh, now)
			if after += f.after.pass(v, sh, now); after > before {
				return fmt.Sprintf("%s: %d have passed, before %d", describe(v, sh, now), after, before)
			}
		}
	}
	return ""
}

// pass returns how many requests pass at once: 5 are more than any random limit.
func (s *side) pass(v variant, sh shape, when at) (n int) {
	for n < 5 {
		if got := s.ask(v.api, sh, when); !got.OK() {
			break
		}
		n++
	}
	return n
}

func describe(v variant, sh shape, when at) string {
	h := maps.Clone(sh.headers)
	delete(h, "authorization")
	return fmt.Sprintf("%s %s after %v from %q, with %v, the gateway demanding %q (API %q)", sh.method, sh.path, when.after, when.client, h, sh.demanded, v.name)
}
