package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// debian is a program inside a package of a Debian-like distribution. It is
// downloaded and unpacked, not installed, so it needs no root. apt checks the
// signatures; the version is the distribution's, which drops old ones.
type debian struct {
	pkg string
	// binary is the program's path in the package.
	binary string
}

// wrapper starts a program with the libraries unpacked beside it.
const wrapper = `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH="$here/%[1]s.lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/%[1]s.bin" "$@"
`

func (d debian) stage(ctx context.Context, p Part, dir string) error {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("not a Debian machine: %w", err)
		}
	}
	tmp, err := os.MkdirTemp(dir, ".deb-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()

	return step("unpacking Debian package "+d.pkg, func() error {
		deb, err := download(ctx, tmp, d.pkg)
		if err != nil {
			return err
		}
		root := filepath.Join(tmp, "root")
		if _, err := run(ctx, tmp, nil, "dpkg-deb", "-x", deb[0], root); err != nil {
			return err
		}
		binary := filepath.Join(root, d.binary)
		if err := executable(binary); err != nil {
			return fmt.Errorf("the package has no %s: %w", d.binary, err)
		}
		missing, err := lacksLibraries(ctx, binary)
		if err != nil {
			return err
		}
		if !missing {
			return os.Rename(binary, filepath.Join(dir, string(p)))
		}
		return d.stageWithLibraries(ctx, p, dir, tmp, deb[0], binary)
	})
}

// rounds bounds how far dependencies of dependencies are followed.
const rounds = 4

// stageWithLibraries adds the shared libraries that the machine lacks: those that
// the package depends on and, as long as some are missing, those that these do.
func (d debian) stageWithLibraries(ctx context.Context, p Part, dir, tmp, deb, binary string) error {
	lib := filepath.Join(dir, string(p)+".lib")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		return err
	}
	debs, had := []string{deb}, []string{d.pkg}
	for missing, round := true, 0; missing; round++ {
		var wanted []string
		for _, deb := range debs {
			depends, err := run(ctx, tmp, nil, "dpkg-deb", "-f", deb, "Depends")
			if err != nil {
				return err
			}
			for _, name := range libraries(depends) {
				if !slices.Contains(had, name) {
					wanted, had = append(wanted, name), append(had, name)
				}
			}
		}
		if len(wanted) == 0 || round == rounds {
			return fmt.Errorf("no package on which %s depends has the libraries that it lacks", d.pkg)
		}
		var err error
		if debs, err = download(ctx, tmp, wanted...); err != nil {
			return err
		}
		if err := unpackLibraries(ctx, tmp, lib, debs); err != nil {
			return err
		}
		if missing, err = lacksLibraries(ctx, binary, "LD_LIBRARY_PATH="+lib); err != nil {
			return err
		}
	}
	if err := os.Rename(binary, filepath.Join(dir, string(p)+".bin")); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, string(p)), fmt.Appendf(nil, wrapper, p), 0o755)
}

// unpackLibraries moves the shared libraries of packages into lib.
func unpackLibraries(ctx context.Context, tmp, lib string, debs []string) error {
	root := filepath.Join(tmp, "libraries")
	for _, deb := range debs {
		if _, err := run(ctx, tmp, nil, "dpkg-deb", "-x", deb, root); err != nil {
			return err
		}
	}
	for _, pattern := range []string{"lib/*/*.so*", "usr/lib/*/*.so*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := os.Rename(f, filepath.Join(lib, filepath.Base(f))); err != nil {
				return err
			}
		}
	}
	return nil
}

// lacksLibraries asks the loader whether a shared library of binary is missing.
func lacksLibraries(ctx context.Context, binary string, env ...string) (bool, error) {
	out, err := run(ctx, "", env, "ldd", binary)
	if err != nil {
		return false, err
	}
	return strings.Contains(out, "not found"), nil
}

// libraries picks the packages with shared libraries out of a Depends field.
// The C library is left out: it belongs to the machine's own loader.
func libraries(depends string) []string {
	var names []string
	for dependency := range strings.SplitSeq(depends, ",") {
		fields := strings.Fields(dependency)
		if len(fields) == 0 {
			continue
		}
		name := fields[0]
		if name != "libc6" && (strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "zlib")) {
			names = append(names, name)
		}
	}
	return names
}

// download fetches packages into dir. A fresh machine has no package lists, and
// updating them where they belong needs root: then we keep lists of our own.
func download(ctx context.Context, dir string, packages ...string) ([]string, error) {
	sub, err := os.MkdirTemp(dir, "download-")
	if err != nil {
		return nil, err
	}
	own := []string{"-q"}
	if _, err := run(ctx, sub, nil, "apt-get", append([]string{"-q", "download"}, packages...)...); err != nil {
		for _, option := range []string{"Dir::State::Lists", "Dir::Cache"} {
			private := filepath.Join(dir, option)
			if err := os.MkdirAll(filepath.Join(private, "partial"), 0o755); err != nil {
				return nil, err
			}
			own = append(own, "-o", option+"="+private)
		}
		if _, err := run(ctx, sub, nil, "apt-get", append(own, "update")...); err != nil {
			return nil, err
		}
		if _, err := run(ctx, sub, nil, "apt-get", append(append(own, "download"), packages...)...); err != nil {
			return nil, err
		}
	}
	debs, err := filepath.Glob(filepath.Join(sub, "*.deb"))
	if err != nil {
		return nil, err
	}
	if len(debs) != len(packages) {
		return nil, errors.New("apt-get downloaded too few packages: " + strings.Join(debs, " "))
	}
	return debs, nil
}
