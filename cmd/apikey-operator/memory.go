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
	// gcPercent is how much garbage an auth server lets gather, of what it holds:
	// requests leave garbage and the keyring hardly changes. With Go's 100 all keys are
	// marked for each few thousand requests, and pooled memory is given back each time,
	// for a fifth of the throughput; 800 brought 2 % more for 80 MB (docs/performance.md).
	gcPercent = 400
	// limitRefresh is how often the container's limit is read: a Pod can be resized.
	limitRefresh = time.Minute
)

// tuneMemory sets what Go's garbage collector aims at: nine tenths of the container's
// memory limit, for as long as the context lasts, and below that in an auth server
// gcPercent. What the environment says in GOMEMLIMIT or GOGC counts instead.
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
