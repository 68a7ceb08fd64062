package v1alpha1_test

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

// TestSecretsTakeWhatWeTake: a name that an APIKey takes and a Secret doesn't
// would be a key that is never issued.
func TestSecretsTakeWhatWeTake(t *testing.T) {
	client, err := kubernetes.NewForConfig(devcluster.For(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"empty value": `a: ""`, "value of 63": "a: " + letters(63), "all characters": "a: A-b_c.9"}
	pairs := manifests("NAME: x", labelNames)
	maps.Copy(pairs, values)
	for part, rows := range map[string]map[string]string{
		"labels": pairs, "annotations": pairs, "data": manifests("NAME: x", dataNames),
	} {
		for name, row := range rows {
			t.Run(part+"/"+name, func(t *testing.T) {
				t.Parallel()
				u, err := create(t, object(t, apiKey, "secret: {"+part+": {"+row+"}}"), dryRun)
				wantAccepted(t, u, err)
				s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
				if err := yaml.UnmarshalStrict([]byte(row), map[string]any{
					"labels": &s.Labels, "annotations": &s.Annotations, "data": &s.StringData,
				}[part]); err != nil {
					t.Fatal(err)
				}
				if _, err := client.CoreV1().Secrets(namespace).Create(t.Context(), s, metav1.CreateOptions{DryRun: dryRun}); err != nil {
					t.Errorf("an APIKey takes it, a Secret doesn't: %v", err)
				}
			})
		}
	}
}
