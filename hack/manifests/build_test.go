package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

const (
	config = "../../config"
	chart  = config + "/chart"
	// system is where the shipped manifests put the operator.
	system = "apikey-operator-system"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{config + "/crd/bases"}}))
}

// components are those of config/components.
var components = []string{"autoscaling", "cert-manager", "client-certs"}

// builds are what users make of config with kustomize: by name, the folder and the
// components that are added to it.
var builds = map[string]struct {
	folder     string
	components []string
}{
	"install.yaml":                 {"default", nil},
	"install.yaml, autoscaling":    {"default", []string{"autoscaling"}},
	"install.yaml, cert-manager":   {"default", []string{"cert-manager"}},
	"install.yaml, client-certs":   {"default", []string{"client-certs"}},
	"install.yaml, all of these":   {"default", components},
	"samples":                      {"samples", nil},
	"samples, what a pipeline has": {"samples/gitops/keys", nil},
}

// kustomize builds a folder of config with components.
func kustomize(t *testing.T, folder string, with ...string) string {
	t.Helper()
	kubectl := parts.Need(t, parts.Kubectl)
	dir := filepath.Join(config, folder)
	if len(with) > 0 {
		dir = t.TempDir()
		// A base is named relative to the kustomization.
		relative := func(name string) string {
			abs, err := filepath.Abs(filepath.Join(config, name))
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(dir, abs)
			if err != nil {
				t.Fatal(err)
			}
			return rel
		}
		text := fmt.Sprintf("resources: [%s]\ncomponents:\n", relative(folder))
		for _, c := range with {
			text += "- " + relative("components/"+c) + "\n"
		}
		if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(t, "", kubectl, "kustomize", dir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// valuesFiles are the chart's ci/*.yaml, and none.
func valuesFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("the chart's values are %q, %v", files, err)
	}
	return append([]string{""}, files...)
}

// helmTemplate renders the chart as a release of the system namespace.
func helmTemplate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return run(t, "", parts.Need(t, parts.Helm), append([]string{"template", "apikey-operator", chart, "--namespace", system}, args...)...)
}

func mustTemplate(t *testing.T, args ...string) string {
	t.Helper()
	out, err := helmTemplate(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withValues are helm's arguments for a file of values.
func withValues(file string) []string {
	if file == "" {
		return nil
	}
	return []string{"--values", file}
}

// run runs a program with stdin and returns what it prints, and in the error what it
// complains of.
func run(t *testing.T, stdin, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, problem.String())
	}
	return out.String(), nil
}

func parse(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for in := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		o := &unstructured.Unstructured{}
		err := in.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

// render is the inverse of parse.
func render(t *testing.T, objects ...*unstructured.Unstructured) string {
	t.Helper()
	var text strings.Builder
	for _, o := range objects {
		content, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n" + string(content))
	}
	return text.String()
}

// id names an object among others.
func id(o *unstructured.Unstructured) string {
	return strings.TrimPrefix(o.GetNamespace()+"/", "/") + o.GetKind() + " " + o.GetName()
}

// only are the objects of these kinds.
func only(objects []*unstructured.Unstructured, kinds ...string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range objects {
		for _, k := range kinds {
			if o.GetKind() == k {
				out = append(out, o)
			}
		}
	}
	return out
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
