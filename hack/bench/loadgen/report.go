package main

import (
	"syscall"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/closedloop"
)

// report is the line that is printed. Latencies are in microseconds.
type report struct {
	Door         string  `json:"door"`
	Connections  int     `json:"connections"`
	InFlight     int     `json:"inFlight"`
	PeakInFlight int     `json:"peakInFlight"`
	Total        int     `json:"total"`    // all answers, each of them right
	Measured     int     `json:"measured"` // of these those between warm-up and end
	Seconds      float64 `json:"seconds"`
	PerSecond    float64 `json:"perSecond"`
	P50          float64 `json:"p50"`
	P90          float64 `json:"p90"`
	P99          float64 `json:"p99"`
	P999         float64 `json:"p999"`
	Max          float64 `json:"max"`
	// ClientCPU is our own time per request: above the server's, we measure ourselves.
	ClientCPU float64 `json:"clientCPU"`
}

func newReport(o *options, r closedloop.Result, used time.Duration) (*report, error) {
	out := &report{
		Door: o.door, Connections: o.run.Connections, InFlight: o.run.InFlight, PeakInFlight: r.PeakInFlight,
		Total: r.Total, Measured: len(r.Latencies), Seconds: r.Elapsed.Seconds(), PerSecond: r.PerSecond(),
		ClientCPU: microseconds(used) / float64(max(r.Total, 1)),
	}
	if o.door == forwardAuth {
		out.Connections = o.run.InFlight
	}
	for _, p := range []struct {
		percent float64
		to      *float64
	}{{50, &out.P50}, {90, &out.P90}, {99, &out.P99}, {99.9, &out.P999}, {100, &out.Max}} {
		latency, err := r.Percentile(p.percent)
		if err != nil {
			return nil, err
		}
		*p.to = microseconds(latency)
	}
	return out, nil
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// cpu is the time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
