//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/hack/e2e/counts"
)

// callersAtOnce call every 50 ms each.
const callersAtOnce = 20

// testDrain takes auth servers away in all the ways that are daily business, while
// hundreds of requests a second go through two proxies: one asks over HTTP/2, and is
// told by GOAWAY to leave, one over HTTP/1.1 with connections that are kept.
func testDrain(t *testing.T, w *workloads) {
	w.issue(t, "load")
	loads := []string{"load-grpc", "load-http"}
	for i, recipe := range []string{recipeGRPC, recipeHTTP} {
		p := proxy{name: "proxy-" + loads[i], recipe: recipe}
		p.start(t, w)
		w.startCaller(t, loads[i], "load", p.name, callersAtOnce)
	}
	w.calls(t, loads[1], 100)
	for _, d := range []struct {
		name    string
		disturb func(*testing.T, *workloads)
	}{
		{"kubectl rollout restart", restartAuthServers},
		{"kubectl rollout restart, again", restartAuthServers},
		{"kubectl delete pod", deleteAuthServer},
		{"evictions", evictAuthServers},
	} {
		before := map[string]counts.Counts{}
		for _, load := range loads {
			before[load] = w.counts(t, load)
		}
		started := time.Now()
		d.disturb(t, w)
		w.settled(t)
		for _, load := range loads {
			w.calls(t, load, 200)
			n := w.counts(t, load)
			calls, failed := n.Total-before[load].Total, n.NotAllowed()-before[load].NotAllowed()
			if failed != 0 {
				t.Errorf("%s: of %d requests by %s %d failed: %s", d.name, calls, load, failed, summary(n))
			}
			took := time.Since(started).Seconds()
			t.Logf("%s: %s: %d requests in %.1f s, %.0f a second, %d failed; the longest so far took %s",
				d.name, load, calls, took, float64(calls)/took, failed, n.LongestCall.Round(time.Millisecond))
		}
		// What is asked now are the new ones.
		for _, p := range w.operatorPods(t, "authserver") {
			if w.asked(t, p, "allowed") == 0 && time.Since(p.CreationTimestamp.Time) > time.Minute {
				t.Logf("%s: %s wasn't asked at all", d.name, p.Name)
			}
		}
	}
	w.do(t, "", "delete", "-n", "shop", "pod/load-grpc", "pod/load-http", "apikey/load")
	w.do(t, "", "delete", "-n", "apis", "deployment/proxy-load-grpc", "deployment/proxy-load-http", "service/proxy-load-grpc", "service/proxy-load-http")
}

func restartAuthServers(t *testing.T, w *workloads) {
	w.do(t, "", "rollout", "restart", "-n", w.system, "deployment/"+authServer)
}

func deleteAuthServer(t *testing.T, w *workloads) {
	w.do(t, "", "delete", "pod", "-n", w.system, w.operatorPods(t, "authserver")[0].Name)
}

// evictAuthServers does as kubectl drain: one is let go, the other only when its
// successor is ready.
func evictAuthServers(t *testing.T, w *workloads) {
	pods := w.operatorPods(t, "authserver")
	if len(pods) != 2 {
		t.Fatalf("%d auth servers, want 2", len(pods))
	}
	evict := func(p corev1.Pod) error {
		return w.pods.CoreV1().Pods(p.Namespace).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}})
	}
	until(t, "an eviction is let through", patience, func() (bool, string) {
		err := evict(pods[0]) // the budget's status may lag behind the deletion before
		return err == nil, fmt.Sprint(err)
	})
	if err := evict(pods[1]); !apierrors.IsTooManyRequests(err) {
		t.Errorf("evicting the second: got %v, want 429", err)
	}
	started := time.Now()
	refused := 0
	until(t, "the second is let go", patience, func() (bool, string) {
		err := evict(pods[1])
		if err != nil {
			refused++
			return false, err.Error()
		}
		if ready := w.readyAuthServers(t); ready < 1 {
			t.Errorf("the second was evicted while %d were ready", ready)
		}
		return true, ""
	})
	t.Logf("the second was refused %d times, for %.1f s", refused, time.Since(started).Seconds())
}

func (w *workloads) readyAuthServers(t *testing.T) (n int) {
	t.Helper()
	for _, p := range w.operatorPods(t, "authserver") {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				n++
			}
		}
	}
	return n
}

// settled waits until all auth servers are there and the last of the others is gone.
func (w *workloads) settled(t *testing.T) {
	t.Helper()
	w.rollout(t, w.system, "deployment/"+authServer)
	until(t, "two auth servers and no others", patience, func() (bool, string) {
		all, ready := len(w.allOperatorPods(t, "authserver")), w.readyAuthServers(t)
		return all == 2 && ready == 2, fmt.Sprintf("%d ready of %d", ready, all)
	})
}
