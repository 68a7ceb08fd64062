package parts

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestGatewaysArePinned(t *testing.T) {
	for _, f := range schemaFiles {
		if version, err := pinned("gateways", f.module); err != nil || version == "" {
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
