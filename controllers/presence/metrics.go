package presence

import "github.com/prometheus/client_golang/prometheus"

var _ prometheus.Collector = &Roster{}

var authServers = prometheus.NewDesc("apikey_operator_auth_servers",
	"Auth servers as the controller sees them: live, behind (live, but without the latest change) or silent (stopped to renew their Leases).",
	[]string{"state"}, nil)

// Describe implements prometheus.Collector.
func (r *Roster) Describe(descs chan<- *prometheus.Desc) { descs <- authServers }

// Collect implements prometheus.Collector. Each server counts once. The latest
// change is the latest that Spread was asked of: positions of idle servers differ by
// bookmarks, which say nothing.
func (r *Roster) Collect(metrics chan<- prometheus.Metric) {
	for state, n := range r.count() {
		metrics <- prometheus.MustNewConstMetric(authServers, prometheus.GaugeValue, float64(n), state)
	}
}

func (r *Roster) count() map[string]int {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := map[string]int{"live": 0, "behind": 0, "silent": 0}
	for _, s := range r.servers {
		switch {
		case now.Sub(s.changed) > forgotten:
		case s.silent(now):
			counts["silent"]++
		case s.behind():
			counts["behind"]++
		default:
			counts["live"]++
		}
	}
	return counts
}
