package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"
)

const mainModule = "github.com/apikey-operator/apikey-operator/hack/dist"

// parsed reads a document with the library's own reader.
func parsed(t *testing.T, content []byte) *spdx.Document {
	t.Helper()
	doc, err := json.Read(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, p := range doc.Packages {
		if id := string(p.PackageSPDXIdentifier); ids[id] {
			t.Errorf("two packages have the identifier %s", id)
		} else {
			ids[id] = true
		}
	}
	return doc
}

// module is what a document has to say of one.
type module struct{ path, version, purl, sum, sha256 string }

func modules(doc *spdx.Document) (all []module) {
	for _, p := range doc.Packages {
		m := module{path: p.PackageName, version: p.PackageVersion, sum: p.PackageSourceInfo}
		for _, r := range p.PackageExternalReferences {
			m.purl += r.Category + " " + r.RefType + " " + r.Locator
		}
		for _, c := range p.PackageChecksums {
			m.sha256 += string(c.Algorithm) + " " + c.Value
		}
		all = append(all, m)
	}
	return all
}

// goVersion is what `go version -m` shows of a file: its Go, and its modules.
func goVersion(t *testing.T, file string) (version string, all []module) {
	t.Helper()
	out, err := exec.Command("go", "version", "-m", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	_, version, _ = strings.Cut(lines[0], ": go")
	for _, line := range lines {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "dep" {
			sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(f[3], "h1:"))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, module{f[1], f[2], "PACKAGE-MANAGER purl pkg:golang/" + f[1] + "@" + f[2], "go.sum " + f[3], "SHA256 " + hex.EncodeToString(sum)})
		}
	}
	return version, all
}

func TestSBOM(t *testing.T) {
	dir, out := build(t), t.TempDir()
	_, err := image(t, "-sbom", out, "-name", "example.com/program:v1", "-version", version, "-platforms", "linux/amd64 linux/arm64", dir+"/{os}-{arch}/program=/program")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range platforms {
		file := filepath.Join(dir, p.os+"-"+p.arch, "program")
		program, err := readProgram(file, p)
		if err != nil {
			t.Fatal(err)
		}
		doc := parsed(t, read(t, filepath.Join(out, "program-"+p.os+"-"+p.arch+".spdx.json")))

		goVersion, deps := goVersion(t, file)
		if len(deps) == 0 {
			t.Fatalf("%s has no dependencies", file)
		}
		got := modules(doc)
		want := append([]module{
			{mainModule, version, "PACKAGE-MANAGER purl pkg:golang/" + mainModule + "@" + version, got[0].sum, fmt.Sprintf("SHA256 %x", program.sha256)},
			{"stdlib", goVersion, "PACKAGE-MANAGER purl pkg:golang/stdlib@" + goVersion, "", ""},
		}, deps...)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the modules are\n%v, want\n%v", p, got, want)
		}
		if revision := program.revision(); revision != "" && !strings.HasPrefix(got[0].sum, "commit "+revision) {
			t.Errorf("%s: the program is of %q, want commit %s", p, got[0].sum, revision)
		}
		if doc.SPDXVersion != "SPDX-2.3" || doc.CreationInfo.Created != program.time() || len(doc.Relationships) != len(got) {
			t.Errorf("%s: %s of %s with %d relationships", p, doc.SPDXVersion, doc.CreationInfo.Created, len(doc.Relationships))
		}
		described, err := spdxlib.GetDescribedPackageIDs(doc)
		if err != nil || len(described) != 1 || described[0] != doc.Packages[0].PackageSPDXIdentifier {
			t.Errorf("%s: it describes %v, %v", p, described, err)
		}
	}
}

func TestModulesOfASBOM(t *testing.T) {
	const sum, sha256 = "h1:AQI=", "SHA256 0102"
	for _, tt := range []struct {
		name string
		of   debug.Module
		want module
	}{
		{
			"a version that a URL can't have", debug.Module{Path: "example.com/a", Version: "v2.0.0+incompatible", Sum: sum},
			module{"example.com/a", "v2.0.0+incompatible", "PACKAGE-MANAGER purl pkg:golang/example.com/a@v2.0.0%2Bincompatible", "go.sum " + sum, sha256},
		},
		{
			"what is linked in place of another", debug.Module{Path: "example.com/a", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork/b", Version: "v1.0.1", Sum: sum}},
			module{"example.com/fork/b", "v1.0.1", "PACKAGE-MANAGER purl pkg:golang/example.com/fork/b@v1.0.1", "replaces example.com/a v1.0.0, go.sum " + sum, sha256},
		},
	} {
		doc := &spdx.Document{}
		p, err := modulePackage(&tt.of)
		if err != nil {
			t.Fatal(err)
		}
		doc.Packages = append(doc.Packages, p)
		if got := modules(doc); got[0] != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got[0], tt.want)
		}
	}
	if _, err := modulePackage(&debug.Module{Path: "example.com/a", Sum: "h1:?"}); err == nil || !strings.Contains(err.Error(), `the sum of example.com/a, "h1:?"`) {
		t.Errorf("a sum that is none: got %v", err)
	}
	one, err1 := modulePackage(&debug.Module{Path: "example.com/a-b"})
	other, err2 := modulePackage(&debug.Module{Path: "example.com/a_b"})
	if err1 != nil || err2 != nil || one.PackageSPDXIdentifier == other.PackageSPDXIdentifier {
		t.Errorf("%v and %v are two", one, other)
	}
}
