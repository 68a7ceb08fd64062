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

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/hack/e2e/counts"
)

// proxy is an Envoy with one of the recipes, of which only addresses are changed, and
// what it takes to ask over TLS.
type proxy struct {
	name, recipe string
	// plain asks without TLS.
	plain bool
	// spread has it open a new connection after so many requests. Over one connection to
	// the Service it would ask the same auth server all the time, and what the others
	// don't know wouldn't be seen.
	spread int
}

const (
	recipeGRPC = "config/samples/proxies/envoy.yaml"
	recipeHTTP = "config/samples/proxies/envoy-http.yaml"

	authServer   = "apikey-operator-authserver"
	authServerCA = "ca.crt" // beside envoy.yaml
)

// config is the recipe's text with the cluster's addresses.
func (p proxy) config(t *testing.T, w *workloads) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", p.recipe))
	if err != nil {
		t.Fatal(err)
	}
	config := string(content)
	replace := func(old, replacement string) {
		if n := strings.Count(config, old); n != 1 {
			t.Fatalf("%s holds %q %d times, want once", p.recipe, old, n)
		}
		config = strings.Replace(config, old, replacement, 1)
	}
	listener, server, protocols := "10000", "9001", "[h2]"
	if p.recipe == recipeHTTP {
		listener, server, protocols = "10001", "9002", "[http/1.1]"
	}
	replace("{address: 127.0.0.1, port_value: "+listener+"}", "{address: 0.0.0.0, port_value: 10000}")
	replace("{address: 127.0.0.1, port_value: 8000}", "{address: "+w.service(t, "apis", "upstream").Spec.ClusterIP+", port_value: 8000}")
	replace("{address: 127.0.0.1, port_value: "+server+"}", "{address: "+w.service(t, w.system, authServer).Spec.ClusterIP+", port_value: "+server+"}")
	if p.spread != 0 {
		options := "        explicit_http_config: {http2_protocol_options: {}}\n"
		replace(options, options+"        common_http_protocol_options: {max_requests_per_connection: "+strconv.Itoa(p.spread)+"}\n")
	}
	if !p.plain {
		assignment := "    load_assignment:\n      cluster_name: apikey-operator\n"
		host := authServer + "." + w.system + ".svc"
		replace(assignment, `    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: `+host+`
        common_tls_context:
          alpn_protocols: `+protocols+`
          validation_context:
            trusted_ca: {filename: /etc/envoy/`+authServerCA+`}
            match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: `+host+`}}]
`+assignment)
	}
	return config
}

// start runs it, or has it start again with another configuration.
func (p proxy) start(t *testing.T, w *workloads) {
	t.Helper()
	p.configure(t, w)
	manifest, err := os.ReadFile("testdata/proxy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w.do(t, strings.ReplaceAll(string(manifest), "PROXY", p.name), "apply", "-f", "-")
	w.rollout(t, "apis", "deployment/"+p.name)
}

// restart has it read its configuration again.
func (p proxy) restart(t *testing.T, w *workloads) {
	t.Helper()
	p.configure(t, w)
	w.do(t, "", "rollout", "restart", "-n", "apis", "deployment/"+p.name)
	w.rollout(t, "apis", "deployment/"+p.name)
}

func (p proxy) configure(t *testing.T, w *workloads) {
	t.Helper()
	data := map[string]string{"envoy.yaml": p.config(t, w)}
	if !p.plain {
		data[authServerCA] = string(w.secret(t, w.system, authServer+"-tls").Data["ca.crt"])
	}
	config := &corev1.ConfigMap{}
	config.Namespace, config.Name = "apis", p.name
	if err := w.Delete(t.Context(), config.DeepCopy()); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	config.Data = data
	if err := w.Create(t.Context(), config); err != nil {
		t.Fatal(err)
	}
}

// startCaller runs a Pod that calls through a proxy with a key of an APIKey, and
// waits for its first answers.
func (w *workloads) startCaller(t *testing.T, name, apiKey, proxy string, parallel int) {
	t.Helper()
	manifest, err := os.ReadFile("testdata/caller.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w.do(t, strings.NewReplacer("CALLER", name, "SECRET", apiKey, "PARALLEL", strconv.Itoa(parallel),
		"PROXY_ADDRESS", w.service(t, "apis", proxy).Spec.ClusterIP).Replace(string(manifest)), "apply", "-f", "-")
	w.do(t, "", "wait", "-n", "shop", "--for=condition=Ready", "--timeout="+patience.String(), "pod/"+name)
	w.calls(t, name, 20)
}

func (c *cluster) service(t *testing.T, namespace, name string) *corev1.Service {
	t.Helper()
	s := &corev1.Service{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *cluster) secret(t *testing.T, namespace, name string) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// get asks a Pod through the API server, so that the tests may run anywhere.
func (c *cluster) get(ctx context.Context, namespace, pod, scheme, port, path string) ([]byte, error) {
	return c.pods.CoreV1().Pods(namespace).ProxyGet(scheme, pod, port, path, nil).DoRaw(ctx)
}

// asked is how many requests an auth server has answered with a reason, as its
// metrics say.
func (c *cluster) asked(t *testing.T, p corev1.Pod, reason string) (sum int) {
	t.Helper()
	metrics, err := c.get(t.Context(), p.Namespace, p.Name, "http", "8080", "/metrics")
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

// allowedAgain waits until the last of a caller's calls were allowed.
func (w *workloads) allowedAgain(t *testing.T, pod string, calls int) counts.Counts {
	t.Helper()
	n := w.counts(t, pod)
	until(t, "calls of "+pod+" are allowed again", patience, func() (bool, string) {
		now := w.counts(t, pod)
		if now.NotAllowed() != n.NotAllowed() {
			n = now
		}
		return now.Total >= n.Total+calls, summary(now)
	})
	return n
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
	return text + "; the longest call took " + n.LongestCall.Round(1e6).String() +
		", the longest gap was " + n.LongestGap.Round(1e6).String()
}
