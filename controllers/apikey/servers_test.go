package apikey

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// report lets an auth server say how far it is, "" while it joins, and what was
// used.
func (w *world) report(server, seen string, used ...presence.Use) {
	w.Helper()
	w.put(presence.Report{Identity: server, Renewed: w.clock.Now(), Seen: seen, Used: used})
}

func (w *world) put(r presence.Report) {
	w.Helper()
	lease := r.Lease(w.leases)
	lease.ResourceVersion = w.revision()
	w.known.mu.Lock()
	defer w.known.mu.Unlock()
	for i := range w.known.leases {
		if w.known.leases[i].Name == lease.Name {
			w.known.leases[i] = *lease
			return
		}
	}
	w.known.leases = append(w.known.leases, *lease)
}

// revision is the API server's, by now.
func (w *world) revision() string {
	w.Helper()
	l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "tick-"}}
	w.must(w.client.Create(w.Context(), l))
	return l.ResourceVersion
}

// controller is one that lives on between reconciliations.
func (w *world) controller() *Reconciler { return w.reconciler(w.client) }

func (w *world) with(r *Reconciler, name string) time.Duration {
	w.Helper()
	result, err := r.Reconcile(w.logging(), requestFor(w.named(name)))
	w.hear(err)
	w.must(err)
	return result.RequeueAfter
}

// TestRotationWaits: the raw key goes into the Secret when the last live auth
// server has its digest, and not before.
func TestRotationWaits(t *testing.T) {
	w := newWorld(t)
	r := w.controller()
	w.create("key")
	w.with(r, "key")
	first := w.raw("key")
	w.report("a", w.revision())
	w.report("b", w.revision())
	w.edit("key", rotation(v1alpha1.Rotation{Trigger: "1", Overlap: "2h"}))

	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Pending, Current")
	w.wantCondition("key", v1alpha1.ConditionRotationPending, "True AwaitingAuthServers", "0 of 2", "not by a, b")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "False Propagating", "0 of 2")
	w.report("a", w.revision())
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionRotationPending, "True AwaitingAuthServers", "1 of 2", "not by b")
	w.later(40 * time.Second) // b goes on to report, and lags
	w.report("a", w.revision())
	w.report("b", "1")
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "False Lagging", "1 of 2")
	w.wantTold("Normal Issued", "Warning Lagging")
	w.report("c", "") // joins
	if w.raw("key") != first {
		t.Fatal("delivered too early")
	}

	w.report("b", w.revision())
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionRotationPending, "True AwaitingAuthServers", "2 of 3", "not by c")
	if w.raw("key") != first {
		t.Fatal("delivered before the one that joins has listed")
	}
	w.report("c", w.revision())
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 2h")
	w.wantCondition("key", v1alpha1.ConditionRotationPending, "")
	w.wantTold("Normal Rotated")
	if w.raw("key") == first {
		t.Error("not delivered")
	}
	w.wantCondition("key", v1alpha1.ConditionPropagated, "False Propagating") // the end of the first one
	for _, server := range []string{"a", "b", "c"} {
		w.report(server, w.revision())
	}
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "True Propagated", "seen by 3 of 3 auth servers")
}

// TestDeadServerIsNotWaitedFor, once it hasn't reported for long enough.
func TestDeadServerIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	r := w.controller()
	w.create("key")
	w.with(r, "key")
	w.report("a", w.revision())
	w.report("dead", w.revision())
	w.edit("key", rotation(v1alpha1.Rotation{Trigger: "1"}))
	w.with(r, "key")
	w.report("a", w.revision())
	if again := w.with(r, "key"); again <= 0 || again > presence.LeaseDuration {
		t.Errorf("looks again in %v, want when the dead one is given up", again)
	}
	w.want("key", "Active | True Issued | Present key | Pending, Current")
	w.later(presence.LeaseDuration)
	w.report("a", w.revision())
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 1h")
	w.report("a", w.revision())
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "Unknown ServersSilent", "seen by 1 of 1", "may serve what they knew: dead")
	for range 61 { // until it is forgotten
		w.later(time.Minute)
		w.report("a", w.revision())
		w.with(r, "key")
	}
	w.wantCondition("key", v1alpha1.ConditionPropagated, "True Propagated", "seen by 1 of 1")
}

// TestFirstIssueWaitsForAWhile: nobody has another key.
func TestFirstIssueWaitsForAWhile(t *testing.T) {
	w := newWorld(t)
	r := w.controller()
	w.report("a", "1")
	w.create("key")
	w.with(r, "key")
	w.want("key", "Pending | False Issuing | None | Pending")
	if !w.isGone("key") {
		t.Fatal("delivered too early")
	}
	w.later(DeliverWithin)
	w.report("a", "1")
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "False Lagging", "0 of 1")
	w.wantTold("Warning NotPropagated", "Warning Lagging", "Normal Issued")
	if n := testutil.ToFloat64(r.Metrics.Unpropagated); n != 1 {
		t.Errorf("counted %v", n)
	}
}

// TestHandSurvivesNothing: a controller that dies while a key waits leaves one that
// is issued anew, and the old one isn't delivered.
func TestHandSurvivesNothing(t *testing.T) {
	w := newWorld(t)
	w.report("a", "1")
	w.create("key")
	w.with(w.controller(), "key")
	w.report("a", w.revision())
	w.with(w.controller(), "key")
	w.want("key", "Pending | False Issuing | None | Pending, Superseded 10m")
	r := w.controller()
	w.with(r, "key")
	w.report("a", w.revision())
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current, Superseded 10m, Superseded 10m")
}

// TestPropagationSurvivesRestart: what was seen stays seen.
func TestPropagationSurvivesRestart(t *testing.T) {
	w := newWorld(t)
	w.create("key")
	w.reconcile("key")
	w.report("a", w.revision())
	w.reconcile("key")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "True Propagated", "1 of 1")
	w.report("b", "1")
	idle := &fault{}
	idle.run(w, "key")
	if idle.writes != 0 {
		t.Errorf("%d writes for a server that joins", idle.writes)
	}
	w.edit("key", suspended)
	w.reconcile("key")
	w.wantCondition("key", v1alpha1.ConditionPropagated, "False Propagating", "0 of 2")
}

// TestUseReachesStatus, and ends a key that nobody uses.
func TestUseReachesStatus(t *testing.T) {
	w := newWorld(t)
	r := w.controller()
	w.create("key", rotation(v1alpha1.Rotation{Overlap: "2h", Retire: v1alpha1.RetireWhenUnused}))
	w.with(r, "key")
	w.edit("key", rotation(v1alpha1.Rotation{Overlap: "2h", Retire: v1alpha1.RetireWhenUnused, Trigger: "1"}))
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 8h")
	old := w.key("key").Status.Keys[1].Digest
	use := func() presence.Use {
		return presence.Use{Beginning: presence.Beginning(old), At: w.clock.Now().Truncate(time.Minute)}
	}
	w.report("a", w.revision())
	w.later(5 * time.Second)
	w.report("a", w.revision(), use())
	w.with(r, "key")
	w.wantCondition("key", v1alpha1.ConditionPreviousKeyInUse, "True InUse", "ak_")
	w.later(time.Hour)
	w.report("a", w.revision(), use())
	w.with(r, "key")
	w.later(119 * time.Minute)
	w.report("a", w.revision())
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 5h0m55s")
	w.wantCondition("key", v1alpha1.ConditionPreviousKeyInUse, "False NotInUse")
	w.later(3 * time.Minute)
	w.with(r, "key") // the server is silent: nobody knows
	w.want("key", "Active | True Issued | Present key | Current, Retiring 4h57m55s")
	w.report("a", w.revision())
	w.with(r, "key")
	w.later(time.Second)
	w.report("a", w.revision())
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current")
}

// TestEndsInUse: before a key ends that is still used, people are told, once.
func TestEndsInUse(t *testing.T) {
	w := newWorld(t)
	r := w.controller()
	w.create("key")
	w.with(r, "key")
	w.edit("key", rotation(v1alpha1.Rotation{Overlap: "40m", Trigger: "1"}))
	w.with(r, "key")
	old := w.key("key").Status.Keys[1].Digest
	w.told = nil
	for range 8 {
		w.later(4 * time.Minute)
		w.report("a", w.revision(), presence.Use{Beginning: presence.Beginning(old), At: w.clock.Now().Truncate(time.Minute)})
		w.with(r, "key")
	}
	w.wantTold("Warning EndsInUse the previous key, ak_")
}

// TestMetricsAreNamed as the documents say.
func TestMetricsAreNamed(t *testing.T) {
	registry := prometheus.NewRegistry()
	NewMetrics(registry)
	for _, name := range []string{"apikey_operator_key_propagation_seconds", "apikey_operator_unpropagated_deliveries_total"} {
		if n, err := testutil.GatherAndCount(registry, name); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// TestStrong: what is refused as an existing key, and that the refusal doesn't show
// it.
func TestStrong(t *testing.T) {
	for raw, ok := range map[string]bool{
		"MDpFOUxPUkVaOFhLRTBCUDVXUFBTVkQ3":   true,
		"sk_live_0123456789ab":               true,
		"sk_live_0123456789a":                false, // 19
		"abababababababababababab":           false,
		"1234567123456712345671234567":       false, // 7 different ones
		"1234567812345678123456781234":       true,
		"sk_live_0123456789abcdef\n":         false,
		"sk live 0123456789abcdef":           false,
		"sk_live_0123456789abcdéf":           false,
		"":                                   false,
		strings.Repeat("abcdefgh", 64):       true,
		strings.Repeat("abcdefgh", 64) + "x": false,
	} {
		err := strong(key.NewRaw(raw))
		if (err == nil) != ok {
			t.Errorf("%q: %v", raw, err)
		}
		if err != nil && raw != "" && strings.Contains(err.Error(), raw) {
			t.Errorf("%v shows the key", err)
		}
	}
}
