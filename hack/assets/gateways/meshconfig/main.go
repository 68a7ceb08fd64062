// Command meshconfig reads a mesh configuration of Istio from stdin, as YAML, and
// fails if a field of it is unknown or of another type.
package main

import (
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"istio.io/api/mesh/v1alpha1"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := check(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(in io.Reader) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	json, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	// Its own UnmarshalJSON passes over what it doesn't know.
	return protojson.Unmarshal(json, new(v1alpha1.MeshConfig))
}
