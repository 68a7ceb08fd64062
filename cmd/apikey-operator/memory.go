package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// leastGarbage is how many bytes of garbage an auth server lets gather, whatever it
	// holds: requests leave garbage and the keyring hardly changes. With half of it the
	// process was 80 MB smaller, had 3 % less throughput and twice the latency at the
	// 99th percentile; with a quarter, 15 % less; twice as much brought nothing
	// (docs/performance.md).
	leastGarbage = 128 << 20
	// garbagePercent is what it lets gather of larger heaps, as long as that is less
	// than mostGarbage, and Go's 100 % above.
	garbagePercent, mostGarbage = 400, 4 << 30
	// limitRefresh is how often the container's limit is read: a Pod can be resized.
	limitRefresh = time.Minute
)

// tuneMemory sets what Go's garbage collector aims at: nine tenths of the container's
// memory limit, for as long as the context lasts, and below that in an auth server the
// garbage that costs least time. What the environment says in GOMEMLIMIT or GOGC
// counts instead. Where the container's limit can't be read, there is none.
func tuneMemory(ctx context.Context, log *slog.Logger, r roles) {
	if _, set := os.LookupEnv("GOGC"); !set && r.authserver {
		tuneGarbage(100)
	}
	limit, err := memlimit.Set(memlimit.WithRefreshInterval(ctx, limitRefresh))
	if err != nil {
		log.Warn("the container's memory limit can't be read; set GOMEMLIMIT if it has one", "error", err)
		return
	}
	log.Debug("memory", "limit", limit)
}

// tuneGarbage sets the percentage now and, where it should be another by a tenth,
// after each collection: the finalizer of an object that nobody has runs then. To set it
// stops the world for a moment.
func tuneGarbage(percent int) {
	if p := gcPercent(liveHeap()); outdated(percent, p) {
		percent = p
		debug.SetGCPercent(percent)
	}
	type sentinel struct{ _ [16]byte }
	runtime.SetFinalizer(new(sentinel), func(*sentinel) { tuneGarbage(percent) })
}

func outdated(percent, wanted int) bool { return 10*max(percent-wanted, wanted-percent) > percent }

// gcPercent is what GOGC shall be for so many bytes that are in use.
func gcPercent(live uint64) int {
	live = max(live, 1<<20)
	garbage := max(live, min(max(live*garbagePercent/100, leastGarbage), mostGarbage))
	return int(garbage * 100 / live) // up to 12 800
}

// liveHeap is what the last collection left.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return leastGarbage // an unknown metric: garbagePercent
	}
	return sample[0].Value.Uint64()
}
