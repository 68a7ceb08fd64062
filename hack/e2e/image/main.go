package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

func main() {
	out := flag.String("o", "dist/e2e-image.tar", "the archive to write")
	name := flag.String("name", "localhost/apikey-operator-e2e:dev", "the image's name and tag")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := pack(ctx, *out, *name)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e image:", err)
		os.Exit(1)
	}
}

// pack runs in the repository's root.
func pack(ctx context.Context, out, name string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "apikey-operator-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := run(ctx, "go", "build", "-trimpath", "-o", dir+"/", "./hack/e2e/caller", "./hack/e2e/upstream"); err != nil {
		return err
	}
	args := []string{"-C", "hack/dist", "run", "./image", "-o", out, "-name", name, dir + "/caller=/caller", dir + "/upstream=/upstream"}

	envoy, err := parts.Locate(ctx, parts.Envoy)
	if err != nil {
		return err
	}
	args = append(args, envoy.File+"=/envoy")
	libraries, err := libraries(ctx, envoy.File)
	if err != nil {
		return err
	}
	for _, file := range libraries {
		args = append(args, file+"="+file)
	}
	_, err = run(ctx, "go", args...)
	return err
}

// libraries are the shared libraries of a program and its dynamic linker.
func libraries(ctx context.Context, program string) ([]string, error) {
	out, err := run(ctx, "ldd", program)
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(out) {
		// "libc.so.6 => /lib/libc.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)",
		// and "linux-vdso.so.1 (0x…)", which is no file.
		for _, field := range strings.Fields(line) {
			if strings.HasPrefix(field, "/") {
				files = append(files, field)
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("ldd %s names no file:\n%s", program, out)
	}
	return files, nil
}

// run returns what a command prints. Programs are built static: the image holds no
// libraries but Envoy's.
func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(problem.String()))
	}
	return string(out), nil
}
