package main

import (
	"testing"

	"sigs.k8s.io/kustomize/api/types"
)

func TestParseImage(t *testing.T) {
	for image, want := range map[string]types.Image{
		"localhost/apikey-operator:dev":       {NewName: "localhost/apikey-operator", NewTag: "dev"},
		"registry.example:5000/a/operator:v1": {NewName: "registry.example:5000/a/operator", NewTag: "v1"},
		"registry.example/a@sha256:0123":      {NewName: "registry.example/a", Digest: "sha256:0123"},
	} {
		want.Name = placeholder
		if got, err := parseImage(image); err != nil || got != want {
			t.Errorf("%s: got %+v (%v), want %+v", image, got, err, want)
		}
	}
	for _, image := range []string{"", "apikey-operator", "registry.example:5000/operator"} {
		if got, err := parseImage(image); err == nil {
			t.Errorf("%q: got %+v, want a refusal: it has no tag", image, got)
		}
	}
}
