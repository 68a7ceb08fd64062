package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// release is one version of a program for some platforms.
type release struct {
	version string
	index   v1.ImageIndex
	// boms are by platform, in the order given.
	boms  []bom
	dirty bool
}

// bom is what an image's program is made of, and the artifact that it is in.
type bom struct {
	file    string
	content []byte
	v1.Image
}

// newContents takes the files for a platform: {os} and {arch} in their names stand for
// it. With a version, the first must be a Go program, of which the rest is known; else
// they may be anything, and there is no program.
func newContents(version string, p platform, files []file) (contents, *program, error) {
	c := contents{platform: p}
	for _, f := range files {
		c.files = append(c.files, file{strings.NewReplacer("{os}", p.os, "{arch}", p.arch).Replace(f.from), f.to})
	}
	if version == "" {
		return c, nil, nil
	}
	program, err := readProgram(c.files[0].from, p)
	if err != nil {
		return contents{}, nil, err
	}
	c.about = about(program, version)
	return c, program, nil
}

// newRelease fails for programs that are of different commits.
func newRelease(version string, platforms []platform, files []file) (*release, error) {
	r := &release{version: version}
	var adds []mutate.IndexAddendum
	var words map[string]string
	for _, p := range platforms {
		c, program, err := newContents(version, p, files)
		if err != nil {
			return nil, err
		}
		if words != nil && !maps.Equal(words, c.about) {
			return nil, fmt.Errorf("%s is of commit %q and the one before of another: build them all again", program.file, program.revision())
		}
		words, r.dirty = c.about, r.dirty || program.dirty()
		img, err := c.image()
		if err != nil {
			return nil, err
		}
		b, err := newBOM(program, version, img)
		if err != nil {
			return nil, err
		}
		r.boms = append(r.boms, b)
		adds = append(adds, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}}})
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), adds...)
	r.index = mutate.Annotations(index, words).(v1.ImageIndex)
	return r, nil
}

func newBOM(p *program, version string, img v1.Image) (bom, error) {
	content, err := sbom(p, version)
	if err != nil {
		return bom{}, err
	}
	subject, err := partial.Descriptor(img)
	if err != nil {
		return bom{}, err
	}
	name := fmt.Sprintf("%s-%s-%s.spdx.json", p.name(), p.setting("GOOS"), p.setting("GOARCH"))
	artifact, err := attach(content, spdxType, name, *subject)
	return bom{name, content, artifact}, err
}

// layout is the index of an OCI layout: the release under its name, and the bills of
// materials, whose subjects are its images.
func (r *release) layout(ref name.Tag) v1.ImageIndex {
	adds := []mutate.IndexAddendum{{Add: r.index, Descriptor: v1.Descriptor{Annotations: map[string]string{
		"org.opencontainers.image.ref.name": ref.TagStr(),
		// containerd's word for the whole name.
		"io.containerd.image.name": ref.Name(),
	}}}}
	for _, b := range r.boms {
		adds = append(adds, mutate.IndexAddendum{Add: b.Image})
	}
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), adds...)
}

// archive writes the layout as a tar file.
func (r *release) archive(ref name.Tag, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := layout.Write(dir, r.layout(ref)); err != nil {
		return err
	}
	w := &writer{Writer: tar.NewWriter(out), made: map[string]bool{"/": true}}
	// In the order of names.
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return w.add(filepath.ToSlash(strings.TrimPrefix(path, dir)), 0o444, content)
	})
	if err != nil {
		return err
	}
	return w.Close()
}

// push gives a registry all of it: the images and their index under the tag, then the
// bills of materials, which have no tags. It returns the index' name by its digest.
func (r *release) push(ref name.Tag, options ...remote.Option) (name.Digest, error) {
	if r.dirty && !strings.Contains(r.version, "dirty") {
		return name.Digest{}, fmt.Errorf("version %s is of no commit: files were changed; commit them, or say -dirty in the version", r.version)
	}
	if ref.RegistryStr() == "localhost" {
		return name.Digest{}, fmt.Errorf("%s is in no registry: give -name <registry>/<name>:<tag>", ref)
	}
	digest, err := r.index.Digest()
	if err != nil {
		return name.Digest{}, err
	}
	if err := remote.WriteIndex(ref, r.index, options...); err != nil {
		return name.Digest{}, err
	}
	for _, b := range r.boms {
		d, err := b.Digest()
		if err != nil {
			return name.Digest{}, err
		}
		if err := remote.Write(ref.Digest(d.String()), b.Image, options...); err != nil {
			return name.Digest{}, err
		}
	}
	return ref.Digest(digest.String()), nil
}

// writeFile writes under a temporary name and renames: what is interrupted is nothing.
func writeFile(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	out, err := os.Create(name + ".partial")
	if err != nil {
		return err
	}
	if err := errors.Join(write(out), out.Close()); err != nil {
		return err
	}
	return os.Rename(name+".partial", name)
}
