package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// buildInfo is a metric that is always 1 and says which program runs, in its labels.
func buildInfo() prometheus.Collector {
	build, _ := debug.ReadBuildInfo()
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "apikey_operator_build_info",
		Help:        "1, with the program's version, its commit and the Go that it was built with.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision(build), "go_version": runtime.Version()},
	})
	g.Set(1)
	return g
}

// revision is the commit that the program was built from: "unknown" outside of a
// repository, and with -dirty if files were changed, whatever the version says.
func revision(build *debug.BuildInfo) string {
	if build == nil {
		return "unknown"
	}
	settings := map[string]string{}
	for _, s := range build.Settings {
		settings[s.Key] = s.Value
	}
	commit := cmp.Or(settings["vcs.revision"], "unknown")
	if settings["vcs.modified"] == "true" {
		commit += "-dirty"
	}
	return commit
}
