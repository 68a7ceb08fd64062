package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFlags(t *testing.T) {
	o, err := flags([]string{"-rows", "deny,allow", "-rounds", "2", "-in-flight", "8,16", "-duration", "1s"}, t.Output())
	if err != nil || len(o.rows) != 2 || o.rows[0].name != "allow" || o.rows[1].name != "deny" || o.whole ||
		o.rounds != 2 || len(o.inFlight) != 2 || o.inFlight[1] != 16 || o.duration != time.Second || o.keys != 10_000 || o.manyKeys != 1_000_000 {
		t.Errorf("got %+v, %v", o, err)
	}
	if o, err := flags(nil, t.Output()); err != nil || len(o.rows) != len(rows()) || !o.whole {
		t.Errorf("without flags: got %+v, %v", o, err)
	}
	for _, bad := range []string{"-rows=nothing", "-rows=allow,allow", "-rows=allow,", "-rounds=0", "-in-flight=", "-in-flight=32,0", "-keys=0", "-doc"} {
		if o, err := flags([]string{bad}, t.Output()); err == nil {
			t.Errorf("%s: got %+v", bad, o)
		}
	}
}

// The benchmarks that figures come from are there. That their sub-benchmarks are is
// seen when they run.
func TestBenchmarksAreThere(t *testing.T) {
	for _, b := range []benchmark{decision(), memory(), propagation(), start()} {
		var tests strings.Builder
		files, err := filepath.Glob(filepath.Join("../../..", b.pkg, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", b.pkg, files, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(text)
		}
		for _, f := range b.figures {
			name, _, _ := strings.Cut(f.of, "/")
			if !strings.Contains(tests.String(), "\nfunc "+name+"(") {
				t.Errorf("%s has no %s", b.pkg, name)
			}
			if !strings.HasPrefix(b.name, "^"+name+"$") {
				t.Errorf("%s isn't chosen by %s", name, b.name)
			}
		}
	}
}
