package v1alpha1_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

const (
	crds      = "../../config/crd/bases"
	namespace = metav1.NamespaceDefault

	apiKey       = "APIKey"
	protectedAPI = "ProtectedAPI"
)

var (
	kinds   = []string{apiKey, protectedAPI}
	plurals = map[string]string{apiKey: "apikeys", protectedAPI: "protectedapis"}
	dryRun  = []string{metav1.DryRunAll}
	persist []string
)

func TestMain(m *testing.M) {
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{crds}}))
}

// server is the API server's side of one kind.
func server(t *testing.T, kind string) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(devcluster.For(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(v1alpha1.GroupVersion.WithResource(plurals[kind])).Namespace(namespace)
}

// fields reads YAML.
func fields(t *testing.T, manifest string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.UnmarshalStrict([]byte(manifest), &m); err != nil {
		t.Fatalf("%v in\n%s", err, manifest)
	}
	if m == nil {
		m = map[string]any{}
	}
	// As a client would send it: numbers are int64 or float64.
	content, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	u := unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"Fields","fields":` + string(content) + `}`)); err != nil {
		t.Fatal(err)
	}
	return u.Object["fields"].(map[string]any)
}

// object is an object of a kind with the spec that the YAML holds.
func object(t *testing.T, kind, spec string) *unstructured.Unstructured {
	t.Helper()
	return objectOf(kind, fields(t, spec))
}

func objectOf(kind string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	u.SetGenerateName("test-")
	return u
}

// create sends an object as kubectl does: an unknown field, that is a typing
// error in a row, is refused.
func create(t *testing.T, u *unstructured.Unstructured, dryRun []string) (*unstructured.Unstructured, error) {
	t.Helper()
	return server(t, u.GetKind()).Create(t.Context(), u,
		metav1.CreateOptions{DryRun: dryRun, FieldValidation: metav1.FieldValidationStrict})
}

// update is create for an object that exists.
func update(t *testing.T, u *unstructured.Unstructured, dryRun []string, subresources ...string) (*unstructured.Unstructured, error) {
	t.Helper()
	return server(t, u.GetKind()).Update(t.Context(), u,
		metav1.UpdateOptions{DryRun: dryRun, FieldValidation: metav1.FieldValidationStrict}, subresources...)
}

// mustCreate stores an object. It goes with the cluster.
func mustCreate(t *testing.T, u *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	stored, err := create(t, u, persist)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// wantAccepted also reads what the server returned into our types: an object
// that it accepts but Go can't read would stop every informer.
func wantAccepted(t *testing.T, u *unstructured.Unstructured, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	wantReadable(t, u)
}

func wantReadable(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	content, err := u.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(typed(u.GetKind())); err != nil {
		t.Fatalf("accepted, but Go can't read it: %v", err)
	}
}

// typed is an empty object of one of our Go types.
func typed(kind string) any {
	if kind == apiKey {
		return &v1alpha1.APIKey{}
	}
	return &v1alpha1.ProtectedAPI{}
}

// wantInvalid demands the whole outcome: Invalid, for nothing but the field, and
// in these words.
func wantInvalid(t *testing.T, err error, at, says string) {
	t.Helper()
	causes := invalidCauses(t, err)
	said := false
	for _, c := range causes {
		if c.Field != at {
			t.Errorf("also refused for %s: %s", c.Field, c.Message)
		}
		said = said || strings.Contains(c.Message, says)
	}
	if !said {
		t.Errorf("want\n%s: %s\ngot %v", at, says, causes)
	}
}

// invalidCauses are the causes of a refusal as Invalid.
func invalidCauses(t *testing.T, err error) []metav1.StatusCause {
	t.Helper()
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) {
		t.Fatalf("want Invalid, got %v", err)
	}
	var causes []metav1.StatusCause
	for _, c := range status.Status().Details.Causes {
		if !strings.Contains(c.Message, "some validation rules were not checked because the object was invalid") {
			causes = append(causes, c)
		}
	}
	return causes
}

func wantEqual(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
