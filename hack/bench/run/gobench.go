package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// benchmark is a Go benchmark beside the code.
type benchmark struct {
	name    string // what -bench chooses; without it nothing is run
	pkg     string
	args    []string
	pinned  bool // to the server's core; what runs an API server needs both
	figures []benchmarkFigure
}

// benchmarkFigure is one figure of it.
type benchmarkFigure struct {
	what, of, metric string
	unit             string // as shown
	target           target
}

// run gives a line for each figure.
func (b benchmark) run(ctx context.Context, o *options, cores cores) []line {
	output, err := o.benchmark(ctx, b, cores)
	var samples []sample
	if err == nil {
		samples, err = parse(output)
	}
	lines := make([]line, len(b.figures))
	for i, f := range b.figures {
		lines[i] = line{what: f.what, unit: f.unit, target: f.target, err: err}
		if err == nil {
			lines[i].figures, lines[i].err = metric(samples, f.of, f.metric)
			o.say("%s: %.4g %s", f.what, spreadOf(lines[i].figures).median, f.unit)
		}
	}
	return lines
}

// goTest builds and runs a benchmark. To be pinned it is built before.
func goTest(ctx context.Context, b benchmark, cores cores) (output string, err error) {
	dir, err := os.MkdirTemp("", "apikey-operator-bench-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "bench.test")
	if _, err := command(ctx, "", "go", "test", "-c", "-o", program, b.pkg); err != nil {
		return "", err
	}
	path, args := program, append([]string{"-test.run=^$", "-test.benchmem", "-test.timeout=20m", "-test.bench=" + b.name}, b.args...)
	if b.pinned {
		path, args = cores.command(cores.server, path, args)
	}
	return command(ctx, b.pkg, path, args...)
}

// command runs a program to its end, and returns what it printed.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, lastLines(out.String()+said.String(), 15))
	}
	return out.String(), nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
