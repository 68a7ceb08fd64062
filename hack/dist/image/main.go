package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run() error {
	var c contents
	out := flag.String("o", "", "the archive to write")
	tag := flag.String("name", "", "the image's name and tag")
	flag.StringVar(&c.arch, "arch", runtime.GOARCH, "architecture of the programs, as Go names it")
	flag.StringVar(&c.version, "version", "", "version, for the label org.opencontainers.image.version")
	flag.Parse()
	for _, arg := range flag.Args() {
		from, to, both := strings.Cut(arg, "=")
		if !both || !strings.HasPrefix(to, "/") {
			return fmt.Errorf("%s: must be <file>=</path/in/the/image>", arg)
		}
		c.files = append(c.files, file{from, to})
	}
	if *out == "" || len(c.files) == 0 {
		return fmt.Errorf("-o and at least one file must be given")
	}
	ref, err := name.NewTag(*tag, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("-name: %w", err)
	}
	img, err := c.image()
	if err != nil {
		return err
	}
	// A temporary name and a rename: what is interrupted is not an image.
	if err := os.MkdirAll(filepath.Dir(*out), 0o755); err != nil {
		return err
	}
	partial := *out + ".partial"
	if err := tarball.WriteToFile(partial, ref, img); err != nil {
		return err
	}
	return os.Rename(partial, *out)
}
