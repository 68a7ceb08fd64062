package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// placeholder is the image that the manifests name.
const placeholder = "localhost/apikey-operator"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run() error {
	out := flag.String("o", "", "the file to write")
	image := flag.String("image", "", "the operator's image: <name>:<tag> or <name>@<digest>")
	flag.Parse()
	if *out == "" || flag.NArg() != 1 {
		return fmt.Errorf("-o and one directory must be given")
	}
	replacement, err := parseImage(*image)
	if err != nil {
		return err
	}
	// In the order of kubectl apply -k: admission comes last.
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), flag.Arg(0))
	if err != nil {
		return err
	}
	if err := resources.ApplyFilter(imagetag.Filter{ImageTag: replacement, FsSlice: podImages}); err != nil {
		return err
	}
	content, err := resources.AsYaml()
	if err != nil {
		return err
	}
	if !strings.Contains(string(content), "image: "+*image+"\n") {
		return fmt.Errorf("%s has no Pod with image %s", flag.Arg(0), placeholder)
	}
	if err := os.MkdirAll(filepath.Dir(*out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(*out, content, 0o644)
}

// podImages are where the manifests name images.
var podImages = types.FsSlice{{Path: "spec/template/spec/containers[]/image"}}

func parseImage(image string) (types.Image, error) {
	r := types.Image{Name: placeholder}
	if name, digest, ok := strings.Cut(image, "@"); ok {
		r.NewName, r.Digest = name, digest
		return r, nil
	}
	// The last colon, if it isn't a registry's port.
	colon := strings.LastIndex(image, ":")
	if colon <= strings.LastIndex(image, "/") {
		return r, fmt.Errorf("-image %q: must be <name>:<tag> or <name>@<digest>", image)
	}
	r.NewName, r.NewTag = image[:colon], image[colon+1:]
	return r, nil
}
