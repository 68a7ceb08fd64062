package manifests

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/authority"
)

// asked is an admission that lets everything pass, and keeps what it was asked.
type asked struct {
	*httptest.Server
	bundle []byte

	mu       sync.Mutex
	requests []string
}

func startAdmission(t *testing.T) *asked {
	t.Helper()
	ca := authority.New(t)
	pair, err := tls.X509KeyPair(ca.Issue(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	a := &asked{bundle: ca.PEM}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			t.Error(err)
			return
		}
		a.mu.Lock()
		a.requests = append(a.requests, strings.TrimPrefix(r.URL.Path, "/validate-")+" "+string(review.Request.Operation))
		a.mu.Unlock()
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	a.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

// taken returns what it was asked since the last call. The API server asks again where
// an edit was made on something stale.
func (a *asked) taken() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	requests := slices.Compact(a.requests)
	a.requests = nil
	return requests
}

// install has the API server ask a, by a shipped configuration.
func (a *asked) install(t *testing.T, c client.Client, shipped *unstructured.Unstructured) {
	t.Helper()
	var typed admissionregistrationv1.ValidatingWebhookConfiguration
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(shipped.Object, &typed, true); err != nil {
		t.Fatal(err)
	}
	for i := range typed.Webhooks {
		at := &typed.Webhooks[i].ClientConfig
		url := a.URL + *at.Service.Path
		*at = admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: a.bundle}
	}
	if err := c.Create(t.Context(), &typed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(withoutCancel(t), &typed); err != nil {
			t.Error(err)
		}
	})
	// The API server learns of it some time later.
	probe := object(t, "ProtectedAPI", `{}`)
	eventually(t, "admission is asked", func() (bool, string) {
		if err := c.Create(t.Context(), probe.DeepCopy(), client.DryRunAll); err != nil {
			t.Fatal(err)
		}
		return len(a.taken()) > 0, ""
	})
}

func object(t *testing.T, kind, spec string) *unstructured.Unstructured {
	t.Helper()
	text := fmt.Sprintf(`{"apiVersion":"apikey-operator.dev/v1alpha1","kind":%q,"metadata":{"name":"asked","namespace":"shop"},"spec":%s}`, kind, spec)
	return parse(t, text)[0]
}

// An edit is a merge patch, or of the status, or one of the words create and delete.
var edits = []struct{ what, kind, edit, want string }{
	{"a new key", "APIKey", `create {}`, "apikey CREATE"},
	{"the same spec", "APIKey", `{"spec":{"state":"Active"}}`, ""},
	{"a label", "APIKey", `{"metadata":{"labels":{"team":"a"}}}`, ""},
	{"the status", "APIKey", `status {"status":{"hint":"ak_0123"}}`, ""},
	{"a scope", "APIKey", `{"spec":{"scopes":["read"]}}`, "apikey UPDATE"},
	{"suspended", "APIKey", `{"spec":{"state":"Suspended"}}`, ""},
	{"another scope while suspended", "APIKey", `{"spec":{"scopes":["read","write"]}}`, "apikey UPDATE"},
	{"one scope less while suspended", "APIKey", `{"spec":{"scopes":["read"]}}`, "apikey UPDATE"},
	{"no scope any more while suspended", "APIKey", `{"spec":{"scopes":null}}`, "apikey UPDATE"},
	{"resumed", "APIKey", `{"spec":{"state":"Active"}}`, "apikey UPDATE"},
	{"resumed by leaving it out, which the default fills in", "APIKey", `{"spec":{"state":null,"project":"p"}}`, "apikey UPDATE"},
	{"suspended, with another edit", "APIKey", `{"spec":{"state":"Suspended","project":null}}`, "apikey UPDATE"},
	{"revoked, with another edit", "APIKey", `{"spec":{"state":"Revoked","project":"q"}}`, ""},
	{"deleted", "APIKey", `delete`, ""},
	{"a new key that is suspended", "APIKey", `create {"state":"Suspended"}`, "apikey CREATE"},
	{"deleted", "APIKey", `delete`, ""},
	{"a new API", "ProtectedAPI", `create {}`, "protectedapi CREATE"},
	{"a label", "ProtectedAPI", `{"metadata":{"labels":{"team":"a"}}}`, ""},
	{"a host", "ProtectedAPI", `{"spec":{"hosts":["shop.example"]}}`, "protectedapi UPDATE"},
	{"deleted", "ProtectedAPI", `delete`, ""},
}

// Admission is asked about what may grant something, and its outage keeps nobody from
// suspending, revoking and deleting.
func TestWhatAdmissionIsAsked(t *testing.T) {
	c := connect(t)
	for name, text := range map[string]string{
		"kustomize":                kustomize(t, "default"),
		"chart in namespaced mode": mustTemplate(t, "--values", chart+"/ci/namespaced-cert-manager.yaml"),
	} {
		t.Run(name, func(t *testing.T) {
			a := startAdmission(t)
			a.install(t, c, only(parse(t, text), "ValidatingWebhookConfiguration")[0])
			for _, row := range edits {
				a.taken()
				if err := edit(t, c, row.kind, row.edit); err != nil {
					t.Errorf("%s: %v", row.what, err)
				}
				if got := strings.Join(a.taken(), ", "); got != row.want {
					t.Errorf("%s, %s: admission was asked %q, want %q", row.kind, row.what, got, row.want)
				}
			}
			other := object(t, "ProtectedAPI", `{}`)
			other.SetNamespace(system)
			err := c.Create(t.Context(), other, client.DryRunAll)
			if elsewhere := len(a.taken()) > 0; err != nil || elsewhere != (name == "kustomize") {
				t.Errorf("in a namespace that isn't listed: %v; asked: %v", err, elsewhere)
			}

			if err := edit(t, c, "APIKey", `create {}`); err != nil {
				t.Fatal(err)
			}
			a.Close()
			for _, row := range outage {
				err := edit(t, c, "APIKey", row.edit)
				if (err != nil) != row.refused || err != nil && !strings.Contains(err.Error(), "failed calling webhook") {
					t.Errorf("%s while admission is away: got %v, want it refused: %v", row.edit, err, row.refused)
				}
			}
		})
	}
}

var outage = []struct {
	edit    string
	refused bool
}{
	{`{"spec":{"scopes":["read"]}}`, true},
	{`{"spec":{"state":"Suspended"}}`, false},
	{`{"spec":{"state":"Active"}}`, true},
	{`{"spec":{"state":"Revoked"}}`, false},
	{`delete`, false},
}

func edit(t *testing.T, c client.Client, kind, what string) error {
	t.Helper()
	// The API server first tries a patch on what its cache has, and admission is asked
	// about that as well. A list waits until the cache knows of the row before.
	all := &unstructured.UnstructuredList{}
	all.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
	if err := c.List(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	word, rest, _ := strings.Cut(what, " ")
	switch word {
	case "create":
		return c.Create(t.Context(), object(t, kind, rest))
	case "delete":
		return c.Delete(t.Context(), object(t, kind, `{}`))
	case "status":
		return c.Status().Patch(t.Context(), object(t, kind, `{}`), client.RawPatch("application/merge-patch+json", []byte(rest)))
	default:
		return c.Patch(t.Context(), object(t, kind, `{}`), client.RawPatch("application/merge-patch+json", []byte(what)))
	}
}
