package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// staging marks directories that a fetch fills before it moves their contents.
const staging = ".fetch-"

// CacheDir is where fetched parts and built tools are kept, outside the
// repository so that it happens once a machine.
func CacheDir() (string, error) {
	if dir := os.Getenv("APIKEY_OPERATOR_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "apikey-operator"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the cache, set APIKEY_OPERATOR_CACHE: %w", err)
	}
	return filepath.Join(home, ".cache", "apikey-operator"), nil
}

func (s source) dir() (string, error) {
	root, err := CacheDir()
	if err != nil {
		return "", err
	}
	folder, err := s.folder()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, folder), nil
}

// fetch tries the ways in order. Packages are tested in parallel, so one
// process fetches and the others wait for it.
func (s source) fetch(ctx context.Context, p Part) (Path, error) {
	dir, err := s.dir()
	if err != nil {
		return Path{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Path{}, err
	}
	unlock, err := lock(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return Path{}, err
	}
	defer unlock()
	if path, found := s.fromCache(ctx, p, dir); found {
		return path, nil
	}

	var failed []error
	for _, w := range s.ways {
		if err := s.fetchBy(ctx, w, p, dir); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", w.from, err))
			continue
		}
		return Path{p, filepath.Join(dir, string(p)), w.from}, nil
	}
	return Path{}, errors.Join(failed...)
}

// fetchBy stages p and moves it into place only when it is whole and works.
func (s source) fetchBy(ctx context.Context, w way, p Part, dir string) error {
	// We hold the lock: what an interrupted fetch left is nobody's.
	leftovers, err := filepath.Glob(filepath.Join(dir, staging+"*"))
	if err != nil {
		return err
	}
	for _, l := range leftovers {
		if err := os.RemoveAll(l); err != nil {
			return err
		}
	}
	stage, err := os.MkdirTemp(dir, staging)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(stage) }()

	if err := w.stage(ctx, p, stage); err != nil {
		return err
	}
	if err := s.check(ctx, filepath.Join(stage, string(p))); err != nil {
		return err
	}
	return install(stage, dir, string(p))
}

// install moves everything staged into dir, the program that readers look for
// last: they don't take the lock.
func install(stage, dir, last string) error {
	entries, err := os.ReadDir(stage)
	if err != nil {
		return err
	}
	move := func(name string) error {
		to := filepath.Join(dir, name)
		// A directory can't be renamed over a full one.
		if info, err := os.Stat(to); err == nil && info.IsDir() {
			if err := os.RemoveAll(to); err != nil {
				return err
			}
		}
		return os.Rename(filepath.Join(stage, name), to)
	}
	for _, e := range entries {
		if e.Name() == last || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := move(e.Name()); err != nil {
			return err
		}
	}
	return move(last)
}

// lock takes an advisory lock that ends with the process at the latest.
func lock(ctx context.Context, name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	waiting := false
	err = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(context.Context) (bool, error) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			if !waiting {
				say("another process fetches into %s, waiting for it", filepath.Dir(name))
			}
			waiting = true
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
	}
	// Closing the file releases the lock; nothing was written to it.
	return func() { _ = f.Close() }, nil
}
