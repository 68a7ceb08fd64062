package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

func TestMain(m *testing.M) {
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{"../../../config/crd/bases"}}))
}

// A real API server takes what is sent here, and sends the same.
func TestRealAPIServer(t *testing.T) {
	config := devcluster.For(t).Config
	s, err := newStore(1)
	if err != nil {
		t.Fatal(err)
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	api, err := json.Marshal(protectedAPI())
	if err != nil {
		t.Fatal(err)
	}
	for plural, text := range map[string][]byte{"protectedapis": api, "apikeys": s.appendKey(nil, 0)} {
		sent := &unstructured.Unstructured{}
		if err := sent.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: sent.GetNamespace()}}
		if _, err := core.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		objects := client.Resource(v1alpha1.GroupVersion.WithResource(plural)).Namespace(sent.GetNamespace())
		asked := sent.DeepCopy()
		for _, theirs := range []string{"resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"} {
			unstructured.RemoveNestedField(asked.Object, "metadata", theirs)
		}
		got, err := objects.Apply(t.Context(), asked.GetName(), asked, metav1.ApplyOptions{FieldManager: "kubectl"})
		if err != nil {
			t.Fatalf("%s: %v", plural, err)
		}
		parts := []string{"spec"}
		if _, has := sent.Object["status"]; has {
			parts = append(parts, "status")
			got.Object["status"] = sent.DeepCopy().Object["status"]
			if got, err = objects.UpdateStatus(t.Context(), got, metav1.UpdateOptions{FieldManager: "apikey-operator"}); err != nil {
				t.Fatalf("%s: %v", plural, err)
			}
		}
		for _, part := range parts {
			if diff := cmp.Diff(got.Object[part], sent.Object[part]); diff != "" {
				t.Errorf("%s: %s of the API server (-) and ours (+):\n%s", plural, part, diff)
			}
		}
		back, err := json.Marshal(got.Object)
		if err != nil {
			t.Fatal(err)
		}
		if n := float64(len(text)) / float64(len(back)); plural == "apikeys" && (n < 0.9 || n > 1.1) {
			t.Errorf("%s: the sizes differ by more than a tenth\n%s\n%s", plural, back, text)
		}
	}
}
