package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// writer is what a Sink writes to: it can hold, be short and fail.
type writer struct {
	bytes.Buffer
	entered chan struct{} // gets a value with each Write
	hold    chan struct{} // each Write takes a value
	answers []answer      // of the next writes; then all is well
	writes  []string
}

type answer struct {
	n   int
	err error
}

func (w *writer) Write(p []byte) (int, error) {
	if w.hold != nil {
		w.entered <- struct{}{}
		<-w.hold
	}
	if len(w.answers) > 0 {
		a := w.answers[0]
		w.answers = w.answers[1:]
		_, _ = w.Buffer.Write(p[:a.n])
		return a.n, a.err
	}
	w.writes = append(w.writes, string(p))
	return w.Buffer.Write(p)
}

// newSink returns a sink and what it logs.
func newSink(w *writer) (*Sink, *bytes.Buffer) {
	logged := new(bytes.Buffer)
	return NewSink(w, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(logged, nil))), logged
}

// droppedLines is apikey_operator_audit_dropped_total, by reason.
func droppedLines(t testing.TB, s *Sink) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(s.dropped)
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "apikey_operator_audit_dropped_total" {
		t.Fatalf("got metrics %v and error %v", families, err)
	}
	got := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	return got
}

func expectDropped(t *testing.T, s *Sink, want map[string]float64) {
	t.Helper()
	all := map[string]float64{bufferFull: 0, writeFailed: 0, closed: 0}
	maps.Copy(all, want)
	if got := droppedLines(t, s); !maps.Equal(got, all) {
		t.Errorf("dropped %v, want %v", got, all)
	}
}

func TestSinkWritesEverythingBeforeItCloses(t *testing.T) {
	w := &writer{}
	s, _ := newSink(w)
	var want strings.Builder
	for i := range 1000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		if n, err := s.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.String() != want.String() {
		t.Error("lines are missing, or in another order")
	}
	if _, err := s.Write([]byte("late\n")); !errors.Is(err, ErrDropped) {
		t.Errorf("a line after the end: got error %v, want ErrDropped", err)
	}
	expectDropped(t, s, map[string]float64{closed: 1})
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// A line is written at once, unless one was just before: then lines gather.
func TestSinkGathersLines(t *testing.T) {
	many := strings.Repeat("x", batch-1) + "\n"
	for _, tc := range []struct {
		name  string
		steps []any // what is written, or how long nothing is
		want  []string
	}{
		{"one line", []any{"a\n"}, []string{"a\n"}},
		{"lines after it", []any{"a\n", "b\n", pause - 1, "c\n"}, []string{"a\n"}},
		{"lines after it, and the pause is over", []any{"a\n", "b\n", pause - 1, "c\n", time.Duration(1)}, []string{"a\n", "b\nc\n"}},
		{"and once more", []any{"a\n", "b\n", pause, "c\n", pause - 1}, []string{"a\n", "b\n"}},
		{"and that pause is over too", []any{"a\n", "b\n", pause, "c\n", pause}, []string{"a\n", "b\n", "c\n"}},
		{"a line after a pause", []any{"a\n", pause, "b\n"}, []string{"a\n", "b\n"}},
		{"a line after a long time", []any{"a\n", time.Hour, "b\n", "c\n"}, []string{"a\n", "b\n"}},
		{"enough for a write", []any{"a\n", "b\n", many, "c\n"}, []string{"a\n", "b\n" + many}},
		{"again and again", []any{many, many, many, "a\n"}, []string{many, many, many}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &writer{}
				s, _ := newSink(w)
				all := ""
				for _, step := range tc.steps {
					switch step := step.(type) {
					case string:
						all += step
						if _, err := s.Write([]byte(step)); err != nil {
							t.Fatal(err)
						}
					case time.Duration:
						<-time.After(step)
					}
					synctest.Wait()
				}
				if !slices.Equal(w.writes, tc.want) {
					t.Errorf("wrote %.40q, want %.40q", w.writes, tc.want)
				}
				start := time.Now()
				if err := s.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if w.String() != all || time.Since(start) != 0 {
					t.Errorf("closing took %s and left %.40q, want what is left to be written at once", time.Since(start), w)
				}
			})
		})
	}
}

// A writer that hangs holds up nobody; what doesn't fit is dropped, and what was
// taken is written once it can be.
func TestSlowSinkDropsLines(t *testing.T) {
	w := &writer{entered: make(chan struct{}), hold: make(chan struct{})}
	s, _ := newSink(w)
	line := bytes.Repeat([]byte("x"), 1<<20)
	line[len(line)-1] = '\n'
	if _, err := s.Write(line); err != nil {
		t.Fatal(err)
	}
	<-w.entered // the writer hangs, the buffer is empty
	for i := range 6 {
		if _, err := s.Write(line); (err != nil) != (i >= 4) {
			t.Errorf("line %d: got error %v; 4 MiB fit", i, err)
		}
	}
	expectDropped(t, s, map[string]float64{bufferFull: 2})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closing while the writer hangs: got error %v, want a deadline", err)
	}
	close(w.hold)
	<-w.entered
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.String() != strings.Repeat(string(line), 5) {
		t.Errorf("%d bytes were written, want 5 lines", w.Len())
	}
}

// A writer that fails loses lines, but no line continues another, and later ones
// are written.
func TestBrokenSinkLosesLines(t *testing.T) {
	full := errors.New("no space left")
	for _, tc := range []struct {
		name    string
		answers []answer
		batches []string
		want    string
		dropped float64
		logged  int
	}{
		{"nothing was written", []answer{{0, full}}, []string{"a\nb\n", "c\n"}, "c\n", 2, 2},
		{"whole lines were written", []answer{{2, full}}, []string{"a\nb\nc\n", "d\n"}, "a\nd\n", 2, 2},
		{"a part of a line was written", []answer{{3, full}}, []string{"a\nbbb\nc\n", "d\n"}, "a\nb\nd\n", 2, 2},
		{"and the line can't be ended", []answer{{1, full}, {0, full}}, []string{"aa\n", "b\n", "c\n"}, "a\nc\n", 2, 2},
		{"all was written, with a warning", []answer{{2, full}}, []string{"a\n", "b\n"}, "a\nb\n", 0, 2},
		{"for good", []answer{{0, full}, {0, full}, {0, full}}, []string{"a\n", "b\n", "c\n"}, "", 3, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &writer{answers: tc.answers}
			s, logged := newSink(w)
			if err := s.Close(t.Context()); err != nil { // its goroutine: we flush
				t.Fatal(err)
			}
			for _, batch := range tc.batches {
				s.flush([]byte(batch))
			}
			if w.String() != tc.want {
				t.Errorf("got %q, want %q", w.String(), tc.want)
			}
			expectDropped(t, s, map[string]float64{writeFailed: tc.dropped})
			if got := strings.Count(logged.String(), "\n"); got != tc.logged || !strings.Contains(logged.String(), "no space left") {
				t.Errorf("%d lines were logged, want %d: %s", got, tc.logged, logged)
			}
		})
	}
}

// Many doors write at once: every line is whole, and none is missing.
func TestLinesAreWhole(t *testing.T) {
	const doors, requests = 8, 200
	file := &writer{}
	s, _ := newSink(file)
	log := New(s, keyring.New(keyring.HostPolicy{}).Find)
	var group sync.WaitGroup
	for d := range doors {
		door := log.Door(fmt.Sprint("door-", d), deny{})
		group.Go(func() {
			for i := range requests {
				r := &auth.Request{
					Caller: netip.MustParseAddr("10.0.0.9"), Method: "GET", Path: fmt.Sprintf("/%d/%s", i, strings.Repeat("x/", i%300)), Time: at,
				}
				door.Authenticate(r)
			}
		})
	}
	group.Wait()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := map[string]int{}
	for line := range strings.Lines(file.String()) {
		r := parse(t, line)
		if want := fmt.Sprintf("/%d/", next[r.Door]); !strings.HasPrefix(r.Path, want) || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("the next line of %s is %q, want path %s…", r.Door, line, want)
		}
		next[r.Door]++
	}
	if len(next) != doors || next["door-0"] != requests || strings.Count(file.String(), "\n") != doors*requests {
		t.Errorf("lines of doors: %v", next)
	}
	expectDropped(t, s, nil)
}

// deny is an Authenticator.
type deny struct{}

func (deny) Authenticate(*auth.Request) auth.Verdict { return auth.Verdict{Reason: auth.UnknownAPI} }
