package admission

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

const (
	wideningEdits = 20_000
	// leastExact is the part of edits of which admission and verdicts must say the same,
	// and leastEach the part of either answer among them.
	leastExact, leastEach = 0.6, 0.25
)

// apiUnderTest is a random API with all its variants, compiled.
type apiUnderTest struct {
	declared         *v1alpha1.ProtectedAPI // nil: the default API
	policy           *policyOf
	base             variant
	scopes, bindings []variant
	// plain is the API without all that may deny a key for what it has or lacks but its
	// scopes, and that may fill it up.
	plain *apiUnderTest
}

func randomAPIs(t *testing.T, n int) []*apiUnderTest {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 1))
	all := make([]*apiUnderTest, n)
	for i := range all {
		if i%10 == 0 {
			all[i] = underTest(t, nil)
			continue
		}
		declared := randomAPI(r, i%20 == 1)
		all[i] = underTest(t, declared)
		all[i].plain = underTest(t, undemanding(declared))
	}
	return all
}

func underTest(t *testing.T, declared *v1alpha1.ProtectedAPI) *apiUnderTest {
	t.Helper()
	a := &apiUnderTest{declared: declared, policy: policyFor(t, declared)}
	a.base, a.scopes, a.bindings = variantsOf(declared)
	return a
}

func undemanding(p *v1alpha1.ProtectedAPI) *v1alpha1.ProtectedAPI {
	out := p.DeepCopy()
	out.Spec.Conditions, out.Spec.KeyDefaults = nil, nil
	for i := range out.Spec.Bindings {
		out.Spec.Bindings[i].IfKeyHas = new(true)
	}
	return out
}

func policyFor(t *testing.T, p *v1alpha1.ProtectedAPI) *policyOf {
	t.Helper()
	if p == nil {
		return &policyOf{compiled: keyring.NewDefaultAPI()}
	}
	compiled := compile.API(p, nil)
	if compiled.Err != nil {
		t.Fatal(compiled.Err)
	}
	return &policyOf{compiled: compiled, spec: &p.Spec}
}

// TestWideningIsWhatVerdictsProve makes random edits and looks for a request that
// passes after one and didn't before, or reached the upstream as somebody else's: with
// another owner, or another project, unless it had none. Of a key that nobody has had it
// looks at both what may become of it: its version stays, or is dropped and issued anew.
//
//   - Where there is one, admission must say that the edit widens.
//   - Where admission doesn't know the API, it must say so if there is one that needs
//     neither conditions nor defaults, nor a binding that asks for what a key lacks.
//   - Where the key is out of use after the edit, admission must say that it doesn't.
//   - Where admission says so of an API that it knows, there must be one, but for APIs
//     with conditions, of which nobody can say what they let pass, for keys that open
//     nothing at all, and for attributes on the default API, of which nothing reads them.
func TestWideningIsWhatVerdictsProve(t *testing.T) {
	apis := randomAPIs(t, 200)
	var exact, proven atomic.Int64
	t.Run("edits", func(t *testing.T) {
		for shard := range uint64(4) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(shard, 5))
				f := newFinder(r)
				for range wideningEdits / 4 {
					checked, found := checkEdit(t, f, pick(r, apis))
					if checked {
						exact.Add(1)
					}
					if checked && found {
						proven.Add(1)
					}
				}
			})
		}
	})
	part, each := float64(exact.Load())/wideningEdits, float64(proven.Load())/float64(exact.Load())
	t.Logf("%d edits, %.2f of them exact, of which %.2f widen", wideningEdits, part, each)
	if part < leastExact || each < leastEach || each > 1-leastEach {
		t.Errorf("too few of a kind: want %.2f exact, and %.2f of either answer", leastExact, leastEach)
	}
}

// checkEdit checks one random edit. It returns whether both directions were, and what
// the answer was.
func checkEdit(t *testing.T, f *finder, api *apiUnderTest) (exact, widens bool) {
	t.Helper()
	r := f.random
	before := randomKey(r, api.declared)
	after := randomEdit(r, before)
	if one(r, 40) {
		after.Status, before = v1alpha1.APIKeyStatus{}, nil
	}
	request, opens := f.prove(api, before, after)
	says := widening(before, after, api.policy, editedAt)
	if request != "" && !says.any() {
		fail(t, "admission lets it through", before, after, api, request, says)
	}
	if unknown := widening(before, after, nil, editedAt); request != "" && !unknown.any() && api.declared != nil {
		if found, _ := f.prove(api.plain, before, after); found != "" {
			fail(t, "admission, which doesn't know the API, lets it through", before, after, api.plain, found, unknown)
		}
	}
	if says.any() && f.over(api.base) {
		fail(t, "admission says that it widens, but the key is out of use", before, after, api, "none", says)
	}
	unread := api.declared == nil && !slices.ContainsFunc(says.why, func(why string) bool { return !isAttribute(why) })
	if !opens || api.policy.conditional() || says.any() && unread {
		return false, false
	}
	if request == "" && says.any() {
		fail(t, "nothing proves that it widens", before, after, api, "none", says)
	}
	return true, says.any()
}

// over reports whether the key is out of use after the edit, by what it says itself.
func (f *finder) over(v variant) bool {
	switch got := f.after.ask(v.api, v.shapes[0][0], at{}); got.Reason {
	case auth.SuspendedKey, auth.RevokedKey:
		return true
	case auth.ExpiredKey:
		return f.endCertain
	default:
		return false
	}
}

func isAttribute(why string) bool { return strings.HasPrefix(why, "spec.attributes.") }

func specOf(a *apiUnderTest) *v1alpha1.ProtectedAPISpec {
	if a.declared == nil {
		return nil
	}
	return &a.declared.Spec
}

// prove looks for a request that the edit opens, whatever becomes of the key.
func (f *finder) prove(api *apiUnderTest, before, after *v1alpha1.APIKey) (request string, opens bool) {
	f.edit(before, after, specOf(api))
	if request, opens = f.search(api, before, after); request != "" || before == nil || len(before.Status.Keys) == 0 || delivered(before) {
		return request, opens
	}
	before, after = before.DeepCopy(), after.DeepCopy()
	before.Status, after.Status = v1alpha1.APIKeyStatus{}, v1alpha1.APIKeyStatus{}
	f.edit(before, after, specOf(api))
	request, again := f.search(api, before, after)
	return request, opens || again
}

// search looks at the API as it is and at its variants, at those that have nothing to
// do with the edit only now and then.
func (f *finder) search(api *apiUnderTest, before, after *v1alpha1.APIKey) (request string, opens bool) {
	if request, opens = f.find(api.base); request != "" {
		return request, true
	}
	var variants []variant
	if before != nil && !slices.Equal(before.Spec.Scopes, after.Spec.Scopes) || one(f.random, 8) {
		variants = append(variants, api.scopes...)
	}
	for _, v := range api.bindings {
		b := v.api.Bindings[len(v.api.Bindings)-1]
		if f.before.key == nil || differ(f.before.key, f.after.key, b) || one(f.random, 20) {
			variants = append(variants, v)
		}
	}
	for _, v := range variants {
		request, may := f.find(v)
		opens = opens || may
		if request != "" {
			return request, true
		}
	}
	return "", opens
}

func differ(a, b *keyring.Key, field keyring.Binding) bool {
	x, _ := a.Value(field)
	y, _ := b.Value(field)
	return x != y
}

func fail(t *testing.T, what string, before, after *v1alpha1.APIKey, api *apiUnderTest, request string, says opened) {
	t.Helper()
	text := func(o any) string {
		b, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	t.Fatalf("%s\nrequest: %s\nadmission: %q\n--- before\n%s--- after\n%s--- API\n%s", what, request, says.why, text(before), text(after), text(api.declared))
}
