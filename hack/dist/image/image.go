package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
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

// platform is one as Go names it.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// parsePlatform takes linux/<architecture>: files have Linux' owners and modes.
func parsePlatform(s string) (platform, error) {
	system, arch, _ := strings.Cut(s, "/")
	if system != "linux" || arch == "" || strings.Contains(arch, "/") {
		return platform{}, fmt.Errorf("platform %q: must be linux/<architecture>, as in linux/amd64", s)
	}
	return platform{system, arch}, nil
}

// contents are what an image is made of. Its entry point is the first file.
type contents struct {
	platform
	files []file
	// about are labels of the image, and annotations of its manifest.
	about map[string]string
}

func (c contents) image() (v1.Image, error) {
	layer, err := c.layer()
	if err != nil {
		return nil, err
	}
	oci := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(oci, layer)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = c.os, c.arch
	config.Created = v1.Time{Time: epoch()}
	config.Config = v1.Config{User: user, WorkingDir: "/", Entrypoint: []string{c.files[0].to}, Labels: c.about}
	if img, err = mutate.ConfigFile(img, config); err != nil || len(c.about) == 0 {
		return img, err
	}
	return mutate.Annotations(img, c.about).(v1.Image), nil
}

// about says whose image it is, in OCI's words. A program that was built outside of a
// repository has no revision. There are no licenses, for the project has none yet.
func about(p *program, version string) map[string]string {
	words := map[string]string{"title": p.name(), "version": version, "revision": p.revision(), "source": p.source()}
	all := map[string]string{}
	for word, value := range words {
		if value != "" {
			all["org.opencontainers.image."+word] = value
		}
	}
	return all
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
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching, tarball.WithCompressionLevel(gzip.BestSpeed))
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
