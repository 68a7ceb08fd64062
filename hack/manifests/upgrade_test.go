package manifests

import (
	"context"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/hack/authority"
)

// issued are the certificates as the controller writes them.
type issued struct {
	client.Client
	ca []byte
}

// write fills the Secrets and the configuration, by updates of the whole, as the
// controller's library does.
func (i issued) write(t *testing.T) {
	t.Helper()
	for _, name := range []string{"apikey-operator-webhook-tls", "apikey-operator-authserver-tls"} {
		s := &corev1.Secret{}
		if err := i.Get(t.Context(), client.ObjectKey{Namespace: system, Name: name}, s); err != nil {
			t.Fatal(err)
		}
		s.Data = map[string][]byte{"tls.crt": []byte("certificate"), "tls.key": []byte("key"), "ca.crt": i.ca, "ca.key": []byte("key")}
		if err := i.Update(t.Context(), s, client.FieldOwner("apikey-operator")); err != nil {
			t.Fatal(err)
		}
	}
	v := i.configuration(t, "apikey-operator")
	for w := range v.Webhooks {
		v.Webhooks[w].ClientConfig.CABundle = i.ca
	}
	if err := i.Update(t.Context(), v, client.FieldOwner("apikey-operator")); err != nil {
		t.Fatal(err)
	}
}

func (i issued) configuration(t *testing.T, name string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	v := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := i.Get(t.Context(), client.ObjectKey{Name: name}, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// wantKept demands that all of it is there, beside what an upgrade has changed.
func (i issued) wantKept(t *testing.T, timeout int32) {
	t.Helper()
	for _, name := range []string{"apikey-operator-webhook-tls", "apikey-operator-authserver-tls"} {
		s := &corev1.Secret{}
		if err := i.Get(t.Context(), client.ObjectKey{Namespace: system, Name: name}, s); err != nil {
			t.Fatal(err)
		}
		if len(s.Data) != 4 || string(s.Data["ca.crt"]) != string(i.ca) {
			t.Errorf("Secret %s has %d entries left", name, len(s.Data))
		}
	}
	for _, w := range i.configuration(t, "apikey-operator").Webhooks {
		if string(w.ClientConfig.CABundle) != string(i.ca) {
			t.Errorf("webhook %s lost its CA", w.Name)
		}
		if *w.TimeoutSeconds != timeout {
			t.Errorf("webhook %s has a timeout of %d s, want the upgrade's", w.Name, *w.TimeoutSeconds)
		}
	}
}

// Applied again, as upgrades are, the manifest keeps what the controller has written
// into it, and says of no conflict.
func TestAnUpgradeKeepsCertificates(t *testing.T) {
	i := issued{connect(t), authority.New(t).PEM}
	text := render(t, only(parse(t, kustomize(t, "default")), "Secret", "ValidatingWebhookConfiguration")...)
	for name, flags := range map[string][]string{"server-side": {"--server-side"}, "client-side": nil} {
		t.Run(name, func(t *testing.T) {
			apply := func(text string) {
				t.Helper()
				if _, err := kubectl(t, text, append([]string{"apply", "-f", "-"}, flags...)...); err != nil {
					t.Fatal(err)
				}
			}
			apply(text)
			i.write(t)
			apply(text)
			i.wantKept(t, 5)
			apply(strings.ReplaceAll(text, `"timeoutSeconds":5`, `"timeoutSeconds":6`))
			i.wantKept(t, 6)
			if _, err := kubectl(t, text, "delete", "-f", "-"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func eventually(t *testing.T, what string, condition func() (bool, string)) {
	t.Helper()
	now := ""
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (done bool, _ error) {
		done, now = condition()
		return done, nil
	})
	if err != nil {
		t.Fatalf("%s: not within a minute; %s", what, now)
	}
}

func withoutCancel(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
