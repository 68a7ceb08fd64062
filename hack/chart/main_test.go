package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

const chart = "../../config/chart"

// The package is the chart, with a version and an image.
func TestPackage(t *testing.T) {
	helm, dir := parts.Need(t, parts.Helm), t.TempDir()
	template := func(chart string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), helm, "template", "apikey-operator", chart, "--namespace", "n").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	file, err := packageChart(t.Context(), helm, chart, dir, "v1.2.3", "registry.example/apikey-operator:v1.2.3")
	if want := filepath.Join(dir, "apikey-operator-1.2.3.tgz"); err != nil || file != want {
		t.Fatalf("got %s, %v, want %s", file, err, want)
	}
	want := strings.NewReplacer(
		"localhost/apikey-operator:dev", "registry.example/apikey-operator:v1.2.3",
		`app.kubernetes.io/version: "dev"`, `app.kubernetes.io/version: "v1.2.3"`, "app.kubernetes.io/version: dev", "app.kubernetes.io/version: v1.2.3",
		"helm.sh/chart: apikey-operator-0.0.0-dev", "helm.sh/chart: apikey-operator-1.2.3",
	).Replace(template(chart))
	if got := template(file); got != want {
		t.Errorf("the package renders %d bytes, other than the chart's %d", len(got), len(want))
	}
}

// Packaged again, the chart is the same file, byte by byte: nothing in it has the time
// of the build.
func TestPackageAgain(t *testing.T) {
	helm := parts.Need(t, parts.Helm)
	var packages [2][]byte
	for i := range packages {
		file, err := packageChart(t.Context(), helm, chart, t.TempDir(), "v1.2.3", "registry.example/apikey-operator:v1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		if packages[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(packages[0], packages[1]) {
		t.Error("two packages of one chart differ")
	}
	// Within a second they might be equal by chance.
	zipped, err := gzip.NewReader(bytes.NewReader(packages[0]))
	if err != nil {
		t.Fatal(err)
	}
	if !zipped.ModTime.IsZero() {
		t.Errorf("the package is from %s, want it without a time", zipped.ModTime)
	}
	files := 0
	for in := tar.NewReader(zipped); ; files++ {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(epoch) {
			t.Errorf("%s is from %s, want %s", header.Name, header.ModTime, epoch)
		}
	}
	if files < 10 {
		t.Errorf("the package has %d files: this test looks at too little", files)
	}
}

func TestSemantic(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":            "1.2.3",
		"1.2.3-rc.1":        "1.2.3-rc.1",
		"v1.2.3-4-g0fde901": "1.2.3-4-g0fde901",
		"0123456":           "0.0.0-g0123456",
		"0fde901-dirty":     "0.0.0-g0fde901-dirty",
		"dev":               "0.0.0-gdev",
		"v1.2":              "0.0.0-gv1-2",
	} {
		if got := semantic(version); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
}

// The packaged chart holds what its links lead to, and the image in its values.
func TestStamp(t *testing.T) {
	type image struct{ Repository, Tag, Digest, PullPolicy string }
	for name, want := range map[string]image{
		"localhost/apikey-operator:dev":  {Repository: "localhost/apikey-operator", Tag: "dev"},
		"registry.example:5000/a/op:v1":  {Repository: "registry.example:5000/a/op", Tag: "v1"},
		"registry.example/a@sha256:0123": {Repository: "registry.example/a", Digest: "sha256:0123"},
	} {
		dir := t.TempDir()
		if err := copyTree(dir, chart); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "values.yaml")
		if err := stamp(file, name); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var values struct{ Image image }
		if err := yaml.Unmarshal(content, &values); err != nil || values.Image != want {
			t.Errorf("%s: got %+v (%v), want %+v", name, values.Image, err, want)
		}
		for _, linked := range []string{"files/aggregated.yaml", "files/crds/apikey-operator.dev_apikeys.yaml"} {
			if info, err := os.Lstat(filepath.Join(dir, linked)); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s isn't a file: %v", linked, err)
			}
		}
		if err := stamp(file, "registry.example/other:v2"); err == nil {
			t.Errorf("%s: values that are stamped already were stamped again", name)
		}
	}
	for _, name := range []string{"", "apikey-operator", "registry.example:5000/operator"} {
		if err := stamp(chart+"/values.yaml", name); err == nil {
			t.Errorf("%q: it has no tag, and was taken", name)
		}
	}
}
