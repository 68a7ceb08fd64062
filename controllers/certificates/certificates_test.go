package certificates

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/process"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(devcluster.Run(m, devcluster.Options{}))
}

const namespace = "certificates"

// world is a cluster with the objects that the manifests bring, and an admission
// that lets everything pass.
type world struct {
	client.Client
	dir, address string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(devcluster.For(t).Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	ports, err := process.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Client: c, dir: t.TempDir(), address: fmt.Sprintf("localhost:%d", ports[0])}
	url, failurePolicy, none := "https://"+w.address+"/", admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: WebhookSecret, Namespace: namespace}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: AuthServerSecret, Namespace: namespace}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "apikey-operator"},
			Webhooks: []admissionregistrationv1.ValidatingWebhook{{
				Name: "configmaps.apikey-operator.dev", AdmissionReviewVersions: []string{"v1"},
				ClientConfig:  admissionregistrationv1.WebhookClientConfig{URL: &url},
				FailurePolicy: &failurePolicy, SideEffects: &none, TimeoutSeconds: ptr.To[int32](5),
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				Rules: []admissionregistrationv1.RuleWithOperations{{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				}},
			}},
		},
	} {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// start runs a replica of the controller with these options.
func (w *world) start(t *testing.T, o Options) {
	t.Helper()
	m, err := ctrl.NewManager(devcluster.For(t).Config, ctrl.Options{
		Scheme: w.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Namespace, o.Dir, o.Configuration, o.Names = namespace, w.dir, "apikey-operator", []string{"localhost"}
	if err := Setup(m, o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// serve answers admission with the files, as soon as there are any.
func (w *world) serve(t *testing.T) {
	t.Helper()
	var watcher *certwatcher.CertWatcher
	eventually(t, "files of a certificate", func() (bool, string) {
		var err error
		watcher, err = certwatcher.New(filepath.Join(w.dir, "tls.crt"), filepath.Join(w.dir, "tls.key"))
		return err == nil, fmt.Sprint(err)
	})
	server := &http.Server{Addr: w.address, ReadHeaderTimeout: time.Second, TLSConfig: &tls.Config{GetCertificate: watcher.GetCertificate}}
	server.Handler = http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(in.Body).Decode(&review); err != nil {
			t.Error(err)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if err := json.NewEncoder(out).Encode(review); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- watcher.Start(ctx) }()
	go func() { ended <- server.ListenAndServeTLS("", "") }()
	t.Cleanup(func() {
		cancel()
		_ = server.Close()
		<-ended
		<-ended
	})
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

func (w *world) secret(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{}
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// admitted creates what admission is asked about. It isn't, where the API server
// doesn't trust the certificate.
func (w *world) admitted(t *testing.T) error {
	t.Helper()
	return w.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "asked-", Namespace: namespace}})
}

// TestCertificates: from empty Secrets to an API server that asks admission, through a
// renewal of the certificate and of the CA, with nothing restarted.
func TestCertificates(t *testing.T) {
	w := newWorld(t)
	// The API server learns of a new configuration a moment later.
	eventually(t, "without admission it fails closed", func() (bool, string) {
		err := w.admitted(t)
		return apierrors.IsInternalError(err), fmt.Sprint(err)
	})
	w.start(t, Options{Lifetime: 10 * time.Second, Ahead: 5 * time.Second, Check: 200 * time.Millisecond})
	w.serve(t)
	eventually(t, "the API server trusts admission", func() (bool, string) {
		err := w.admitted(t)
		return err == nil, fmt.Sprint(err)
	})

	for name, host := range map[string]string{WebhookSecret: "apikey-operator-webhook", AuthServerSecret: "apikey-operator-authserver"} {
		eventually(t, name, func() (bool, string) {
			s := w.secret(t, name)
			return len(s.Data) == 4, fmt.Sprintf("it has %d entries", len(s.Data))
		})
		pair, err := tls.X509KeyPair(w.secret(t, name).Data["tls.crt"], w.secret(t, name).Data["tls.key"])
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{host, host + "." + namespace, host + "." + namespace + ".svc", host + "." + namespace + ".svc.cluster.local"} {
			if err := pair.Leaf.VerifyHostname(want); err != nil {
				t.Error(err)
			}
		}
	}

	first := w.secret(t, WebhookSecret)
	eventually(t, "the certificate is renewed", func() (bool, string) {
		return string(w.secret(t, WebhookSecret).Data["tls.crt"]) != string(first.Data["tls.crt"]), ""
	})
	if got := w.secret(t, WebhookSecret); string(got.Data["ca.crt"]) != string(first.Data["ca.crt"]) {
		t.Error("with the certificate the CA was renewed, which nobody needed")
	}
	w.fileIsOfSecret(t)

	// Whoever wants another CA takes out the one that is there.
	lost := w.secret(t, WebhookSecret)
	delete(lost.Data, "ca.crt")
	if err := w.Update(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another CA is injected", func() (bool, string) {
		configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		if err := w.Get(t.Context(), client.ObjectKey{Name: "apikey-operator"}, configuration); err != nil {
			t.Fatal(err)
		}
		bundle := configuration.Webhooks[0].ClientConfig.CABundle
		return string(bundle) != string(first.Data["ca.crt"]) && string(bundle) == string(w.secret(t, WebhookSecret).Data["ca.crt"]), string(bundle)
	})
	w.fileIsOfSecret(t)
	eventually(t, "the API server trusts admission again", func() (bool, string) {
		err := w.admitted(t)
		return err == nil, fmt.Sprint(err)
	})
}

func (w *world) fileIsOfSecret(t *testing.T) {
	t.Helper()
	eventually(t, "the file is the Secret's", func() (bool, string) {
		file, err := os.ReadFile(filepath.Join(w.dir, "tls.crt"))
		return err == nil && string(file) == string(w.secret(t, WebhookSecret).Data["tls.crt"]), fmt.Sprint(err)
	})
}

func TestNoNamespace(t *testing.T) {
	if err := Setup(nil, Options{}); err == nil || !strings.Contains(err.Error(), "namespace") {
		t.Errorf("got %v, want an error about the namespace", err)
	}
}
