//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/e2e/counts"
)

const (
	manifest         = "dist/install.yaml"
	previousManifest = "dist/previous/install.yaml"
)

// settings make an installation's manifest one's own, as docs/install.md says.
const settings = `{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [install.yaml], patches: [{
  target: {kind: Deployment, name: apikey-operator-authserver},
  patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: apikey-operator-authserver}, spec: {template: {spec: {containers: [
    {name: authserver, env: [{name: TRUSTED_CALLERS, value: "%s"}]}]}}}}'}]}`

// install applies a manifest of the operator, for the first time or as an upgrade,
// with the cluster's Pods as trusted callers.
func (w *workloads) install(t *testing.T, manifest string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", manifest))
	if err != nil {
		t.Fatalf("%v: make dist e2e-image", err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"install.yaml": string(content), "kustomization.yaml": fmt.Sprintf(settings, w.podBlock(t))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.do(t, "", "apply", "--server-side", "-k", dir)
}

// testPrevious has the version before issue keys, and asks it.
func testPrevious(t *testing.T, w *workloads) {
	commit, err := os.ReadFile("../../dist/previous/commit")
	if err != nil {
		t.Fatalf("%v: make e2e-image", err)
	}
	t.Logf("the version before is %s", commit)
	there := w.do(t, "", "get", "--ignore-not-found", "-o", "name", "-f", manifest) +
		w.do(t, "", "get", "--ignore-not-found", "-o", "name", "namespace", "apis", "shop")
	if there != "" {
		t.Fatalf("the tests would delete what is in this cluster already: %s", strings.Fields(there))
	}
	w.applied = append(w.applied, manifest, "hack/e2e/testdata/namespaces.yaml")
	w.do(t, "", "apply", "-f", "hack/e2e/testdata/namespaces.yaml", "-f", "hack/e2e/testdata/upstream.yaml")
	w.rollout(t, "apis", "deployment/upstream")
	started := time.Now()
	w.install(t, previousManifest)
	w.rolloutOperator(t)
	t.Logf("ready %.1f s after kubectl apply", time.Since(started).Seconds())

	w.do(t, "", "apply", "-f", "hack/e2e/testdata/api.yaml", "-f", "hack/e2e/testdata/before.yaml")
	w.do(t, "", "wait", "-n", "shop", "--for=condition=Ready", "--timeout="+patience.String(), "apikey/before", "apikey/before-imported")
	w.do(t, "", "patch", "apikey", "-n", "shop", "before", "--type=merge", "-p", `{"spec":{"rotation":{"trigger":"once"}}}`)
	until(t, "the key is rotated", patience, func() (bool, string) {
		s := w.apiKey(t, "before").Status
		return len(s.Keys) == 2 && s.Keys[0].Phase == v1alpha1.KeyCurrent, fmt.Sprintf("status is %+v", s)
	})
	proxy{name: "proxy", recipe: recipeGRPC, plain: plain(t, previousManifest), spread: spread}.start(t, w)
	w.startCaller(t, "before", "before", "proxy", 1)
	w.wantAllAllowed(t, "before")
	w.before = w.held(t)
}

// plain reports whether an installation's auth servers have no TLS.
func plain(t *testing.T, manifest string) bool {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", manifest))
	if err != nil {
		t.Fatal(err)
	}
	return !strings.Contains(string(content), "--tls-cert-file")
}

// testUpgrade: a kubectl apply, and all keys are what they were.
func testUpgrade(t *testing.T, w *workloads) {
	started := time.Now()
	w.install(t, manifest)
	w.admits(t, started)
	w.rolloutOperator(t)
	t.Logf("rolled out %.1f s after kubectl apply", time.Since(started).Seconds())
	pods := w.operatorPods(t, "")
	if len(pods) != 4 {
		t.Errorf("the operator has %d Pods, want 2 controllers and 2 auth servers", len(pods))
	}
	for _, p := range pods {
		if got, image := p.Spec.Containers[0].Image, os.Getenv("IMAGE"); got != image {
			t.Errorf("%s runs from %s, want IMAGE=%s", p.Name, got, image)
		}
	}
	w.wantCertificates(t)

	proxy{name: "proxy", recipe: recipeGRPC, spread: spread}.restart(t, w)
	n := w.allowedAgain(t, "before", 40)
	t.Logf("over TLS since %.1f s after kubectl apply; until the gateway was told so: %s", time.Since(started).Seconds(), summary(n))

	// Who leads now has looked at all of them once it issues another.
	w.issue(t, "after")
	w.sameAs(t, w.before)
	issued := 0
	for _, of := range w.rawKeys() {
		if of == "shop/before" {
			issued++
		}
	}
	if issued != 2 {
		t.Errorf("Secret shop/before has held %d keys, want the 2 that the version before issued", issued)
	}
}

// admits waits until admission answers, and says how long that took.
func (w *workloads) admits(t *testing.T, since time.Time) {
	t.Helper()
	until(t, "admission answers", patience, func() (bool, string) {
		key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "attempt"}}
		key.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Name: "billoget", Namespace: "apis"}
		key.Spec.Environment = "live"
		err := w.Create(t.Context(), key, client.DryRunAll)
		return err == nil, fmt.Sprint(err)
	})
	t.Logf("admission answers after %.1f s", time.Since(since).Seconds())
}

func (w *workloads) wantCertificates(t *testing.T) {
	t.Helper()
	for _, name := range []string{"apikey-operator-webhook-tls", "apikey-operator-authserver-tls"} {
		data := w.secret(t, w.system, name).Data
		for _, entry := range []string{"tls.crt", "tls.key", "ca.crt", "ca.key"} {
			if len(data[entry]) == 0 {
				t.Errorf("Secret %s has no %s", name, entry)
			}
		}
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := w.Get(t.Context(), client.ObjectKey{Name: "apikey-operator"}, configuration); err != nil {
		t.Fatal(err)
	}
	for _, hook := range configuration.Webhooks {
		if string(hook.ClientConfig.CABundle) != string(w.secret(t, w.system, "apikey-operator-webhook-tls").Data["ca.crt"]) {
			t.Errorf("webhook %s trusts another CA", hook.Name)
		}
	}
}

// issue makes an APIKey and waits for its key.
func (w *workloads) issue(t *testing.T, name string) {
	t.Helper()
	w.do(t, `{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: `+name+`, namespace: shop}, spec: {
	  apiRef: {name: billoget, namespace: apis}, environment: live, scopes: [READ_BUDGETS]}}`, "apply", "-f", "-")
	w.do(t, "", "wait", "-n", "shop", "--for=condition=Ready", "--timeout="+patience.String(), "apikey/"+name)
}

// held is what there is of each APIKey that must never change by itself, without
// a raw key.
func (w *workloads) held(t *testing.T) map[string]string {
	t.Helper()
	var list v1alpha1.APIKeyList
	if err := w.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, key := range list.Items {
		type held struct {
			Keys, Data        map[string]string
			Generation        int64
			State, Hint       string
			Ready, SecretUID  string
			Triggers          []string
			EffectiveSettings any
		}
		h := held{
			Keys: map[string]string{}, Data: map[string]string{}, Generation: key.Generation, State: string(key.Status.State), Hint: key.Status.Hint,
			Triggers: key.Status.ObservedTriggers, EffectiveSettings: key.Status.Effective,
		}
		for _, v := range key.Status.Keys {
			h.Keys[v.Digest] = fmt.Sprintf("%s, issued %s, until %v", v.Phase, v.IssuedAt, v.NotAfter)
		}
		if c := meta.FindStatusCondition(key.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			h.Ready = fmt.Sprint(c.Status, " ", c.Reason)
		}
		secret := &corev1.Secret{}
		err := w.Get(t.Context(), client.ObjectKey{Namespace: key.Namespace, Name: key.Status.SecretName}, secret)
		if err != nil && !apierrors.IsNotFound(err) && key.Status.SecretName != "" {
			t.Fatal(err)
		}
		h.SecretUID = string(secret.UID)
		for name, value := range secret.Data {
			h.Data[name] = counts.Digest(string(value))
		}
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		out[key.Namespace+"/"+key.Name] = string(text)
	}
	return out
}

// sameAs compares with what was held before.
func (w *workloads) sameAs(t *testing.T, before map[string]string) {
	t.Helper()
	now := w.held(t)
	for name, was := range before {
		if now[name] != was {
			t.Errorf("APIKey %s was\n%s and is\n%s", name, was, now[name])
		}
	}
	t.Logf("%d APIKeys with their Secrets are what they were", len(before))
}
