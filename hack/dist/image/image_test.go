package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// write makes an archive of one program, whose file is new each time.
func write(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("machine code"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := contents{arch: "arm64", version: "v1.2.3", files: []file{{program, "/apikey-operator"}, {program, "/lib/a/b.so"}}}
	img, err := c.image()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag("localhost/apikey-operator:dev", name.StrictValidation)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tarball.Write(ref, img, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReproducible(t *testing.T) {
	if !bytes.Equal(write(t), write(t)) {
		t.Error("the same files made two different archives")
	}
}

func TestImage(t *testing.T) {
	archive := write(t)
	tag, err := name.NewTag("localhost/apikey-operator:dev")
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, &tag)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "arm64" || config.Config.User != "65532:65532" ||
		!reflect.DeepEqual(config.Config.Entrypoint, []string{"/apikey-operator"}) ||
		config.Config.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("the image's configuration is %+v", config)
	}

	modes := map[string]int64{}
	content := mutate.Extract(img)
	defer func() { _ = content.Close() }()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[h.Name] = h.Mode
		if h.Uid != 0 || h.ModTime.Unix() != 0 {
			t.Errorf("%s is of user %d and from %s", h.Name, h.Uid, h.ModTime)
		}
	}
	want := map[string]int64{
		"etc": 0o755, "etc/group": 0o444, "etc/passwd": 0o444, "apikey-operator": 0o555, "lib": 0o755, "lib/a": 0o755, "lib/a/b.so": 0o555,
	}
	if !reflect.DeepEqual(modes, want) {
		t.Errorf("the image holds %v, want %v", modes, want)
	}
}
