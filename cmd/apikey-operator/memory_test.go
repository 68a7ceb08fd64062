package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"testing"
)

// What the environment says comes first; a controller is as Go has it.
func TestTuneMemory(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	t.Setenv("GOGC", "100")
	t.Setenv("GOMEMLIMIT", "1GiB") // which the runtime would have read
	for _, row := range []struct {
		what string
		set  bool
		r    roles
		want int
	}{
		{"GOGC is set", true, roles{authserver: true}, 100},
		{"a controller", false, roles{controller: true}, 100},
		{"an auth server", false, roles{authserver: true}, gcPercent},
		{"both", false, roles{controller: true, authserver: true}, gcPercent},
	} {
		debug.SetGCPercent(100)
		if !row.set {
			if err := os.Unsetenv("GOGC"); err != nil { // until t.Setenv restores it
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := tuneMemory(ctx, slog.New(slog.DiscardHandler), row.r); err != nil {
			t.Errorf("%s: %v", row.what, err)
		}
		cancel()
		if got := debug.SetGCPercent(100); got != row.want {
			t.Errorf("%s: got %d, want %d", row.what, got, row.want)
		}
		if got := debug.SetMemoryLimit(-1); got != limit {
			t.Errorf("%s: the limit of the environment was changed to %d", row.what, got)
		}
	}
}
