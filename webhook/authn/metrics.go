package authn

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/throttle"
)

// Metrics count decisions. No label names a key.
type Metrics struct {
	requests *prometheus.CounterVec
	duration prometheus.Histogram
}

// NewMetrics registers the metrics of the auth server.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apikey_operator_auth_requests_total",
			Help: "Decisions by door (ext_authz, nginx, …) and reason; reason allowed is the only one that lets a request through.",
		}, []string{"door", "reason"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "apikey_operator_auth_duration_seconds",
			Help:    "Time that a decision took, from when the request was read, without its transport.",
			Buckets: prometheus.ExponentialBuckets(250e-9, 4, 10),
		}),
	}
	reg.MustRegister(m.requests, m.duration)
	return m
}

// Door wraps an Authenticator so that its decisions are counted under a door's
// name.
func (m *Metrics) Door(name string, next Authenticator) Authenticator {
	return &counted{next: next, requests: m.requests.MustCurryWith(prometheus.Labels{"door": name}), duration: m.duration}
}

// WrongKeyAddresses registers how many addresses have sent wrong keys lately, which
// the function counts. The table is full at throttle.Addresses.
func WrongKeyAddresses(reg prometheus.Registerer, count func() int) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "apikey_operator_wrong_key_addresses",
		Help: fmt.Sprintf("Client addresses that sent wrong keys lately and whose budget isn't full again; at most %d are known at once.", throttle.Addresses),
	}, func() float64 { return float64(count()) }))
}

type counted struct {
	next     Authenticator
	requests *prometheus.CounterVec
	counters memo[auth.Reason, prometheus.Counter]
	duration prometheus.Histogram
}

// Authenticate decides and counts.
func (c *counted) Authenticate(r *auth.Request) auth.Verdict {
	v := c.next.Authenticate(r)
	c.duration.Observe(time.Since(r.Time).Seconds()) // when it began; reading the clock again is a tenth of a decision
	c.counters.get(v.Reason, func() prometheus.Counter { return c.requests.WithLabelValues(string(v.Reason)) }).Inc()
	return v
}
