package auth

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/apikey-operator/apikey-operator"

// internal is pure Go: no Kubernetes and no network. What parses addresses and
// URLs only is fine.
func TestInternalDependsOnNeitherKubernetesNorNetwork(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./...")
	list.Dir = ".." // internal
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", list, err, stderr.String())
	}
	packages := strings.Fields(string(out))
	own := 0
	for _, pkg := range packages {
		if strings.HasPrefix(pkg, module+"/internal/") {
			own++
			continue
		}
		for _, outside := range []string{"k8s.io", "sigs.k8s.io", "google.golang.org/grpc", "net/http", module} {
			if pkg == "net" || pkg == outside || strings.HasPrefix(pkg, outside+"/") {
				t.Errorf("internal depends on %s", pkg)
			}
		}
	}
	if own < 4 {
		t.Errorf("only %d packages of internal were looked at: %q", own, packages)
	}
}
