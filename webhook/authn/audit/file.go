package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrNotRegular is returned for a path that leads to something else than a file:
// opening a pipe would wait for its reader.
var ErrNotRegular = errors.New("is not a regular file")

// File is a log file that is only appended to. Once it was renamed or removed, the
// next write goes to a new one at its path, so that a log rotation needs no
// signal; one that copies and truncates works too.
type File struct {
	path string
	file *os.File
}

// OpenFile opens a log file, or makes one that only its owner can read.
func OpenFile(path string) (*File, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	return &File{path: path, file: file}, nil
}

// Write appends. It is not safe for concurrent use. Where no new file can be made
// after a rotation, the old one is written to, and the error says why.
func (f *File) Write(p []byte) (int, error) {
	rotation := f.follow()
	n, err := f.file.Write(p)
	return n, errors.Join(rotation, err)
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// follow opens the file anew if what is at its path isn't it.
func (f *File) follow() error {
	ours, err := f.file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(f.path)
	switch {
	case err == nil && os.SameFile(ours, there):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	next, err := open(f.path)
	if err != nil {
		return err
	}
	old := f.file
	f.file = next
	return old.Close()
}

func open(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %w", path, ErrNotRegular)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600) //nolint:gosec // the operator's own flag names it
	if err != nil {
		return nil, err
	}
	if err := endLine(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// endLine ends a line that a crash left without its end.
func endLine(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], info.Size()-1); err != nil {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = file.Write([]byte{'\n'})
	return err
}
