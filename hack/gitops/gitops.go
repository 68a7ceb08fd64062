package gitops

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Judges judge objects.
type Judges struct {
	scripts     map[schema.GroupKind]string
	expressions map[schema.GroupKind]expressions
}

// Load reads the configuration of Argo CD and Flux in the directory of samples.
func Load(t testing.TB, samples string) *Judges {
	t.Helper()
	j := &Judges{scripts: map[schema.GroupKind]string{}, expressions: map[schema.GroupKind]expressions{}}
	if err := errors.Join(j.loadArgo(filepath.Join(samples, "argocd-cm.yaml")), j.loadFlux(filepath.Join(samples, "flux-kustomization.yaml"))); err != nil {
		t.Fatal(err)
	}
	return j
}

// Verdict is what each of them says of an object.
type Verdict struct {
	KStatus string // Current, InProgress, Failed, Terminating
	Flux    string // Current, InProgress, Failed, Unknown
	Argo    string // Healthy, Progressing, Degraded, Suspended
	Message string // of Argo CD
}

// Judge asks them all.
func (j *Judges) Judge(t testing.TB, object runtime.Object, kind schema.GroupVersionKind) Verdict {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kind)
	if s, ok := content["status"].(map[string]any); ok && len(s) == 0 {
		delete(content, "status") // as the API server has it before the controller wrote one
	}
	result, err := status.Compute(u)
	if err != nil {
		t.Fatal(err)
	}
	v := Verdict{KStatus: result.Status.String()}
	if v.Flux, err = j.flux(u); err != nil {
		t.Fatal(err)
	}
	if v.Argo, v.Message, err = j.argo(u); err != nil {
		t.Fatal(err)
	}
	return v
}

// documents reads the objects of a manifest.
func documents(file string) ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(string(content)), 4096); ; {
		u := &unstructured.Unstructured{}
		if err := d.Decode(&u.Object); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, u)
	}
}

// convert reads a part of an object into a type of ours, and no field too many.
func convert(part any, into any) error {
	text, err := yaml.Marshal(part)
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict(text, into)
}
