package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// user is the one that Kubernetes' restricted Pods can run as: it must be a number,
// or runAsNonRoot can't be checked.
const user = "65532:65532"

// accounts give the user a name, for programs that look it up.
var accounts = map[string]string{
	"/etc/passwd": "root:x:0:0:root:/:/\nnonroot:x:65532:65532:nonroot:/:/\n",
	"/etc/group":  "root:x:0:\nnonroot:x:65532:\n",
}

// file is a file of this machine and its path in the image.
type file struct{ from, to string }

// contents are what an image is made of. Its entry point is the first file.
type contents struct {
	files         []file
	arch, version string
}

func (c contents) image() (v1.Image, error) {
	layer, err := c.layer()
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", c.arch
	config.Created = v1.Time{Time: epoch()}
	config.Config = v1.Config{User: user, WorkingDir: "/", Entrypoint: []string{c.files[0].to}}
	if c.version != "" {
		config.Config.Labels = map[string]string{"org.opencontainers.image.version": c.version}
	}
	return mutate.ConfigFile(img, config)
}

// epoch is the time of everything in an image: a build's own would make each differ.
func epoch() time.Time { return time.Unix(0, 0).UTC() }

// layer holds the files in the order given, owned by root and not to be written.
func (c contents) layer() (v1.Layer, error) {
	var buffer bytes.Buffer
	w := &writer{Writer: tar.NewWriter(&buffer), made: map[string]bool{"/": true}}
	for _, name := range []string{"/etc/group", "/etc/passwd"} {
		if err := w.add(name, 0o444, []byte(accounts[name])); err != nil {
			return nil, err
		}
	}
	for _, f := range c.files {
		content, err := os.ReadFile(f.from)
		if err != nil {
			return nil, err
		}
		if err := w.add(f.to, 0o555, content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil
	}, tarball.WithCompressedCaching, tarball.WithCompressionLevel(gzip.BestSpeed))
}

// writer adds files with the directories that they are in.
type writer struct {
	*tar.Writer
	made map[string]bool
}

func (w *writer) add(name string, mode int64, content []byte) error {
	if err := w.directory(path.Dir(name)); err != nil {
		return err
	}
	// Names in a layer are relative to its root.
	h := &tar.Header{Name: name[1:], Mode: mode, Size: int64(len(content)), Typeflag: tar.TypeReg, ModTime: epoch()}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

func (w *writer) directory(name string) error {
	if w.made[name] {
		return nil
	}
	if err := w.directory(path.Dir(name)); err != nil {
		return err
	}
	w.made[name] = true
	return w.WriteHeader(&tar.Header{Name: name[1:] + "/", Mode: 0o755, Typeflag: tar.TypeDir, ModTime: epoch()})
}
