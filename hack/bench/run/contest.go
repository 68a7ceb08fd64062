package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

// side is one of two that are compared.
type side struct {
	server   *server
	question question
	changes  int // keys that change per second meanwhile
}

// contest compares two sides, in turn.
type contest struct {
	what   string
	unit   string               // of the absolute figures
	figure func(report) float64 // what is compared
	target target               // of measured to against
	start  func(context.Context, *lab) (contestants, error)
	// check is called afterwards, unless it is nil. What it says is told below the table.
	check func(context.Context, contestants) (string, error)
}

// contestants are the two, and where their keys come from.
type contestants struct {
	against, measured side
	replay            *replay
}

func perSecond(r report) float64 { return r.PerSecond }
func p99(r report) float64       { return r.P99 / 1000 }

// run compares for each number of requests in flight.
func (c contest) run(ctx context.Context, o *options, cores cores) []line {
	lines := make([]line, len(o.inFlight))
	for i, n := range o.inFlight {
		lines[i] = line{what: c.what, inFlight: n, unit: "×", target: c.target}
	}
	if err := c.measure(ctx, o, cores, lines); err != nil {
		for i := range lines {
			lines[i].err = err
		}
	}
	return lines
}

func (c contest) measure(ctx context.Context, o *options, cores cores, lines []line) (err error) {
	dir, err := os.MkdirTemp("", "apikey-operator-bench-")
	if err != nil {
		return err
	}
	l := &lab{options: o, cores: cores, dir: dir}
	defer func() {
		err = errors.Join(err, l.end(), os.RemoveAll(dir))
	}()
	if err := l.writeUnknownKeys(); err != nil {
		return err
	}
	between, err := c.start(ctx, l)
	if err != nil {
		return err
	}
	for i := range lines {
		p := &pair{unit: c.unit}
		for range o.rounds {
			for _, half := range []struct {
				side, other *side
				to          *absolute
			}{{&between.against, &between.measured, &p.against}, {&between.measured, &between.against, &p.measured}} {
				if err := alone(half.side.server, half.other.server, func() error {
					return c.half(ctx, l, between.replay, half.side, lines[i].inFlight, half.to)
				}); err != nil {
					return err
				}
			}
		}
		lines[i].pair = p
		lines[i].figures = ratios(p.measured.figures, p.against.figures)
		o.say("%s, %d in flight: %.2f", c.what, lines[i].inFlight, spreadOf(lines[i].figures).median)
	}
	if c.check == nil {
		return nil
	}
	note, err := c.check(ctx, between)
	lines[0].note = note
	return err
}

// alone measures one server while the other one stands still: what that does on the
// same core, collecting garbage or telling of uses, isn't the first one's.
func alone(measured, other *server, measure func() error) (err error) {
	if measured == other {
		return measure()
	}
	if err := syscall.Kill(other.process.PID(), syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, syscall.Kill(other.process.PID(), syscall.SIGCONT)) }()
	return measure()
}

// half measures one side in one round.
func (c contest) half(ctx context.Context, l *lab, r *replay, s *side, inFlight int, to *absolute) error {
	before := s.server.cpu()
	got, sent, err := l.whileChanging(ctx, r, s, inFlight)
	if err != nil {
		return err
	}
	used := s.server.cpu() - before
	// At the start of a round fewer change, and what is on its way when it ends isn't counted.
	if want := float64(s.changes) * got.Seconds; want >= 500 && float64(sent) < want/2 {
		return fmt.Errorf("the auth server was sent %d changes within %.1f s, of %d per second", sent, got.Seconds, s.changes)
	}
	to.add(c.figure(got), float64(used.Microseconds())/float64(got.Total), got)
	return nil
}

// whileChanging asks while keys change, if they shall, and tells how many changes were sent.
func (l *lab) whileChanging(ctx context.Context, r *replay, s *side, inFlight int) (got report, sent int64, err error) {
	if s.changes > 0 {
		before, err := r.sent(ctx)
		if err != nil {
			return report{}, 0, err
		}
		if err := r.churn(ctx, s.changes); err != nil {
			return report{}, 0, err
		}
		defer func() {
			after, err2 := r.sent(ctx)
			sent = after - before
			err = errors.Join(err, err2, r.churn(ctx, 0))
		}()
	}
	got, err = l.load(ctx, s.server, s.question, inFlight)
	return got, 0, err
}

// againstBaseline compares the auth server with a server that does nothing.
func againstBaseline(door string, flags func(*lab) []string) func(context.Context, *lab) (contestants, error) {
	return func(ctx context.Context, l *lab) (contestants, error) {
		base, err := l.baseline(ctx, door)
		if err != nil {
			return contestants{}, err
		}
		r, err := l.replay(ctx, l.keys)
		if err != nil {
			return contestants{}, err
		}
		ours, err := l.authServer(ctx, r, flags(l)...)
		q := question{door: door, want: http.StatusOK, keys: l.keys}
		return contestants{against: side{server: base, question: q}, measured: side{server: ours, question: q}, replay: r}, err
	}
}

// withRawHeaders asks both sides as an Envoy with encode_raw_headers does.
func withRawHeaders(start func(context.Context, *lab) (contestants, error)) func(context.Context, *lab) (contestants, error) {
	return func(ctx context.Context, l *lab) (contestants, error) {
		c, err := start(ctx, l)
		c.against.question.raw, c.measured.question.raw = true, true
		return c, err
	}
}

// oneServer compares what one auth server does in two cases.
func oneServer(against, measured func(*lab) side) func(context.Context, *lab) (contestants, error) {
	return func(ctx context.Context, l *lab) (contestants, error) {
		r, err := l.replay(ctx, l.keys)
		if err != nil {
			return contestants{}, err
		}
		s, err := l.authServer(ctx, r, append(asShipped(l), "--wrong-key-limit=1000000")...)
		c := contestants{against: against(l), measured: measured(l), replay: r}
		c.against.server, c.measured.server = s, s
		return c, err
	}
}

// manyKeys compares an auth server of many keys with one of few.
func manyKeys(ctx context.Context, l *lab) (contestants, error) {
	var sides [2]side
	for i, keys := range []int{l.keys, l.manyKeys} {
		r, err := l.replay(ctx, keys)
		if err != nil {
			return contestants{}, err
		}
		s, err := l.authServer(ctx, r, asShipped(l)...)
		if err != nil {
			return contestants{}, err
		}
		sides[i] = side{server: s, question: question{door: extAuthz, want: http.StatusOK, keys: keys}}
	}
	return contestants{against: sides[0], measured: sides[1]}, nil
}

func asShipped(*lab) []string { return nil }

// uncounted is without metrics.
func uncounted(*lab) []string { return []string{"--metrics-address="} }

// auditIsWhole checks that every request was written down: the audit log drops lines
// rather than stop the traffic, and what it drops is cheap.
func auditIsWhole(ctx context.Context, c contestants) (string, error) {
	text, err := get(ctx, "http://"+c.measured.server.metrics+"/metrics")
	if err != nil {
		return "", err
	}
	n, err := counted(text, "apikey_operator_audit_dropped_total")
	if err == nil && n > 0 {
		err = fmt.Errorf("the audit log dropped %.0f lines", n)
	}
	return "", err
}

// memoryOf tells what the processes take, which is more than their index does.
func memoryOf(_ context.Context, c contestants) (string, error) {
	few, _ := c.against.server.memory()
	many, peak := c.measured.server.memory()
	return fmt.Sprintf("The auth server's process takes %d MB with %d keys and %d MB with %d (at most %d MB so far).",
		few>>20, c.against.question.keys, many>>20, c.measured.question.keys, peak>>20), nil
}

func audited(l *lab) []string { return []string{"--audit-log=" + filepath.Join(l.dir, "audit.log")} }
