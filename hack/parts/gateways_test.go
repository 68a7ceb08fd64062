package parts

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestGatewaysArePinned(t *testing.T) {
	pin := regexp.MustCompile(`^[^@]+@v\d+\.\d+\.\d+$`)
	for _, f := range schemaFiles {
		version, err := release(f.module)
		if err != nil || !pin.MatchString(version) {
			t.Errorf("%s of %s: got %q, %v", f.name, f.module, version, err)
		}
	}
	folder, err := gatewaysFolder()
	if ok, _ := filepath.Match("gateways/????????????-"+platform(), folder); err != nil || !ok {
		t.Errorf("folder %q, %v", folder, err)
	}
	if _, err := moduleDir(t.Context(), t.TempDir(), "example.com/teapot"); err == nil || !strings.Contains(err.Error(), "requires no release of example.com/teapot") {
		t.Errorf("a module that isn't pinned: got %v", err)
	}
}
