package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// unpack makes the directory that an OCI layout is.
func unpack(t *testing.T, archive string) layout.Path {
	t.Helper()
	dir := t.TempDir()
	for r := tar.NewReader(bytes.NewReader(read(t, archive))); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(file, 0o755)
		} else {
			content, readErr := io.ReadAll(r)
			if err = readErr; err == nil {
				err = os.WriteFile(file, content, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// checkIndex compares an index with the programs that it was made of, and returns the
// descriptors of its images.
func checkIndex(t *testing.T, dir string, index v1.ImageIndex) (images []v1.Descriptor) {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	program, err := readProgram(filepath.Join(dir, "linux-amd64", "program"), platforms[0])
	if err != nil {
		t.Fatal(err)
	}
	words := about(program, version)
	if words["org.opencontainers.image.version"] != version || words["org.opencontainers.image.source"] != "https://"+mainModule {
		t.Errorf("the words are %v", words)
	}
	if !reflect.DeepEqual(manifest.Annotations, words) || len(manifest.Manifests) != len(platforms) {
		t.Fatalf("the index is %+v, want annotations %v", manifest, words)
	}
	for i, p := range platforms {
		descriptor := manifest.Manifests[i]
		img, err := index.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		of, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		want := v1.Config{User: "65532:65532", WorkingDir: "/", Entrypoint: []string{"/program"}, Labels: words}
		if descriptor.Platform.String() != p.String() || config.Platform().String() != p.String() || !reflect.DeepEqual(config.Config, want) || !reflect.DeepEqual(of.Annotations, words) {
			t.Errorf("%s: descriptor %+v, configuration %+v, annotations %v", p, descriptor, config, of.Annotations)
		}
		if got := entries(t, img); got["program"] != 0o555 || len(got) != 4 {
			t.Errorf("%s: it holds %v", p, got)
		}
		images = append(images, descriptor)
	}
	return images
}

// checkSBOM compares an artifact about an image with the file.
func checkSBOM(t *testing.T, artifact v1.Image, subject v1.Descriptor, file string) {
	t.Helper()
	m, err := artifact.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if m.ArtifactType != spdxType || m.Subject == nil || m.Subject.Digest != subject.Digest || m.Config.MediaType != emptyConfigType || len(m.Layers) != 1 ||
		m.Layers[0].MediaType != spdxType || m.Layers[0].Annotations["org.opencontainers.image.title"] != filepath.Base(file) {
		t.Fatalf("the artifact is %+v, want one about %s", m, subject.Digest)
	}
	layer, err := artifact.LayerByDigest(m.Layers[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	r, err := layer.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(content, read(t, file)) {
		t.Errorf("the artifact isn't %s (%v)", file, err)
	}
	parsed(t, content)
}

func TestArchive(t *testing.T) {
	dir, out := build(t), t.TempDir()
	var archives [][]byte
	for _, name := range []string{"one", "other"} {
		_, err := image(t, "-name", "localhost/apikey-operator:dev", "-version", version, "-o", filepath.Join(out, name+".tar"), "-arch", "arm64",
			"-oci", filepath.Join(out, name+".oci.tar"), "-sbom", out, "-platforms", "linux/amd64,linux/arm64", dir+"/{os}-{arch}/program=/program")
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, read(t, filepath.Join(out, name+".oci.tar")))
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the same files made two different archives")
	}

	path := unpack(t, filepath.Join(out, "one.oci.tar"))
	top, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"org.opencontainers.image.ref.name": "dev", "io.containerd.image.name": "localhost/apikey-operator:dev"}
	if len(manifest.Manifests) != 3 || !reflect.DeepEqual(manifest.Manifests[0].Annotations, names) {
		t.Fatalf("the layout is %+v", manifest)
	}
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	images := checkIndex(t, dir, index)
	for i, p := range platforms {
		descriptor := manifest.Manifests[i+1]
		artifact, err := top.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if descriptor.ArtifactType != spdxType {
			t.Errorf("%s: the layout's index has the artifact as %+v", p, descriptor)
		}
		checkSBOM(t, artifact, images[i], filepath.Join(out, "program-"+p.os+"-"+p.arch+".spdx.json"))
	}

	// The other archive has the very same image.
	single, err := loaded(t, filepath.Join(out, "one.tar")).ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	arm64, err := index.Image(images[1].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if of, err := arm64.ConfigName(); err != nil || of != single {
		t.Errorf("the images of arm64 are %s and %s, %v", single, of, err)
	}
}

func TestPush(t *testing.T) {
	for how, options := range map[string][]registry.Option{
		"by the referrers API":          {registry.WithReferrersSupport(true)},
		"by a tag, in older registries": nil,
	} {
		t.Run(how, func(t *testing.T) {
			dir, out := build(t), t.TempDir()
			server := httptest.NewServer(registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...))
			defer server.Close()
			repository := strings.TrimPrefix(server.URL, "http://") + "/team/program"
			pushed, err := image(t, "-push", "-sbom", out, "-name", repository+":v1", "-version", version, "-platforms", "linux/amd64,linux/arm64", dir+"/{os}-{arch}/program=/program")
			if err != nil {
				t.Fatal(err)
			}
			ref, err := name.NewDigest(strings.TrimSpace(pushed))
			if err != nil {
				t.Fatal(err)
			}
			tagged, err := remote.Head(ref.Tag("v1"))
			if err != nil || tagged.Digest.String() != ref.DigestStr() {
				t.Fatalf("the tag is %v, %v, want %s", tagged, err, ref)
			}
			index, err := remote.Index(ref)
			if err != nil {
				t.Fatal(err)
			}
			for i, descriptor := range checkIndex(t, dir, index) {
				of, err := remote.Referrers(ref.Digest(descriptor.Digest.String()))
				if err != nil {
					t.Fatal(err)
				}
				referrers, err := of.IndexManifest()
				if err != nil || len(referrers.Manifests) != 1 {
					t.Fatalf("%s is referred to by %+v, %v", platforms[i], referrers, err)
				}
				artifact, err := remote.Image(ref.Digest(referrers.Manifests[0].Digest.String()))
				if err != nil {
					t.Fatal(err)
				}
				checkSBOM(t, artifact, descriptor, filepath.Join(out, "program-"+platforms[i].os+"-"+platforms[i].arch+".spdx.json"))
			}
		})
	}
}

func TestPushSaysWhatWasChanged(t *testing.T) {
	r := &release{version: "v1.2.3", dirty: true}
	ref, err := name.NewTag("registry.invalid/program:v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.push(ref)
	if want := "version v1.2.3 is of no commit: files were changed; commit them, or say -dirty in the version"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for setting, want := range map[string]bool{"true": true, "false": false, "": false} {
		p := &program{build: &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: setting}}}}
		if got := p.dirty(); got != want {
			t.Errorf("vcs.modified=%q: dirty %v", setting, got)
		}
	}
}
