package apikey

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
)

// TestForgedStatusReachesNoOtherSecret: whoever writes the status of an APIKey can't
// have the controller touch Secrets that aren't this APIKey's, nor read from them.
func TestForgedStatusReachesNoOtherSecret(t *testing.T) {
	w := newWorld(t)
	w.create("other")
	w.reconcile("other")
	w.must(w.client.Create(w.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "theirs"}, Data: map[string][]byte{"api-key": []byte(w.existing("theirs"))},
	}))
	before := map[string]*corev1.Secret{"theirs": w.secret("theirs"), "other": w.secret("other")}
	for i, forge := range []func(*v1alpha1.APIKeyStatus){
		func(s *v1alpha1.APIKeyStatus) { s.SecretPhase = v1alpha1.SecretPresent },
		func(s *v1alpha1.APIKeyStatus) { s.SecretPhase = v1alpha1.SecretDeleting },
		func(s *v1alpha1.APIKeyStatus) { s.SecretPhase = v1alpha1.SecretDelivered },
		func(s *v1alpha1.APIKeyStatus) { s.Keys[0].Digest = w.key("other").Status.Keys[0].Digest },
		func(s *v1alpha1.APIKeyStatus) { s.Keys = nil },
	} {
		for victim := range before {
			for change, edit := range map[string]edit{"as-it-is": func(*v1alpha1.APIKeySpec) {}, "renamed": renamed, "shown-once": deletedAfter("1m"), "revoked": revoked} {
				name := fmt.Sprintf("key-%d-%s-%s", i, victim, change)
				w.create(name)
				w.reconcile(name)
				w.edit(name, edit)
				if change == "renamed" {
					w.edit(name, func(s *v1alpha1.APIKeySpec) { s.Secret.Name = "new-" + name })
				}
				k := w.key(name)
				forge(&k.Status)
				k.Status.SecretName = victim
				w.must(w.client.Status().Update(w.Context(), k))
				w.reconcile(name)
				for secret, want := range before {
					if diff := cmp.Diff(want, w.secret(secret)); diff != "" {
						t.Fatalf("%s: Secret %s has changed:\n%s", name, secret, diff)
					}
				}
				for _, v := range w.key(name).Status.Keys {
					if v.Phase == v1alpha1.KeyCurrent && i != 3 && v.Digest == before[victim].Annotations[v1alpha1.AnnotationDigest] {
						t.Errorf("%s has got the key of Secret %s", name, victim)
					}
				}
			}
		}
	}
}

// TestReportsOfAuthServersOnlyDelay: whatever Leases say, no other key becomes
// accepted, and none for longer than its overlaps, its end or its state allow.
func TestReportsOfAuthServersOnlyDelay(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for _, row := range []rule{
		{keys: "k1 Current", target: holds("k1")},
		{keys: "k1 Pending", hand: "k1"},
		{keys: "k2 Pending, k1 Current", target: holds("k1"), hand: "k2"},
		{keys: "k2 Pending, k1 Current", target: holds("k2"), hand: "k2"},
		{keys: "k2 Superseded 10m, k1 Current", target: holds("k1")},
		{keys: "k2 Current, k1 Retiring 1h", target: holds("k2")},
		{keys: "k2 Current, k1 Retiring 1h", target: holds("k2"), spec: []edit{rotation(v1alpha1.Rotation{Overlap: "1h", Retire: v1alpha1.RetireWhenUnused})}},
		{keys: "k2 Current, k1 Retiring 1h", target: holds("k2"), spec: []edit{expires(time.Minute)}},
		{keys: "k2 Current, k1 Retiring 1h", target: holds("k2"), spec: []edit{suspended}},
		{keys: "k2 Current, k1 Retiring 1h", target: holds("k2"), spec: []edit{revoked}},
	} {
		honest := row.observed(t)
		without := Decide(honest)
		for range 200 {
			o := row.observed(t)
			o.Spread, o.Hand.Spread, o.Use = forgedSpread(random), forgedSpread(random), forgedUse(random, o.Key.Status.Keys)
			o.Hand.Waited = time.Duration(random.Int64N(int64(time.Minute)))
			p := Decide(o)
			for _, v := range p.Status.Keys {
				i := slices.IndexFunc(without.Status.Keys, func(w v1alpha1.KeyVersion) bool { return w.Digest == v.Digest })
				if i < 0 {
					t.Fatalf("%s: a key is accepted that wasn't there: %+v, by %+v", row.keys, v, o.Use)
				}
				end := without.Status.Keys[i].NotAfter
				if end != nil && (v.NotAfter == nil || v.NotAfter.After(end.Time)) {
					t.Fatalf("%s: a key is accepted until %v instead of %v, by %+v", row.keys, v.NotAfter, end, o.Use)
				}
			}
			if p.Step != without.Step && p.Step != Settle && p.Step != Record && p.Step != Deliver {
				t.Fatalf("%s: step %d instead of %d, by %+v", row.keys, p.Step, without.Step, o.Spread)
			}
		}
	}
}

func forgedSpread(random *rand.Rand) presence.Spread {
	s := presence.Spread{Live: random.IntN(4)}
	s.Seen = random.IntN(s.Live + 1)
	for i := range s.Live - s.Seen {
		s.Behind = append(s.Behind, fmt.Sprint("behind-", i))
	}
	for i := range random.IntN(3) {
		s.Silent = append(s.Silent, fmt.Sprint("silent-", i))
	}
	return s
}

func forgedUse(random *rand.Rand, keys []v1alpha1.KeyVersion) Use {
	u := Use{Known: random.IntN(2) == 0, Last: map[string]time.Time{}}
	for _, v := range keys {
		if random.IntN(2) == 0 {
			u.Last[v.Digest] = start.Add(time.Duration(random.Int64N(int64(20000*time.Hour))) - 10000*time.Hour)
		}
	}
	return u
}
