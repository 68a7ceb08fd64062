//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/e2e/counts"
)

const rotations = 3

// wrongKeyLimit is the default of --wrong-key-limit.
const wrongKeyLimit = 60

func testRotations(t *testing.T, w *workloads) {
	for i := range rotations {
		w.rotate(t, fmt.Sprintf("rotation-%d", i+1))
	}
	w.calls(t, "caller", 20)
	n := w.counts(t, "caller")
	t.Logf("caller: %s", summary(n))
	w.wantAllAllowed(t, "caller")
	for i, raw := range w.raw {
		if n.Keys[counts.Digest(raw)].Calls == 0 {
			t.Errorf("key %d was never used", i+1)
		}
	}
	if len(n.Keys) != rotations+1 {
		t.Errorf("%d keys were used, want %d", len(n.Keys), rotations+1)
	}
	for _, p := range w.operatorPods(t, "authserver") {
		allowed := w.asked(t, p, "allowed")
		if allowed < n.Total/4 {
			t.Errorf("%s allowed %d requests of %d: it was hardly asked", p.Name, allowed, n.Total)
		}
		t.Logf("%s allowed %d requests", p.Name, allowed)
	}
}

// rotate has the key rotated once, and waits until the one before is dropped.
func (w *workloads) rotate(t *testing.T, trigger string) {
	t.Helper()
	before := w.apiKey(t, "shopify")
	old := current(before)
	triggered := time.Now()
	w.do(t, "", "patch", "apikey", "-n", "shop", "shopify", "--type=merge", "-p", `{"spec":{"rotation":{"trigger":"`+trigger+`"}}}`)

	var next, retiring v1alpha1.KeyVersion
	until(t, trigger+": a new current key", patience, func() (bool, string) {
		key := w.apiKey(t, "shopify")
		next, retiring = current(key), version(key, old.Digest)
		return next.Digest != "" && next.Digest != old.Digest, fmt.Sprintf("status is %+v", key.Status)
	})
	if retiring.Phase != v1alpha1.KeyRetiring || retiring.NotAfter == nil {
		t.Fatalf("the key before is %+v, want it Retiring with notAfter", retiring)
	}
	w.raw = append(w.raw, w.rawKey(t))
	if w.ended.IsZero() {
		w.ended = retiring.NotAfter.Time
	}
	until(t, trigger+": the workload uses the new key", w.overlap, func() (bool, string) {
		n := w.counts(t, "caller")
		return n.Keys[next.Digest].Calls > 0, summary(n)
	})
	until(t, trigger+": the key before is dropped", w.overlap+patience, func() (bool, string) {
		key := w.apiKey(t, "shopify")
		return version(key, old.Digest).Digest == "", fmt.Sprintf("status is %+v", key.Status)
	})
	// So the auth servers do report, and the rotation waited for them.
	until(t, trigger+": all auth servers have seen that", patience, func() (bool, string) {
		c := meta.FindStatusCondition(w.apiKey(t, "shopify").Status.Conditions, v1alpha1.ConditionPropagated)
		return c != nil && c.Status == metav1.ConditionTrue, fmt.Sprintf("the condition is %+v", c)
	})
	w.calls(t, "caller", 20)
	w.wantAllAllowed(t, "caller")

	n := w.counts(t, "caller")
	last := n.Keys[old.Digest].Last
	t.Logf("%s: %s used for %d calls until %.1f s after the trigger, and accepted for %.1f s more; %s from then on",
		trigger, old.Hint, n.Keys[old.Digest].Calls, last.Sub(triggered).Seconds(), retiring.NotAfter.Sub(last).Seconds(), next.Hint)
}

// current is the version that the Secret holds.
func current(key *v1alpha1.APIKey) v1alpha1.KeyVersion {
	for _, v := range key.Status.Keys {
		if v.Phase == v1alpha1.KeyCurrent {
			return v
		}
	}
	return v1alpha1.KeyVersion{}
}

func version(key *v1alpha1.APIKey, digest string) v1alpha1.KeyVersion {
	for _, v := range key.Status.Keys {
		if v.Digest == digest {
			return v
		}
	}
	return v1alpha1.KeyVersion{}
}

func (w *workloads) rawKey(t *testing.T) string {
	t.Helper()
	return string(w.secret(t, "shop", "shopify").Data["api-key"])
}

// testSubPath looks at what the Pod did meanwhile that mounted the file by subPath: it
// was allowed for as long as the first key was accepted, and is denied since.
func testSubPath(t *testing.T, w *workloads) {
	n := w.counts(t, "subpath")
	use := n.Keys[counts.Digest(w.raw[0])]
	if len(n.Keys) != 1 || use.Calls != n.Total {
		t.Errorf("%d keys were used, want the first only", len(n.Keys))
	}
	// 20 wrong keys a second are more than --wrong-key-limit lets be told as such.
	if n.Errors != 0 || use.FirstDenied.IsZero() || n.Denied[401] < wrongKeyLimit || use.Calls-use.Allowed != n.Denied[401]+n.Denied[429] {
		t.Errorf("%s; want 401 once the key isn't accepted, and in time 429", summary(n))
	}
	// Clocks of nodes may differ a little.
	if early := w.ended.Sub(use.FirstDenied); early > time.Second {
		t.Errorf("denied %s before the overlap ended", early)
	}
	if late := use.LastAllowed.Sub(w.ended); late > time.Second {
		t.Errorf("allowed %s after the overlap ended", late)
	}
	t.Logf("subpath: %s; last allowed %+.2f s and first denied %+.2f s from the end of the overlap",
		summary(n), use.LastAllowed.Sub(w.ended).Seconds(), use.FirstDenied.Sub(w.ended).Seconds())
}

func testDelete(t *testing.T, w *workloads) {
	before := w.counts(t, "caller")
	w.wantAllAllowed(t, "caller")
	started := time.Now()
	if err := w.Delete(t.Context(), w.apiKey(t, "shopify")); err != nil {
		t.Fatal(err)
	}
	returned := time.Now()
	w.calls(t, "caller", 40)
	n := w.counts(t, "caller")
	use := n.Keys[counts.Digest(w.raw[len(w.raw)-1])]
	if use.FirstDenied.IsZero() || n.Denied[401] != n.NotAllowed() {
		t.Fatalf("%s; want 401 since the deletion", summary(n))
	}
	if late := use.LastAllowed.Sub(returned); late > time.Second {
		t.Errorf("still allowed %s after the deletion", late)
	}
	t.Logf("delete took %d ms; first denied %d ms, last allowed %d ms after its start; %d of %d calls since denied",
		returned.Sub(started).Milliseconds(), use.FirstDenied.Sub(started).Milliseconds(), use.LastAllowed.Sub(started).Milliseconds(),
		n.NotAllowed(), n.Total-before.Total)

	until(t, "the Secret is collected", patience, func() (bool, string) {
		err := w.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "shopify"}, &corev1.Secret{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	t.Logf("the Secret was collected within %.1f s", time.Since(started).Seconds())
}
