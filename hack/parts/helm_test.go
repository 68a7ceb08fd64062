package parts

import (
	"path/filepath"
	"testing"
)

func TestHelmIsPinned(t *testing.T) {
	folder, err := helmFolder()
	if ok, _ := filepath.Match("helm/4.[0-9]*.[0-9]*-"+platform(), folder); err != nil || !ok {
		t.Errorf("folder %q, %v", folder, err)
	}
}

// Helm 3 is on many machines.
func TestHelmOnPath(t *testing.T) {
	const three, four = `version.BuildInfo{Version:"v3.19.2", GoVersion:"go1.24.9"}`, `version.BuildInfo{Version:"v4.3.1", GoVersion:"go1.26.8"}`
	for output, want := range map[string]string{three: "cache", four: "PATH"} {
		cache, path := alone(t), t.TempDir()
		t.Setenv("PATH", path+":/bin")
		program(t, path, "helm", output)
		folder, err := helmFolder()
		if err != nil {
			t.Fatal(err)
		}
		program(t, filepath.Join(cache, folder), "helm", four)
		if got, err := locate(t.Context(), Helm); err != nil || got.From != want {
			t.Errorf("%s: got %+v, %v, want it from %s", output, got, err, want)
		}
	}
}
