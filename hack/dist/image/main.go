package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// options are what is to be made, of what.
type options struct {
	ref               name.Tag
	docker, oci, sbom string
	push              bool
	version           string
	one               platform
	all               []platform
	files             []file
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	tag := flags.String("name", "", "the image's name and tag")
	flags.StringVar(&o.docker, "o", "", "write the image of -arch as an archive for docker load")
	arch := flags.String("arch", runtime.GOARCH, "architecture for -o, as Go names it")
	platforms := flags.String("platforms", "", "what a release is for: linux/amd64,linux/arm64")
	flags.StringVar(&o.version, "version", "", "the release's version, as its programs print it")
	flags.StringVar(&o.oci, "oci", "", "write the release as an OCI layout in a tar archive")
	flags.StringVar(&o.sbom, "sbom", "", "write <program>-<os>-<arch>.spdx.json of the release into this directory")
	flags.BoolVar(&o.push, "push", false, "push the release to the registry in -name, with the logins of docker or podman")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.ref, err = name.NewTag(*tag, name.StrictValidation); err != nil {
		return o, fmt.Errorf("-name: %w", err)
	}
	if o.one, err = parsePlatform("linux/" + *arch); err != nil {
		return o, fmt.Errorf("-arch: %w", err)
	}
	for _, s := range strings.FieldsFunc(*platforms, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := parsePlatform(s)
		if err != nil {
			return o, fmt.Errorf("-platforms: %w", err)
		}
		if slices.Contains(o.all, p) {
			return o, fmt.Errorf("-platforms: %s is there twice", p)
		}
		o.all = append(o.all, p)
	}
	for _, arg := range flags.Args() {
		from, to, both := strings.Cut(arg, "=")
		if !both || !strings.HasPrefix(to, "/") {
			return o, fmt.Errorf("%s: must be <file>=</path/in/the/image>", arg)
		}
		o.files = append(o.files, file{from, to})
	}
	return o, o.check()
}

func (o options) check() error {
	released := o.oci != "" || o.sbom != "" || o.push
	switch {
	case len(o.files) == 0:
		return fmt.Errorf("at least one <file>=</path/in/the/image> must be given")
	case o.docker == "" && !released:
		return fmt.Errorf("one of -o, -oci, -sbom and -push must be given")
	case released && (len(o.all) == 0 || o.version == ""):
		return fmt.Errorf("-oci, -sbom and -push make a release: -platforms and -version must be given")
	}
	return nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.docker != "" {
		if err := o.writeDocker(); err != nil {
			return err
		}
	}
	if o.oci == "" && o.sbom == "" && !o.push {
		return nil
	}
	r, err := newRelease(o.version, o.all, o.files)
	if err != nil {
		return err
	}
	if o.sbom != "" {
		for _, b := range r.boms {
			if err := writeFile(filepath.Join(o.sbom, b.file), func(w io.Writer) error { _, err := w.Write(b.content); return err }); err != nil {
				return err
			}
		}
	}
	if o.oci != "" {
		if err := writeFile(o.oci, func(w io.Writer) error { return r.archive(o.ref, w) }); err != nil {
			return err
		}
	}
	if o.push {
		pushed, err := r.push(o.ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, pushed)
		return err
	}
	return nil
}

// writeDocker writes the image of one platform. With a version it is the same as in a
// release, else its files may be anything.
func (o options) writeDocker() error {
	c, _, err := newContents(o.version, o.one, o.files)
	if err != nil {
		return err
	}
	img, err := c.image()
	if err != nil {
		return err
	}
	return writeFile(o.docker, func(w io.Writer) error { return tarball.Write(o.ref, img, w) })
}
