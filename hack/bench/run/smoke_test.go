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
	"testing"
	"time"
)

// small is everything with few keys and requests. Benchmarks beside the code aren't run.
func small(t *testing.T) *options {
	t.Helper()
	o, err := flags([]string{"-rounds=1", "-in-flight=4", "-keys=100", "-warmup=0", "-duration=1m", "-bin=" + t.TempDir()}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	o.manyKeys, o.requests = 200, 400
	o.benchmark = func(_ context.Context, b benchmark, _ cores) (string, error) {
		var out strings.Builder
		for _, f := range b.figures {
			fmt.Fprintf(&out, "%s-2 1 %g %s\n", f.of, f.target.bound, f.metric)
		}
		return out.String(), nil
	}
	return o
}

func build(t *testing.T, bin string) {
	t.Helper()
	for to, what := range map[string]string{"": "./cmd/apikey-operator", "bench": "./hack/bench/..."} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, to)+"/", what)
		cmd.Dir = "../../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", what, err, out)
		}
	}
}

// TestSmoke runs everything once, from servers to the document. It says nothing of speed.
func TestSmoke(t *testing.T) {
	o := small(t)
	build(t, o.bin)
	o.doc = filepath.Join(o.bin, "performance.md")
	if err := os.WriteFile(o.doc, []byte("# Performance\n"+begin+"\n"+end+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := bench(t.Context(), o, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	lines := strings.Count(out.String(), "\n| ") - 2 // without the head
	if want := 8 + 7; lines != want {                // of contests, and of benchmarks
		t.Errorf("got %d lines, want %d, in\n%s", lines, want, out.String())
	}
	for _, not := range []string{"ERROR", "?", "NaN"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("the table has %q:\n%s", not, out.String())
		}
	}
	document, err := os.ReadFile(o.doc)
	if err != nil || !strings.Contains(string(document), strings.TrimSpace(out.String())) {
		t.Errorf("the document: %v\n%s", err, document)
	}
}

// A row that can't be measured is an error, and no figures are written.
func TestFailedRow(t *testing.T) {
	o := small(t) // there are no programs in bin
	o.doc = filepath.Join(o.bin, "performance.md")
	failing := row{"failing", func(context.Context, *options, cores) []line {
		return []line{{what: "what fails", err: errors.New("as it shall")}}
	}}
	o.rows = append([]row{failing}, o.rows[:1]...)
	o.duration = time.Second
	var out bytes.Buffer
	err := bench(t.Context(), o, &out)
	if err == nil || !strings.Contains(err.Error(), "what fails: as it shall") || !strings.Contains(err.Error(), "do-nothing grpc-go") {
		t.Errorf("got %v", err)
	}
	if strings.Count(out.String(), "| ERROR |") != 2 {
		t.Errorf("got\n%s", out.String())
	}
	if _, err := os.Stat(o.doc); err == nil {
		t.Error("the document was written")
	}
}
