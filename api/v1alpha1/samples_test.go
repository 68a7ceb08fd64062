package v1alpha1_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/internal/route"
)

const samples = "../../config/samples"

// sampleObjects are the objects of the samples in the order in which
// `kubectl apply -k` sends them: namespaces first.
func sampleObjects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(samples, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(content, &kustomization); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(samples, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := filepath.Base(f); name != "kustomization.yaml" && !slices.Contains(kustomization.Resources, name) {
			t.Errorf("kustomization.yaml doesn't list %s", name)
		}
	}
	var all []*unstructured.Unstructured
	for _, name := range kustomization.Resources {
		all = append(all, documents(t, filepath.Join(samples, name))...)
	}
	return all
}

func documents(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for d := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096); ; {
		u := &unstructured.Unstructured{}
		if err := d.Decode(&u.Object); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, u)
	}
}

// TestSamples sends every sample to the API server, as kubectl does.
func TestSamples(t *testing.T) {
	client, err := dynamic.NewForConfig(devcluster.For(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	strict := metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
	for _, u := range sampleObjects(t) {
		name := u.GetKind() + "/" + u.GetName()
		if u.GetKind() == "Namespace" { // for the others to be in
			resource := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
			if _, err := client.Resource(resource).Create(t.Context(), u, strict); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatalf("%s: %v", name, err)
			}
			continue
		}
		t.Run(name, func(t *testing.T) {
			if u.GetKind() == "Secret" { // to import from
				resource := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
				if _, err := client.Resource(resource).Namespace(u.GetNamespace()).Create(t.Context(), u, strict); err != nil {
					t.Error(err)
				}
				return
			}
			resource := v1alpha1.GroupVersion.WithResource(plurals[u.GetKind()])
			u, err := client.Resource(resource).Namespace(u.GetNamespace()).Create(t.Context(), u, strict)
			wantAccepted(t, u, err)
		})
	}
}

// sampleAPIs and sampleKeys are the samples of the kinds, by name.
func sampleAPIs(t *testing.T) map[string]*v1alpha1.ProtectedAPI {
	t.Helper()
	return samplesOf[v1alpha1.ProtectedAPI](t, protectedAPI)
}

func sampleKeys(t *testing.T) map[string]*v1alpha1.APIKey {
	t.Helper()
	return samplesOf[v1alpha1.APIKey](t, apiKey)
}

func samplesOf[T any](t *testing.T, kind string) map[string]*T {
	t.Helper()
	all := map[string]*T{}
	for _, u := range sampleObjects(t) {
		if u.GetKind() == kind {
			o := new(T)
			convert(t, u.Object, o)
			all[u.GetName()] = o
		}
	}
	return all
}

// TestSampleKeys: every sample key is one that its API lets in.
func TestSampleKeys(t *testing.T) {
	apis := sampleAPIs(t)
	used := map[string]bool{}
	for name, k := range sampleKeys(t) {
		if k.Spec.APIRef == nil {
			continue // of the default API, which isn't a resource
		}
		api, ok := apis[k.Spec.APIRef.Name]
		if !ok || api.Namespace != k.Spec.APIRef.Namespace {
			t.Errorf("%s: no sample is %s/%s", name, k.Spec.APIRef.Namespace, k.Spec.APIRef.Name)
			continue
		}
		used[api.Name] = true
		for _, s := range k.Spec.Scopes {
			declared := func(d v1alpha1.ScopeDeclaration) bool { return d.Name == s }
			if !strings.HasSuffix(string(s), "*") && !slices.ContainsFunc(api.Spec.Scopes, declared) {
				t.Errorf("%s: %s declares no scope %s", name, api.Name, s)
			}
		}
		if api.Spec.KeyLimits != nil && api.Spec.KeyLimits.Scopes == v1alpha1.Required && len(k.Spec.Scopes) == 0 {
			t.Errorf("%s: %s requires scopes", name, api.Name)
		}
		if slices.Contains(api.Spec.KeyFormat.Environments, k.Spec.Environment) != (len(api.Spec.KeyFormat.Environments) > 0) {
			t.Errorf("%s: %q is no environment of %s", name, k.Spec.Environment, api.Name)
		}
	}
	for _, api := range []string{"billoget", "billstack", "staxai", "staxbill"} {
		if !used[api] {
			t.Errorf("no sample key is for %s", api)
		}
	}
}

// routesOf compiles a sample's routes, as auth servers do.
func routesOf(t *testing.T, api *v1alpha1.ProtectedAPI) *route.Table {
	t.Helper()
	var routes []route.Route
	add := func(r v1alpha1.Route, scope string) {
		pattern, err := route.Parse(string(r.Path))
		if err != nil {
			t.Fatal(err)
		}
		one := route.Route{Pattern: pattern, Scope: scope, Public: scope == ""}
		for _, m := range r.Methods {
			one.Methods = append(one.Methods, string(m))
		}
		routes = append(routes, one)
	}
	for _, s := range api.Spec.Scopes {
		for _, r := range s.Routes {
			add(r, string(s.Name))
		}
	}
	for _, r := range api.Spec.PublicRoutes {
		add(r, "")
	}
	var bases []string
	for _, b := range api.Spec.BasePaths {
		bases = append(bases, string(b))
	}
	table, err := route.Compile(bases, routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestSampleDenials: who can't be authenticated at Stax.ai sees 200 and its words;
// an outage isn't the client's fault there either.
func TestSampleDenials(t *testing.T) {
	denials := map[v1alpha1.DenialCode]v1alpha1.Denial{}
	for _, d := range sampleAPIs(t)["staxai"].Spec.Denials {
		denials[d.Code] = d
	}
	wantEqual(t, denials[v1alpha1.DenialDefault], v1alpha1.Denial{
		Code: v1alpha1.DenialDefault, Status: 200,
		Headers: []v1alpha1.DenialHeader{{Name: "Content-Type", Value: "application/json"}},
		Body:    "{\n    \"success\": false,\n    \"authError\": true,\n    \"error\": \"Invalid authorization request\"\n}",
	})
	for _, code := range []v1alpha1.DenialCode{"invalid_path", "invalid_host", "rate_limit_exceeded", "unavailable"} {
		wantEqual(t, denials[code], v1alpha1.Denial{Code: code})
	}
}

// TestSampleRoutes: the tables of endpoints in the systems' documents.
func TestSampleRoutes(t *testing.T) {
	const project = "/api/billstack/teams/team_42/projects/proj_abc123"
	apis := sampleAPIs(t)
	for _, r := range []struct{ api, methods, path, opens string }{
		{"billoget", "GET HEAD", "/api/public/budgets", "READ_BUDGETS"},
		{"billoget", "GET HEAD", "/v1/api/public/budgets", "READ_BUDGETS"},
		{"billoget", "GET", "/v1/api/public/budgets/7", "READ_BUDGETS"},
		{"billoget", "POST PUT DELETE", "/api/public/budgets", "WRITE_BUDGETS"},
		{"billoget", "POST PUT DELETE", "/v1/api/public/budgets/7/lines/2", "WRITE_BUDGETS"},
		{"billoget", "GET", "/api/public/customers/7", "READ_CUSTOMERS"},
		{"billoget", "POST PUT DELETE", "/v1/api/public/customers/7", "WRITE_CUSTOMERS"},
		{"billoget", "GET", "/api/public/products/7", "READ_PRODUCTS"},
		{"billoget", "POST PUT DELETE", "/v1/api/public/products/7", "WRITE_PRODUCTS"},
		{"billoget", "POST", "/api/public/webhooks/test", "WEBHOOKS"},
		{"billoget", "POST", "/v1/auth/login", "public"},
		{"billoget", "GET POST", "/api-keys", "public"},
		{"billoget", "GET PUT DELETE", "/v1/api-keys/api_key_123", "public"},
		{"billoget", "GET", "/api-keys/api_key_123/stats", "public"},
		{"billoget", "PATCH OPTIONS", "/api/public/budgets", "nothing"},
		{"billoget", "GET", "/v1/auth/login", "nothing"},
		{"billoget", "GET", "/api/public/webhooks/test", "nothing"},
		{"billoget", "GET", "/api/public/budgetsx", "nothing"},
		{"billoget", "GET", "/v1/v1/api/public/budgets", "nothing"},
		{"billoget", "GET", "/v2/api/public/budgets", "nothing"},
		{"billoget", "GET", "/", "nothing"},

		{"billstack", "GET", project + "/customers", "customers:read"},
		{"billstack", "POST PUT PATCH DELETE", project + "/customers/7", "customers:write"},
		{"billstack", "GET", project + "/products", "products:read"},
		{"billstack", "GET", project + "/prices/7", "products:read"},
		{"billstack", "POST PUT PATCH DELETE", project + "/products/7", "products:write"},
		{"billstack", "POST PUT PATCH DELETE", project + "/prices", "products:write"},
		{"billstack", "GET", project + "/subscriptions", "subscriptions:read"},
		{"billstack", "POST PUT PATCH DELETE", project + "/subscriptions/7/cancel", "subscriptions:write"},
		{"billstack", "POST", project + "/checkout-sessions", "subscriptions:write"},
		{"billstack", "GET", project + "/analytics/revenue", "analytics:read"},
		{"billstack", "GET", project + "/referrals/codes", "referrals:read"},
		{"billstack", "POST PUT PATCH DELETE", project + "/referrals/config", "referrals:write"},
		{"billstack", "GET POST", "/api/billstack/teams/team_42/api-keys", "public"},
		{"billstack", "DELETE", "/api/billstack/teams/team_42/api-keys/key_xyz789", "public"},
		{"billstack", "POST", project + "/analytics", "nothing"},
		{"billstack", "GET", project, "nothing"},
		{"billstack", "GET", project + "/api-keys", "nothing"},
		{"billstack", "GET", "/customers", "nothing"},

		{"staxai", "GET POST", "/", "nothing"},
		{"staxbill", "GET POST", "/v1/customers", "nothing"},
	} {
		for method := range strings.FieldsSeq(r.methods) {
			opens := "nothing"
			if m := routesOf(t, apis[r.api]).Find(r.path); m != nil && m.Public(method) {
				opens = "public"
			} else if m != nil && len(m.Scopes(method)) > 0 {
				opens = strings.Join(m.Scopes(method), ",")
			}
			if opens != r.opens {
				t.Errorf("%s: %s %s is opened by %s, not by %s", r.api, method, r.path, opens, r.opens)
			}
		}
	}
}
