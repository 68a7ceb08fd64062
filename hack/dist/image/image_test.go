package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// version is right for a work tree with changes too.
const version = "v1.2.3-4-gabcdef0-dirty"

var platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}}

// built is testdata/program of both platforms, at the names that the Makefile gives.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "image-test-")
	if err != nil {
		return "", err
	}
	vcs := "-buildvcs=true"
	if exec.Command("git", "rev-parse", "HEAD").Run() != nil {
		vcs = "-buildvcs=false" // from a source archive
	}
	for _, p := range platforms {
		cmd := exec.Command("go", "build", "-trimpath", vcs, "-ldflags", "-s -w -X main.version="+version, "-o", filepath.Join(dir, p.os+"-"+p.arch)+"/", "./testdata/program")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, errors.Join(err, errors.New(string(out)))
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := built(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func build(t *testing.T) (dir string) {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// image runs the command and returns what it prints.
func image(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out)
	return out.String(), err
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// loaded is an image as `docker load` finds it.
func loaded(t *testing.T, archive string) v1.Image {
	t.Helper()
	tag, err := name.NewTag("localhost/apikey-operator:dev")
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(archive, &tag)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// entries are the names and modes in an image.
func entries(t *testing.T, img v1.Image) map[string]int64 {
	t.Helper()
	modes := map[string]int64{}
	content := mutate.Extract(img)
	defer func() { _ = content.Close() }()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			return modes
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[h.Name] = h.Mode
		if h.Uid != 0 || h.ModTime.Unix() != 0 {
			t.Errorf("%s is of user %d and from %s", h.Name, h.Uid, h.ModTime)
		}
	}
}

// An image for tests may hold anything, and says nothing of itself.
func TestImageOfAnyFiles(t *testing.T) {
	var archives [][]byte
	for range 2 {
		dir := t.TempDir()
		program, archive := filepath.Join(dir, "program"), filepath.Join(dir, "image.tar")
		if err := os.WriteFile(program, []byte("machine code"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := image(t, "-o", archive, "-name", "localhost/apikey-operator:dev", "-arch", "arm64", program+"=/apikey-operator", program+"=/lib/a/b.so")
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, read(t, archive))

		img := loaded(t, archive)
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		want := v1.Config{User: "65532:65532", WorkingDir: "/", Entrypoint: []string{"/apikey-operator"}}
		if config.OS != "linux" || config.Architecture != "arm64" || !reflect.DeepEqual(config.Config, want) {
			t.Errorf("the image's configuration is %+v", config)
		}
		files := map[string]int64{
			"etc": 0o755, "etc/group": 0o444, "etc/passwd": 0o444, "apikey-operator": 0o555, "lib": 0o755, "lib/a": 0o755, "lib/a/b.so": 0o555,
		}
		if got := entries(t, img); !reflect.DeepEqual(got, files) {
			t.Errorf("the image holds %v, want %v", got, files)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the same files made two different archives")
	}
}

func TestArguments(t *testing.T) {
	dir := build(t)
	file := dir + "/linux-amd64/program=/program"
	for _, tt := range []struct {
		name string
		args []string
		err  string
	}{
		{"nothing to make", []string{file}, "one of -o, -oci, -sbom and -push must be given"},
		{"no file", []string{"-o", "x.tar"}, "at least one <file>=</path/in/the/image> must be given"},
		{"a file without its place", []string{"-o", "x.tar", "program"}, "program: must be <file>=</path/in/the/image>"},
		{"no such system", []string{"-oci", "x.tar", "-version", version, "-platforms", "windows/amd64", file}, `-platforms: platform "windows/amd64": must be linux/<architecture>, as in linux/amd64`},
		{"a platform twice", []string{"-oci", "x.tar", "-version", version, "-platforms", "linux/amd64 linux/amd64", file}, "-platforms: linux/amd64 is there twice"},
		{"a release without version", []string{"-oci", "x.tar", "-platforms", "linux/amd64", file}, "-oci, -sbom and -push make a release: -platforms and -version must be given"},
		{"a release for nobody", []string{"-push", "-version", version, file}, "-oci, -sbom and -push make a release: -platforms and -version must be given"},
		{
			"a program of another platform", []string{"-sbom", "x", "-version", version, "-platforms", "linux/arm64", file},
			dir + "/linux-amd64/program is built for linux/amd64 and not for linux/arm64: build it with GOOS=linux GOARCH=arm64",
		},
		{
			"no Go program", []string{"-sbom", "x", "-version", version, "-platforms", "linux/arm64", "main.go=/program"},
			"main.go: a release is made of Go programs with their build information: unrecognized file format",
		},
		{
			"pushed to no registry", []string{"-push", "-version", version, "-platforms", "linux/amd64", file},
			"localhost/apikey-operator:dev is in no registry: give -name <registry>/<name>:<tag>",
		},
	} {
		_, err := image(t, append([]string{"-name", "localhost/apikey-operator:dev"}, tt.args...)...)
		if err == nil || err.Error() != tt.err {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.err)
		}
	}
}
