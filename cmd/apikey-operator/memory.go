package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// gcPercent of an auth server. Requests leave garbage and the keyring hardly
	// changes: with Go's 100 a collection marks all keys again for each few MiB of
	// garbage, which took a sixth of the throughput with 10 000 keys; above 400 nothing
	// more was gained (docs/performance.md).
	gcPercent = 400
	// limitRefresh is how often the container's limit is read: a Pod can be resized.
	limitRefresh = time.Minute
)

// tuneMemory sets what Go's garbage collector aims at: nine tenths of the container's
// memory limit, as long as the context lasts, and gcPercent below that. What the
// environment says in GOMEMLIMIT or GOGC counts instead.
func tuneMemory(ctx context.Context, log *slog.Logger, r roles) error {
	if _, set := os.LookupEnv("GOGC"); !set && r.authserver {
		debug.SetGCPercent(gcPercent)
	}
	limit, err := memlimit.Set(memlimit.WithRefreshInterval(ctx, limitRefresh))
	if err != nil {
		return err
	}
	log.Debug("memory", "limit", limit)
	return nil
}
