package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	missing := fetch(ctx)
	stop()
	if missing > 0 && parts.MustHaveAll() {
		fmt.Fprintf(os.Stderr, "%d parts are missing, and CI=true\n", missing)
		os.Exit(1)
	}
}

// fetch prints a table of all parts and returns how many can't be had.
func fetch(ctx context.Context) int {
	var failed []error
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row := func(columns ...string) { _, _ = fmt.Fprintln(w, strings.Join(columns, "\t")) }
	row("PART", "FROM", "PATH")
	for _, p := range parts.All() {
		path, err := parts.Locate(ctx, p)
		if err != nil {
			row(string(p), "MISSING", "")
			failed = append(failed, err)
			if err := parts.Record(p, err); err != nil {
				failed = append(failed, err)
			}
			continue
		}
		row(string(p), path.From, path.File)
	}
	_ = w.Flush()
	for _, err := range failed {
		fmt.Printf("MISSING %v\n", err)
	}
	return len(failed)
}
