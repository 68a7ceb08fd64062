package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGCPercent(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{
		0:          12_800,
		mib:        12_800,
		20 * mib:   640,
		32 * mib:   400,
		100 * mib:  400,
		256 * mib:  400,
		1024 * mib: 400,
		2048 * mib: 200,
		4096 * mib: 100,
		9999 * mib: 100,
	} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d MiB in use: %d, want %d", live/mib, got, want)
		}
	}
}

// The percentage follows what is in use, and the environment comes first.
func TestTuneMemory(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	now := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	tune := func(r roles) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tuneMemory(ctx, slog.New(slog.DiscardHandler), r)
	}
	t.Setenv("GOGC", "100")
	t.Setenv("GOMEMLIMIT", "1GiB")
	tune(roles{authserver: true})
	if p, l := now(), debug.SetMemoryLimit(-1); p != 100 || l != limit {
		t.Errorf("the environment says 100 and 1 GiB, which the runtime has read: got %d and %d", p, l)
	}
	if err := os.Unsetenv("GOGC"); err != nil { // t.Setenv restores it
		t.Fatal(err)
	}
	tune(roles{controller: true})
	if p := now(); p != 100 {
		t.Errorf("a controller has %d, want Go's own", p)
	}
	tune(roles{authserver: true})
	follows := func(what string, wanted func(percent int) bool) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for runtime.GC(); outdated(now(), gcPercent(liveHeap())) || !wanted(now()); runtime.GC() {
			if time.Now().After(deadline) {
				t.Fatalf("%s: got %d", what, now())
			}
		}
	}
	follows("an auth server of a few MiB", func(percent int) bool { return percent > 2*garbagePercent })
	held := make([]byte, 256<<20)
	follows("256 MiB in use", func(percent int) bool { return percent < 2*garbagePercent })
	runtime.KeepAlive(held)
}
