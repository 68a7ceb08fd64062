package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestFile(t *testing.T) {
	for _, tc := range []struct {
		name    string
		before  string // what the file holds, "" is no file
		between func(path string) error
		want    string // what the file holds after two lines
		rotated string // what path.1 holds
	}{
		{name: "a new file", want: "a\nb\n"},
		{name: "an old file is appended to", before: "old\n", want: "old\na\nb\n"},
		{name: "a line that a crash tore is ended", before: "old\nto", want: "old\nto\na\nb\n"},
		{name: "renamed", between: func(path string) error { return os.Rename(path, path+".1") }, want: "b\n", rotated: "a\n"},
		{name: "renamed, and a new one made", between: func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, nil, 0o600))
		}, want: "b\n", rotated: "a\n"},
		{name: "removed", between: os.Remove, want: "b\n"},
		{name: "copied and truncated", between: func(path string) error { return os.Truncate(path, 0) }, want: "b\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			if tc.before != "" {
				write(t, path, tc.before)
			}
			f, err := OpenFile(path)
			if err != nil {
				t.Fatal(err)
			}
			append1(t, f, "a\n")
			if tc.between != nil {
				if err := tc.between(path); err != nil {
					t.Fatal(err)
				}
			}
			append1(t, f, "b\n")
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if got := read(t, path); got != tc.want {
				t.Errorf("the file holds %q, want %q", got, tc.want)
			}
			if got := read(t, path+".1"); got != tc.rotated {
				t.Errorf("the rotated file holds %q, want %q", got, tc.rotated)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file's mode is %v (%v), want 0600", info.Mode(), err)
			}
		})
	}
}

// Where there can't be a new file, lines go to the old one.
func TestFileThatCannotFollow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Write([]byte("a\n")); n != 2 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %d, %v; want the line written, and an error", n, err)
	}
	if got := read(t, filepath.Join(dir+".old", "audit.log")); got != "a\n" {
		t.Errorf("the old file holds %q", got)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestFileThatCannotBeOpened(t *testing.T) {
	if _, err := OpenFile(filepath.Join(t.TempDir(), "missing", "audit.log")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that isn't there: got %v", err)
	}
	for _, path := range []string{t.TempDir(), os.DevNull} {
		if _, err := OpenFile(path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: got %v, want ErrNotRegular", path, err)
		}
	}
}

func append1(t *testing.T, f *File, line string) {
	t.Helper()
	if n, err := f.Write([]byte(line)); n != len(line) || err != nil {
		t.Fatal(n, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read returns what a file holds, nothing if there is none.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}
