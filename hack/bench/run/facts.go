package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// facts say where and with what it was measured.
func facts(ctx context.Context, o *options, cores cores) string {
	commit, err := command(ctx, "", "git", "describe", "--always", "--dirty")
	if err != nil {
		commit = "unknown"
	}
	return fmt.Sprintf("%s, %d cores, %s, %s/%s, commit %s, %s; %s; %d rounds of %v and %v, load before: %s.",
		processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.TrimSpace(commit), time.Now().UTC().Format(time.DateOnly),
		cores, o.rounds, o.warmup, o.duration, loadAverage())
}

func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	defer func() { _ = file.Close() }() // was only read
	for s := bufio.NewScanner(file); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor unknown"
}

// loadAverage is that of the last minute: much of it is others' load, which spoils the figures.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
