package apikey

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// The field managers of those that apply from Git, server-side and by force, and of
// kubectl, which applies on the client's side.
const (
	argoCD  = "argocd-controller"
	flux    = "kustomize-controller"
	kubectl = "kubectl-client-side-apply"
)

// inGit is a spec with all that has defaults beside it, and lists, maps and times.
const inGit = `
displayName: Storefront
attributes: {team: team_42}
scopes: [READ, WRITE]
allowedIPs: [203.0.113.0/24, "2001:db8::1"]
rateLimit: {requests: 1000, period: 1h}
expiresAt: "2136-12-31T23:59:59Z"
rotation: {interval: 720h, overlap: 24h, trigger: "2026-11"}
secret: {labels: {team: shop}, data: {AUTHORIZATION: "Bearer {{ .Key }}"}}
`

// manifest is an APIKey as it is in Git.
func (w *world) manifest(name, spec string) *unstructured.Unstructured {
	w.Helper()
	var content map[string]any
	w.must(yaml.Unmarshal([]byte(spec), &content))
	u := &unstructured.Unstructured{Object: map[string]any{"spec": content}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("APIKey"))
	u.SetNamespace(w.namespace)
	u.SetName(name)
	return u
}

// applies applies a manifest server-side, and returns what the API server answers.
func (w *world) applies(u *unstructured.Unstructured, manager string, opts ...client.ApplyOption) *unstructured.Unstructured {
	w.Helper()
	u = u.DeepCopy()
	w.must(w.client.Apply(w.Context(), client.ApplyConfigurationFromUnstructured(u), append(opts, client.FieldOwner(manager))...))
	return u
}

// kubectlApplies applies a manifest as `kubectl apply` does: what was applied before is
// in an annotation, and nothing is sent if nothing is to be changed.
func (w *world) kubectlApplies(u *unstructured.Unstructured) {
	w.Helper()
	const annotation = "kubectl.kubernetes.io/last-applied-configuration"
	applied, err := json.Marshal(u)
	w.must(err)
	u = u.DeepCopy()
	u.SetAnnotations(map[string]string{annotation: string(applied)})
	live := u.DeepCopy()
	if err := w.client.Get(w.Context(), client.ObjectKeyFromObject(u), live); apierrors.IsNotFound(err) {
		w.must(w.client.Create(w.Context(), u, client.FieldOwner(kubectl)))
		return
	} else if err != nil {
		w.Fatal(err)
	}
	current, err := json.Marshal(live)
	w.must(err)
	modified, err := json.Marshal(u)
	w.must(err)
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch([]byte(live.GetAnnotations()[annotation]), modified, current)
	w.must(err)
	if string(patch) != "{}" {
		w.must(w.client.Patch(w.Context(), live, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(kubectl)))
	}
}

// TestAppliedAHundredTimes: whoever applies the same manifest again, and however often,
// makes no key, and nobody writes anything.
func TestAppliedAHundredTimes(t *testing.T) {
	w := newWorld(t)
	git := w.manifest("key", inGit)
	all := func() {
		w.kubectlApplies(git)
		w.applies(git, argoCD, client.ForceOwnership)
		w.applies(git, flux, client.ForceOwnership)
	}
	all()
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	key, secret := w.key("key"), w.secret("key")
	if key.Generation != 1 {
		t.Errorf("generation %d, before anything was edited", key.Generation)
	}

	settled := &fault{}
	for range 100 {
		w.later(time.Minute)
		all()
		_, err := w.try(settled.client(w.client), "key")
		w.must(err)
	}
	if settled.writes != 0 {
		t.Errorf("the controller has written %d times", settled.writes)
	}
	if diff := cmp.Diff(key, w.key("key")); diff != "" { // resourceVersion, generation and managedFields too
		t.Errorf("the APIKey has changed (-first +last)\n%s", diff)
	}
	w.wantSame(secret)
	if n := len(w.random.keys()); n != 1 {
		t.Errorf("%d keys were generated", n)
	}
	w.wantOwners("key", argoCD, flux, kubectl)
}

// wantOwners demands that each of these owns fields of spec, nobody else does, and
// that the controller owns fields of status, and none but those.
func (w *world) wantOwners(name string, want ...string) {
	w.Helper()
	var appliers, controllers []string
	for _, e := range w.key(name).ManagedFields {
		var fields map[string]any
		w.must(json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields))
		if _, ok := fields["f:spec"]; ok {
			appliers = append(appliers, e.Manager)
		}
		if _, ok := fields["f:status"]; ok {
			controllers = append(controllers, e.Manager+" "+e.Subresource)
			if len(fields) != 1 {
				w.Errorf("%s owns more than status: %s", e.Manager, e.FieldsV1.GetRawString())
			}
		}
	}
	slices.Sort(want)
	slices.Sort(appliers)
	if !slices.Equal(appliers, want) || !slices.Equal(controllers, []string{"apikey.test status"}) {
		w.Errorf("spec is owned by %q, status by %q", appliers, controllers)
	}
}

// TestDefaultsAreNoDrift: who applies the same manifest gets no conflict without force,
// and what it would make of it is what there is.
func TestDefaultsAreNoDrift(t *testing.T) {
	w := newWorld(t)
	git := w.manifest("key", inGit)
	w.applies(git, argoCD)
	w.reconcile("key")
	w.applies(git, flux)
	w.kubectlApplies(git)
	live := git.DeepCopy()
	w.must(w.client.Get(w.Context(), w.named("key"), live))
	for _, field := range [][]string{{"spec", "state"}, {"spec", "secret", "entry"}} {
		if v, ok, err := unstructured.NestedString(live.Object, field...); err != nil || !ok || v == "" {
			t.Errorf("%v has no default any more: this test says little", field)
		}
	}
	for _, manager := range []string{argoCD, flux, "somebody"} {
		predicted := w.applies(git, manager, client.DryRunAll) // as Argo CD compares, and Flux
		for _, u := range []*unstructured.Unstructured{live, predicted} {
			u.SetManagedFields(nil)
		}
		if diff := cmp.Diff(live.Object, predicted.Object); diff != "" {
			t.Errorf("drift for %s (-live +predicted)\n%s", manager, diff)
		}
	}
}

// TestRevertsRotateNothing: only a trigger that was never there before rotates,
// whichever manifest comes after which.
func TestRevertsRotateNothing(t *testing.T) {
	w := newWorld(t)
	for i, step := range []struct {
		what, trigger string
		keys          int // that were generated until then
	}{
		{"the first manifest", "1", 1}, {"applied again", "1", 1},
		{"a new trigger", "2", 2}, {"applied again", "2", 2},
		{"reverted", "1", 2}, {"applied again", "1", 2}, {"the revert reverted", "2", 2},
		{"another", "3", 3}, {"reverted", "2", 3}, {"reverted by two", "1", 3},
		{"unset", "", 3}, {"set again", "3", 3}, {"another yet", "4", 4},
	} {
		git := w.manifest("key", strings.Replace(inGit, `, trigger: "2026-11"`, "", 1))
		if step.trigger != "" {
			git = w.manifest("key", strings.Replace(inGit, "2026-11", step.trigger, 1))
		}
		for _, manager := range []string{argoCD, flux} {
			w.applies(git, manager, client.ForceOwnership)
			w.reconcile("key")
		}
		if n := len(w.random.keys()); n != step.keys {
			t.Errorf("%d. %s: %d keys were generated, want %d", i+1, step.what, n, step.keys)
		}
		w.later(25 * time.Hour) // the overlap has passed
		w.reconcile("key")
		w.want("key", "Active | True Issued | Present key | Current")
	}
}

// TestRevertedRevocation: a manifest from before a key was revoked is refused, whether it
// says another state or none.
func TestRevertedRevocation(t *testing.T) {
	w := newWorld(t)
	for _, state := range []string{"", "state: Revoked"} {
		w.applies(w.manifest("key", inGit+state), flux, client.ForceOwnership)
		w.reconcile("key")
	}
	for _, state := range []string{"", "state: Active"} {
		git := w.manifest("key", inGit+state)
		err := w.client.Apply(w.Context(), client.ApplyConfigurationFromUnstructured(git), client.FieldOwner(flux), client.ForceOwnership)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "Revoked is for good") {
			t.Errorf("%q: got %v", state, err)
		}
	}
	w.want("key", "Revoked | True Revoked | None | Current")
}

// TestTriggerOfAnother: where the manifest in Git has no trigger, a pipeline may own
// that field beside those that apply the rest.
func TestTriggerOfAnother(t *testing.T) {
	w := newWorld(t)
	git := w.manifest("key", strings.Replace(inGit, `, trigger: "2026-11"`, "", 1))
	w.applies(git, argoCD, client.ForceOwnership)
	w.reconcile("key")
	first := w.raw("key")
	w.applies(w.manifest("key", `rotation: {trigger: "1"}`), "pipeline")
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 24h")
	if w.raw("key") == first {
		t.Error("it hasn't rotated")
	}
	before := w.key("key")
	for _, manager := range []string{argoCD, flux} {
		w.applies(git, manager, client.ForceOwnership)
	}
	w.reconcile("key")
	if after := w.key("key"); after.Generation != before.Generation || after.Spec.Rotation.Trigger != "1" || len(w.random.keys()) != 2 {
		t.Errorf("generation %d, trigger %q, %d keys", after.Generation-before.Generation, after.Spec.Rotation.Trigger, len(w.random.keys()))
	}
	w.wantOwners("key", argoCD, flux, "pipeline")
}

// TestItemsOfOthersStay: scopes and allowedIPs are sets, whose items are owned one by
// one. What is taken out of Git goes, what others have put in stays, by force too.
func TestItemsOfOthersStay(t *testing.T) {
	w := newWorld(t)
	w.applies(w.manifest("key", inGit), flux, client.ForceOwnership)
	w.edit("key", func(s *v1alpha1.APIKeySpec) { s.Scopes = append(s.Scopes, "DELETE") })
	w.applies(w.manifest("key", strings.Replace(inGit, "READ, WRITE", "READ", 1)), flux, client.ForceOwnership)
	if diff := cmp.Diff([]v1alpha1.Scope{"READ", "DELETE"}, w.key("key").Spec.Scopes); diff != "" {
		t.Errorf("scopes (-want +got)\n%s", diff)
	}
}
