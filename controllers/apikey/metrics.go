package apikey

import "github.com/prometheus/client_golang/prometheus"

// Metrics tell of deliveries. No label names a key.
type Metrics struct {
	// Propagation is how many seconds keys were published until they were
	// delivered.
	Propagation prometheus.Histogram
	// Unpropagated counts keys that were delivered although not all auth servers
	// accepted them after DeliverWithin.
	Unpropagated prometheus.Counter
}

// NewMetrics returns metrics that are registered.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		Propagation: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "apikey_operator_key_propagation_seconds",
			Help:    "Seconds from the publication of a key until it went into its Secret.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}),
		Unpropagated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "apikey_operator_unpropagated_deliveries_total",
			Help: "Keys that were delivered although not all live auth servers accepted them in time.",
		}),
	}
	r.MustRegister(m.Propagation, m.Unpropagated)
	return m
}
