package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// emptyConfig is what OCI has in place of a configuration for what isn't an image.
const (
	emptyConfig     = "{}"
	emptyConfigType = "application/vnd.oci.empty.v1+json"
)

// artifact is one document about an image, as registries keep it: a manifest whose
// subject is the image, by which it is found.
type artifact struct {
	manifest []byte
	document v1.Layer
}

// attach makes an artifact of a document about the image of that descriptor.
func attach(document []byte, mediaType, title string, subject v1.Descriptor) (v1.Image, error) {
	a := artifact{document: static.NewLayer(document, types.MediaType(mediaType))}
	digest, size, err := v1.SHA256(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	config, _, err := v1.SHA256(bytes.NewReader([]byte(emptyConfig)))
	if err != nil {
		return nil, err
	}
	a.manifest, err = json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  mediaType,
		Config:        v1.Descriptor{MediaType: emptyConfigType, Size: int64(len(emptyConfig)), Digest: config},
		Layers: []v1.Descriptor{{
			MediaType: types.MediaType(mediaType), Size: size, Digest: digest,
			Annotations: map[string]string{"org.opencontainers.image.title": title},
		}},
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Size: subject.Size, Digest: subject.Digest},
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(a)
}

func (a artifact) RawManifest() ([]byte, error)        { return a.manifest, nil }
func (a artifact) RawConfigFile() ([]byte, error)      { return []byte(emptyConfig), nil }
func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (a artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if digest, err := a.document.Digest(); err != nil || h == digest {
		return a.document, err
	}
	// The library asks for the configuration by this way too.
	config := static.NewLayer([]byte(emptyConfig), emptyConfigType)
	if digest, err := config.Digest(); err != nil || h == digest {
		return config, err
	}
	return nil, fmt.Errorf("no blob %s", h)
}
