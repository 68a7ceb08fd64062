package audit

import (
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apikey-operator/apikey-operator/internal/auth"
)

// ordinary are requests as they come: one Bearer key, a source and a request ID.
func ordinary(raw string) *auth.Request {
	return request(fields{
		"authorization": {"Bearer " + raw}, "x-audit-source": {"API - Registration Page"},
		"x-request-id": {"5e7a1c86-0d6c-4c5f-9a70-2f9c5ce2f1f0"},
	})
}

// worst makes the log work as much as one request can.
func worst(word string) *auth.Request {
	r := request(fields{
		"x-shop-key": {strings.Repeat("bk_live_,", 100)}, "x-audit-source": {strings.Repeat(word+" ", 999)}, "x-request-id": {strings.Repeat(word+" ", 999)},
	})
	r.Host, r.Path = strings.Repeat(word+":", 999), "/v1/"+strings.Repeat(word+"/", 999)
	r.Target.Kind, r.Target.Name = auth.ByName, shop
	return r
}

func BenchmarkLine(b *testing.B)          { benchmarkLine(b, ordinary(rawKey)) }
func BenchmarkDeniedLine(b *testing.B)    { benchmarkLine(b, ordinary(otherKey)) }
func BenchmarkWorstLine(b *testing.B)     { benchmarkLine(b, worst("bk_live_")) }
func BenchmarkWorstEncoded(b *testing.B)  { benchmarkLine(b, worst("bk_tes%74_live_")) }
func BenchmarkWorstNonASCII(b *testing.B) { benchmarkLine(b, worst(`bk_live_"é`)) }

func benchmarkLine(b *testing.B, r *auth.Request) {
	w := newWorld(b)
	v := w.door.next.Authenticate(r)
	b.ReportAllocs()
	for b.Loop() {
		w.out.Reset()
		w.door.log.write("ext_authz", r, &v, 0)
	}
}

// BenchmarkFile writes to a file. What was dropped was too cheap.
func BenchmarkFile(b *testing.B) {
	file, err := OpenFile(filepath.Join(b.TempDir(), "audit.log"))
	if err != nil {
		b.Fatal(err)
	}
	s := NewSink(file, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	w := newWorld(b)
	w.door.log.out = s
	r := ordinary(rawKey)
	v := w.door.next.Authenticate(r)
	b.ReportAllocs()
	for b.Loop() {
		w.door.log.write("ext_authz", r, &v, 0)
		runtime.Gosched() // as the server does after each request
	}
	if err := s.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(droppedLines(b, s)[bufferFull], "dropped")
}
