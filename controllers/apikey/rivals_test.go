package apikey

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// TestNobodyTakesAHeldKey: an APIKey that was there first, and waited for its chance,
// doesn't get a key that another one holds, by its hash or by the key itself.
func TestNobodyTakesAHeldKey(t *testing.T) {
	w := newWorld(t)
	w.create("a-dormant", imports("later"))
	w.reconcile("a-dormant")
	w.create("victim")
	w.reconcile("victim")
	raw := w.raw("victim")
	w.source("later", raw, importable)
	w.create("b-hash", func(s *v1alpha1.APIKeySpec) {
		s.ExistingKey = &v1alpha1.ExistingKey{SHA256: key.NewRaw(raw).Digest().String()[len("sha256:"):]}
	})
	for _, name := range []string{"a-dormant", "b-hash"} {
		w.reconcile(name)
		w.want(name, "Pending | False DuplicateKey | None | ")
		w.wantReady(name, v1alpha1.ReasonDuplicateKey, `APIKey "victim"`)
	}
	w.reconcile("victim")
	w.want("victim", "Active | True Issued | Present victim | Current")
}

// TestHashAloneKeepsNothing: who knows no more than a hash has to leave the key to one
// that has it, whoever came first.
func TestHashAloneKeepsNothing(t *testing.T) {
	w := newWorld(t)
	w.create("a-squatter", w.importsHash("key"))
	w.reconcile("a-squatter")
	w.want("a-squatter", "Active | True Issued | None | Current")
	withOrphan(w, "key")
	w.create("key")
	w.reconcile("key")
	w.want("a-squatter", "Active | True Issued | None | Current") // until it is told
	if got := w.outcome("key"); got != "Active | True Issued | Present key | Current" {
		t.Errorf("the key's own APIKey: %s", got)
	}
	w.reconcile("a-squatter")
	w.want("a-squatter", "Active | False DuplicateKey | None | Current")
}

// TestRivalOfAnotherNamespace: its name is nobody's business.
func TestRivalOfAnotherNamespace(t *testing.T) {
	w := newWorld(t)
	w.create("first", w.importsHash("same"))
	w.reconcile("first")
	hash := w.importsHash("same")
	other := *w
	other.namespace = w.newNamespace(nil)
	other.create("second", hash)
	other.reconcile("second")
	other.wantReady("second", v1alpha1.ReasonDuplicateKey, "APIKey of another namespace holds the same key")
}

// TestWeakOrphanIsNotAdopted, and an orphan from the future is as of now.
func TestWeakOrphanIsNotAdopted(t *testing.T) {
	w := newWorld(t)
	forge := func(name, raw string, at time.Time) {
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, UID: "of-another-cluster"}}
		s, err := desiredSecret(k, issued{raw: key.NewRaw(raw), at: at}, nil)
		w.must(err)
		s.OwnerReferences = nil
		w.must(w.client.Create(w.Context(), s))
	}
	forge("weak", "abc", w.clock.Now())
	w.create("weak")
	w.reconcile("weak")
	w.want("weak", "Pending | False WeakKey | None | ")
	w.wantReady("weak", v1alpha1.ReasonWeakKey, "at least 20 characters")
	forge("future", w.existing("future"), w.clock.Now().AddDate(500, 0, 0))
	w.create("future", rotation(v1alpha1.Rotation{Interval: "1h"}))
	w.reconcile("future")
	if at := w.key("future").Status.NextRotationAt; at == nil || at.Sub(w.clock.Now()) != time.Hour {
		t.Errorf("rotates at %v", at)
	}
}

// TestImportAgain: an import that was interrupted goes on as soon as its Secret is
// back, and not when the one before has ended.
func TestImportAgain(t *testing.T) {
	w := newWorld(t)
	w.source("source", w.existing("key"), importable)
	w.report("a", "1") // so that it waits
	w.create("key", imports("source"))
	w.reconcile("key")
	w.want("key", "Pending | False Issuing | None | Pending")
	w.deleteSecret("source")
	w.reconcile("key") // a new controller, which can't read it again
	w.want("key", "Pending | False ExistingKeyNotFound | None | Superseded 10m")
	w.source("source", w.existing("key"), importable)
	w.report("a", w.revision())
	r := w.controller()
	w.with(r, "key")
	w.report("a", w.revision())
	w.with(r, "key")
	w.wantKey("key", w.existing("key"))
	if got := w.outcome("key"); got != "Active | True Issued | Present key | Current" {
		t.Error(got)
	}
}

// TestNewsOfUse: what status knows already is no news, whatever a server's clock says.
func TestNewsOfUse(t *testing.T) {
	w := newWorld(t)
	r := w.controller()
	w.create("key")
	w.with(r, "key")
	w.report("a", w.revision())
	w.with(r, "key") // seen by all: it waits for nobody
	digest := w.key("key").Status.Keys[0].Digest
	r.Client = byUse{w.client, w}
	news := func(at time.Time) int {
		w.report("a", w.revision(), presence.Use{Beginning: presence.Beginning(digest), At: at})
		before := w.known.leases[0].DeepCopy()
		before.Annotations = nil
		return len(r.keysSeen(w.Context(), &w.known.leases[0], before))
	}
	if n := news(w.clock.Now().Truncate(time.Minute)); n != 1 {
		t.Errorf("a first use is %d news", n)
	}
	w.with(r, "key")
	if n := news(w.clock.Now().Add(time.Minute)); n != 0 {
		t.Errorf("a use by a clock that is fast is %d news", n)
	}
	w.later(61 * time.Minute)
	if n := news(w.clock.Now().Truncate(time.Minute)); n != 1 {
		t.Errorf("a use an hour later is %d news", n)
	}
}

// byUse lists the one APIKey there is, as the index would.
type byUse struct {
	client.Client
	w *world
}

func (c byUse) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if keys, ok := list.(*v1alpha1.APIKeyList); ok {
		keys.Items = append(keys.Items, *c.w.key("key"))
		return nil
	}
	return c.Client.List(ctx, list, opts...)
}

// TestPatience: for whom an APIKey waits; one whose rotation waits for time does for
// nobody.
func TestPatience(t *testing.T) {
	for _, row := range []struct {
		name string
		turn turn
		want patience
	}{
		{"all have seen it", turn{keys: "k1 Current", target: holds("k1")}, forNobody},
		{"one hasn't", turn{keys: "k1 Current", target: holds("k1"), behind: 1}, forAll},
		{"a key in hand", turn{keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2", behind: 1}, forAll},
		{"an overlap runs", turn{spec: []edit{rotation(v1alpha1.Rotation{Trigger: "b"})}, keys: "k2 Current, k1 Retiring 1h", target: holds("k2")}, forNobody},
		{"an API that is gone", turn{spec: []edit{rotation(v1alpha1.Rotation{Trigger: "b"})}, keys: "k1 Current", target: holds("k1"), problem: noAPI}, forNobody},
	} {
		if got := waits(Decide(row.turn.observed(t)).Status); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}
