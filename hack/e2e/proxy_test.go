//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/hack/e2e/counts"
)

const (
	recipe         = "config/samples/proxies/envoy.yaml"
	recipeListener = "{address: 127.0.0.1, port_value: 10000}"
	recipeUpstream = "{address: 127.0.0.1, port_value: 8000}"
	recipeServer   = `        - endpoint:
            address:
              socket_address: {address: 127.0.0.1, port_value: 9001}
`
)

// startProxy runs Envoy with the recipe, of which only addresses are changed. It asks
// the auth servers' Service and each of them in turn: over one HTTP/2 connection the
// Service alone would ask the same one all the time, and what the others don't know
// wouldn't be seen.
func (w *workloads) startProxy(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", recipe))
	if err != nil {
		t.Fatal(err)
	}
	config := string(content)
	replace := func(old, replacement string) {
		if n := strings.Count(config, old); n != 1 {
			t.Fatalf("%s holds %q %d times, want once", recipe, old, n)
		}
		config = strings.Replace(config, old, replacement, 1)
	}
	servers := []string{w.service(t, systemNamespace, "apikey-operator-authserver").Spec.ClusterIP}
	for _, p := range w.operatorPods(t, "authserver") {
		servers = append(servers, p.Status.PodIP)
	}
	endpoints := ""
	for _, address := range servers {
		endpoints += strings.Replace(recipeServer, "127.0.0.1", address, 1)
	}
	replace(recipeListener, "{address: 0.0.0.0, port_value: 10000}")
	replace(recipeUpstream, "{address: "+w.service(t, "apis", "upstream").Spec.ClusterIP+", port_value: 8000}")
	replace(recipeServer, endpoints)

	file := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.do(t, "", "create", "configmap", "-n", "apis", "envoy", "--from-file="+file)
	w.do(t, "", "apply", "-f", "hack/e2e/testdata/proxy.yaml")
	w.rollout(t, "apis", "deployment/proxy")
}

func (c *cluster) service(t *testing.T, namespace, name string) *corev1.Service {
	t.Helper()
	s := &corev1.Service{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// get asks a Pod through the API server, so that the tests may run anywhere.
func (c *cluster) get(ctx context.Context, namespace, pod, port, path string) ([]byte, error) {
	return c.pods.CoreV1().Pods(namespace).ProxyGet("http", pod, port, path, nil).DoRaw(ctx)
}

// asked is how many requests an auth server has answered with a reason, as its
// metrics say.
func (c *cluster) asked(t *testing.T, p corev1.Pod, reason string) (sum int) {
	t.Helper()
	metrics, err := c.get(t.Context(), p.Namespace, p.Name, "8080", "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(metrics)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(name, "apikey_operator_auth_requests_total{") && strings.Contains(name, `reason="`+reason+`"`) {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += int(n)
		}
	}
	return sum
}

// calls waits until a caller has made that many more calls.
func (w *workloads) calls(t *testing.T, pod string, more int) {
	t.Helper()
	start := w.counts(t, pod).Total
	until(t, "more calls by "+pod, patience, func() (bool, string) {
		n := w.counts(t, pod)
		return n.Total >= start+more, summary(n)
	})
}

func (w *workloads) wantAllAllowed(t *testing.T, pod string) {
	t.Helper()
	if n := w.counts(t, pod); n.NotAllowed() != 0 {
		t.Fatalf("%s: %s; want no request denied", pod, summary(n))
	}
}

func summary(n counts.Counts) string {
	text := strconv.Itoa(n.Total) + " calls, " + strconv.Itoa(n.Allowed) + " allowed"
	for status, times := range n.Denied {
		text += ", " + strconv.Itoa(times) + " denied with " + strconv.Itoa(status)
	}
	text += ", " + strconv.Itoa(n.Errors) + " errors"
	if n.Errors != 0 || n.Total == 0 {
		text += " (" + n.LastError + ")"
	}
	if n.Waited != 0 {
		text += "; " + strconv.Itoa(n.Waited) + " tries before the first answer"
	}
	return text + "; the longest call took " + n.LongestCall.Round(time.Millisecond).String() +
		", the longest gap was " + n.LongestGap.Round(time.Millisecond).String()
}
