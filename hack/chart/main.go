package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	out := flag.String("o", "", "the folder that the package goes into")
	version := flag.String("version", "", "the operator's version, and the chart's")
	image := flag.String("image", "", "the operator's image: <name>:<tag> or <name>@<digest>")
	flag.Parse()
	if *out == "" || *version == "" || flag.NArg() != 1 {
		return fmt.Errorf("-o, -version and one directory must be given")
	}
	program, err := parts.Locate(ctx, parts.Helm)
	if err != nil {
		return err
	}
	file, err := packageChart(ctx, program.File, flag.Arg(0), *out, *version, *image)
	if err != nil {
		return err
	}
	fmt.Printf("%s: image %s, version %s\n", file, *image, *version)
	return nil
}

// packageChart has helm package a copy of a chart's folder, and returns the file. Its
// bytes depend on nothing but the chart, the version and the image.
func packageChart(ctx context.Context, helm, chart, out, version, image string) (string, error) {
	dir, err := os.MkdirTemp("", "apikey-operator-chart-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := copyTree(dir, chart); err != nil {
		return "", err
	}
	if err := stamp(filepath.Join(dir, "values.yaml"), image); err != nil {
		return "", err
	}
	if err := date(dir); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, helm, "package", dir, "--version", semantic(version), "--app-version", version, "--destination", out)
	cmd.Stderr = os.Stderr
	return filepath.Join(out, "apikey-operator-"+semantic(version)+".tgz"), cmd.Run()
}

// epoch is when the files of every package are from; tar warns of 1970.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// date gives a folder's files one time, since helm packages theirs.
func date(dir string) error {
	return filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(file, epoch, epoch)
	})
}

var semver = regexp.MustCompile(`^v?((0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?)$`)

// semantic is a version as Helm takes one.
func semantic(version string) string {
	if m := semver.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	// A letter in front, for a number with a zero in front wouldn't be one.
	return "0.0.0-g" + regexp.MustCompile(`[^0-9A-Za-z-]+`).ReplaceAllString(version, "-")
}

// copyTree copies a folder, and what its symbolic links lead to.
func copyTree(to, from string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		if info.IsDir() {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
			if err := copyTree(target, source); err != nil {
				return err
			}
			continue
		}
		content, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, content, info.Mode().Perm()&fs.FileMode(0o644)); err != nil {
			return err
		}
	}
	return nil
}

// stamp puts an image into the values, whose comments stay.
func stamp(file, image string) error {
	name, tag, digest, err := splitImage(image)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for old, new := range map[string]string{
		"\n  repository: localhost/apikey-operator\n": "\n  repository: " + name + "\n",
		"\n  tag: \"\"\n":    fmt.Sprintf("\n  tag: %q\n", tag),
		"\n  digest: \"\"\n": fmt.Sprintf("\n  digest: %q\n", digest),
	} {
		if bytes.Count(content, []byte(old)) != 1 {
			return fmt.Errorf("%s holds %q not exactly once", file, strings.TrimSpace(old))
		}
		content = bytes.Replace(content, []byte(old), []byte(new), 1)
	}
	return os.WriteFile(file, content, 0o644)
}

func splitImage(image string) (name, tag, digest string, err error) {
	if name, digest, ok := strings.Cut(image, "@"); ok {
		return name, "", digest, nil
	}
	// The last colon, if it isn't a registry's port.
	colon := strings.LastIndex(image, ":")
	if colon <= strings.LastIndex(image, "/") {
		return "", "", "", fmt.Errorf("-image %q: must be <name>:<tag> or <name>@<digest>", image)
	}
	return image[:colon], image[colon+1:], "", nil
}
