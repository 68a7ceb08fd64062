package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxPending is how many bytes wait for the writer, some ten thousand lines.
	maxPending = 4 << 20
	// pause is how long lines gather after a write, and batch how many bytes end it
	// early. A line then costs a hundredth of a write and of a change of goroutines,
	// which are dearer than the line; one after a pause is written at once.
	pause = 10 * time.Millisecond
	batch = 64 << 10
	// never is more than there can be.
	never = maxPending + 1
)

// Why lines were dropped: label values.
const (
	bufferFull  = "buffer_full"
	writeFailed = "write_failed"
	closed      = "closed"
)

// ErrDropped is returned for a line that was not taken.
var ErrDropped = errors.New("audit log: line dropped")

// Sink hands lines on to a writer that may be slow or broken. Requests never wait
// for it: lines gather in a bounded buffer, which one goroutine writes out, many
// lines in one write. What doesn't fit, or can't be written, is dropped and
// counted: an audit log that stopped the traffic would make a full disk an outage,
// and waiting would only move the loss to the client.
type Sink struct {
	out     io.Writer
	log     *slog.Logger
	dropped *prometheus.CounterVec
	done    chan struct{}
	wake    chan struct{} // has room for one

	mu      sync.Mutex
	pending []byte // whole lines
	wakeAt  int    // how many bytes the goroutine waits for
	closed  bool

	// Only the goroutine that writes knows these.
	failing bool
	torn    bool // what was written last ends within a line
}

// NewSink returns a Sink that writes to out until it is closed. Problems are
// reported to the logger, once until it works again.
func NewSink(out io.Writer, reg prometheus.Registerer, log *slog.Logger) *Sink {
	s := &Sink{out: out, log: log, done: make(chan struct{}), wake: make(chan struct{}, 1), wakeAt: never}
	s.dropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "apikey_operator_audit_dropped_total",
		Help: "Lines that the audit log lost, by reason: buffer_full (the sink is too slow), write_failed, closed.",
	}, []string{"reason"})
	for _, reason := range []string{bufferFull, writeFailed, closed} {
		s.dropped.WithLabelValues(reason) // 0 is a value too
	}
	reg.MustRegister(s.dropped)
	go s.run()
	return s
}

// Write takes one line, with its end, or drops it. It never blocks.
func (s *Sink) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		s.dropped.WithLabelValues(closed).Inc()
		return 0, ErrDropped
	case len(s.pending)+len(line) > maxPending:
		s.dropped.WithLabelValues(bufferFull).Inc()
		return 0, ErrDropped
	}
	s.pending = append(s.pending, line...)
	if len(s.pending) >= s.wakeAt {
		s.signal()
	}
	return len(line), nil
}

// Close takes no more lines and waits until all are written or the context ends.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.signal()
	s.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("audit log: its last lines were not written: %w", ctx.Err())
	}
}

// signal wakes the goroutine, once.
func (s *Sink) signal() {
	s.wakeAt = never
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Sink) run() {
	defer close(s.done)
	var lines []byte
	timer := time.NewTimer(pause)
	for more := true; more; {
		s.await(1, nil)
		lines, more = s.take(lines)
		if len(lines) == 0 {
			continue
		}
		s.flush(lines)
		timer.Reset(pause)
		s.await(batch, timer.C)
	}
}

// await waits until so many bytes are pending, the sink is closed, or the time is
// over. It may be woken without a reason.
func (s *Sink) await(size int, over <-chan time.Time) {
	s.mu.Lock()
	ready := s.closed || len(s.pending) >= size
	if !ready {
		s.wakeAt = size
	}
	s.mu.Unlock()
	if ready {
		return
	}
	select {
	case <-s.wake:
	case <-over:
	}
}

// take returns the lines that are pending, and whether there can be more. The
// buffer that was written takes the next.
func (s *Sink) take(written []byte) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.pending
	s.pending, s.wakeAt = written[:0], never
	return lines, !s.closed
}

// flush writes lines out. What fails is not tried again: the buffer is for the
// lines that follow.
func (s *Sink) flush(lines []byte) {
	if s.torn { // no line shall continue another
		if _, err := s.out.Write([]byte{'\n'}); err != nil {
			s.lost(lines, err)
			return
		}
		s.torn = false
	}
	n, err := s.out.Write(lines)
	if err == nil {
		if s.failing {
			s.failing = false
			s.log.Info("audit log: writing again")
		}
		return
	}
	s.torn = n > 0 && lines[n-1] != '\n'
	s.lost(lines[n:], err)
}

func (s *Sink) lost(rest []byte, err error) {
	s.dropped.WithLabelValues(writeFailed).Add(float64(bytes.Count(rest, []byte{'\n'})))
	if !s.failing {
		s.failing = true
		s.log.Error("audit log: lines are lost until this is repaired", "error", err)
	}
}
