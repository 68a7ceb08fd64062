package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxPending is how many bytes wait for the writer, some ten thousand lines.
const maxPending = 4 << 20

// Why lines were dropped: label values.
const (
	bufferFull  = "buffer_full"
	writeFailed = "write_failed"
	closed      = "closed"
)

// ErrDropped is returned for a line that was not taken.
var ErrDropped = errors.New("audit log: line dropped")

// Sink hands lines on to a writer that may be slow or broken. Requests never wait
// for it: lines gather in a bounded buffer, which one goroutine writes out as fast
// as the writer takes it, many lines in one write. What doesn't fit, or can't be
// written, is dropped and counted: an audit log that stopped the traffic would
// make a full disk an outage, and waiting would only move the loss to the client.
type Sink struct {
	out     io.Writer
	log     *slog.Logger
	dropped *prometheus.CounterVec
	done    chan struct{}

	mu      sync.Mutex
	changed *sync.Cond
	pending []byte // whole lines
	closed  bool

	// Only the goroutine that writes knows these.
	failing bool
	torn    bool // what was written last ends within a line
}

// NewSink returns a Sink that writes to out until it is closed. Problems are
// reported to the logger, once until it works again.
func NewSink(out io.Writer, reg prometheus.Registerer, log *slog.Logger) *Sink {
	s := &Sink{out: out, log: log, done: make(chan struct{}), dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "apikey_operator_audit_dropped_total",
		Help: "Lines that the audit log lost, by reason: buffer_full (the sink is too slow), write_failed, closed.",
	}, []string{"reason"})}
	for _, reason := range []string{bufferFull, writeFailed, closed} {
		s.dropped.WithLabelValues(reason) // 0 is a value too
	}
	reg.MustRegister(s.dropped)
	s.changed = sync.NewCond(&s.mu)
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
	s.changed.Signal()
	return len(line), nil
}

// Close takes no more lines and waits until all are written or the context ends.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.changed.Signal()
	s.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("audit log: its last lines were not written: %w", ctx.Err())
	}
}

func (s *Sink) run() {
	defer close(s.done)
	var batch []byte
	for {
		s.mu.Lock()
		for len(s.pending) == 0 && !s.closed {
			s.changed.Wait()
		}
		// The buffer that was written takes the next lines.
		batch, s.pending = s.pending, batch[:0]
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		s.flush(batch)
	}
}

// flush writes lines out. What fails is not tried again: the buffer is for the
// lines that follow.
func (s *Sink) flush(batch []byte) {
	if s.torn { // no line shall continue another
		if _, err := s.out.Write([]byte{'\n'}); err != nil {
			s.lost(batch, err)
			return
		}
		s.torn = false
	}
	n, err := s.out.Write(batch)
	if err == nil {
		if s.failing {
			s.failing = false
			s.log.Info("audit log: writing again")
		}
		return
	}
	s.torn = n > 0 && batch[n-1] != '\n'
	s.lost(batch[n:], err)
}

func (s *Sink) lost(rest []byte, err error) {
	s.dropped.WithLabelValues(writeFailed).Add(float64(bytes.Count(rest, []byte{'\n'})))
	if !s.failing {
		s.failing = true
		s.log.Error("audit log: lines are lost until this is repaired", "error", err)
	}
}
