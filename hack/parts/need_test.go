package parts

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestRecord(t *testing.T) {
	alone(t)
	why := errors.New("envoy: one\n  two")
	if err := Record(Envoy, why); err != nil {
		t.Fatalf("nobody asked for notes: %v", err)
	}
	notes := filepath.Join(t.TempDir(), "missing")
	t.Setenv("APIKEY_OPERATOR_MISSING_PARTS", notes)
	for range 2 {
		if err := Record(Envoy, why); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(notes)
	if want := "envoy: one two\nenvoy: one two\n"; err != nil || string(content) != want {
		t.Errorf("got %q, %v, want %q", content, err, want)
	}
}

// fakeTB notes how Need ends a test. A real one doesn't return from that.
type fakeTB struct {
	testing.TB
	ended string
}

func (f *fakeTB) end(how string) {
	if f.ended == "" {
		f.ended = how
	}
}
func (f *fakeTB) Helper()               {}
func (f *fakeTB) Fatalf(string, ...any) { f.end("failed") }
func (f *fakeTB) Skipf(string, ...any)  { f.end("skipped") }

func TestNeed(t *testing.T) {
	alone(t)
	for ci, want := range map[string]string{"": "skipped", "false": "skipped", "true": "failed"} {
		t.Setenv("CI", ci)
		tb := &fakeTB{TB: t}
		if path := Need(tb, "teapot"); path != "" || tb.ended != want {
			t.Errorf("CI=%q: got path %q, the test %s, want %s", ci, path, tb.ended, want)
		}
	}
}
