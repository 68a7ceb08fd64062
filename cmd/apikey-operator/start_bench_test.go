package main

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"
)

const (
	// mostStarts is how many starts are enough, whatever -benchtime says.
	mostStarts = 15
	// startTimeout is for one of them.
	startTimeout = 30 * time.Second
)

// BenchmarkStart measures how long an auth server takes to start with 10 000 keys: from the
// start of the process to the first right verdict, and to /readyz; the processor time
// until the first verdict; and how often it said that it was ready and the next verdict
// was wrong, which must be never. Up to 15 starts are measured, and medians reported:
//
//	go test -run '^$' -bench Start -benchtime 10x ./cmd/apikey-operator
func BenchmarkStart(b *testing.B) {
	w := withManyKeys(b)
	var verdict, ready, cpu []time.Duration
	early := 0
	b.ResetTimer()
	for i := range min(b.N, mostStarts) {
		one, err := w.measureStart(b.Context(), w.raw[(i+1)*7919%len(w.raw)])
		if err != nil {
			b.Fatal(err)
		}
		verdict, ready, cpu = append(verdict, one.verdict), append(ready, one.ready), append(cpu, one.cpu)
		if one.early {
			early++
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op") // says nothing: most of b.N may be left out
	b.ReportMetric(percentile(verdict, 50), "first-verdict-ms")
	b.ReportMetric(percentile(verdict, 99), "first-verdict-max-ms")
	b.ReportMetric(percentile(ready, 50), "ready-ms")
	b.ReportMetric(percentile(cpu, 50), "cpu-ms")
	b.ReportMetric(float64(early), "early-ready")
}

type measuredStart struct {
	verdict, ready, cpu time.Duration
	early               bool
}

// measureStart starts an auth server and asks it whether it is ready every millisecond,
// and with a key that exists every four, which costs it more.
func (w *manyKeys) measureStart(ctx context.Context, raw string) (m measuredStart, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	request, err := question(raw)
	if err != nil {
		return m, err
	}
	s, err := w.startAuthServer()
	if err != nil {
		return m, err
	}
	verdicts, health := &asker{address: s.http}, &asker{address: s.health}
	defer verdicts.close()
	defer health.close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; m.verdict == 0 || m.ready == 0; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = s.end() // the error is what counts
			return m, fmt.Errorf("no verdict or not ready: %w", ctx.Err())
		}
		// In this order: a server that gets ready in between isn't early.
		if m.ready == 0 && health.ask(readyQuestion) == http.StatusOK {
			m.ready = time.Since(s.started)
			if m.early = verdicts.ask(request) != http.StatusOK; !m.early && m.verdict == 0 {
				m.verdict = time.Since(s.started)
			}
		}
		if m.verdict == 0 && n%4 == 0 {
			switch status := verdicts.ask(request); status {
			case http.StatusOK:
				m.verdict = time.Since(s.started)
			case 0, http.StatusServiceUnavailable: // not yet
			default:
				_ = s.end() // the error is what counts
				return m, fmt.Errorf("a key that exists got %d while the auth server started, want 503 until it is known", status)
			}
		}
	}
	err = s.end()
	m.cpu = s.ProcessState.UserTime() + s.ProcessState.SystemTime()
	return m, err
}
