package certificates

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestFilesAreWrittenAgain: a folder that can't be written to for a while gets the
// last certificate all the same.
func TestFilesAreWrittenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	f, issued, ended := &files{dir: dir}, make(chan map[string][]byte), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { f.keep(ctx, issued); close(ended) }()
	issued <- map[string][]byte{"tls.crt": []byte("first"), "tls.key": []byte("key")}
	issued <- map[string][]byte{"tls.crt": []byte("second"), "tls.key": []byte("key")}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the files", func() (bool, string) {
		crt, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
		if err != nil {
			return false, err.Error()
		}
		key, err := os.ReadFile(filepath.Join(dir, "tls.key"))
		return err == nil && string(crt) == "second" && string(key) == "key", string(crt)
	})
	cancel()
	<-ended
}

func TestPlaceholder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tls.crt")
	if err := placeholder(dir); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(file); err != nil || len(content) != 0 {
		t.Errorf("got %q (%v), want an empty file", content, err)
	}
	if err := os.WriteFile(file, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := placeholder(dir); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "somebody's" {
		t.Errorf("got %q (%v), want what was there", content, err)
	}
	if err := placeholder(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that isn't there: got no error")
	}
}
