// Command program is what the tests of image put in images: it has a dependency, and a
// version that the linker stamps, as the operator has.
package main

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
)

var version = "dev"

func main() { fmt.Println(version, name.DefaultRegistry) }
