package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are how it is measured.
type options struct {
	bin, doc         string
	rows             []row
	whole            bool // all rows, as the document has them
	rounds, requests int
	inFlight         []int
	keys, manyKeys   int
	warmup, duration time.Duration
	benchmark        func(context.Context, benchmark, cores) (string, error) // runs one
	progress         io.Writer
}

func (o *options) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.progress, format+"\n", args...) // for people
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o, err := flags(os.Args[1:], os.Stderr)
	if err == nil {
		err = bench(ctx, o, os.Stdout)
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// flags reads them, and says which is wrong.
func flags(args []string, out io.Writer) (*options, error) {
	o := &options{benchmark: goTest, progress: out, manyKeys: 1_000_000}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(out)
	var chosen, inFlight string
	set.StringVar(&o.bin, "bin", "bin", "folder of apikey-operator and bench/, as make bench builds them")
	set.StringVar(&o.doc, "doc", "docs/performance.md", "document that the table is written into if all rows were measured; empty: none")
	set.StringVar(&chosen, "rows", "", "rows to measure, separated by commas, of "+strings.Join(names(rows()), ", ")+"; empty: all")
	set.IntVar(&o.rounds, "rounds", 5, "rounds, in each of which both sides are measured")
	set.StringVar(&inFlight, "in-flight", "32,128", "requests in flight, separated by commas")
	set.IntVar(&o.keys, "keys", 10_000, "keys of the auth server")
	set.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "for how long to ask before it is measured")
	set.DurationVar(&o.duration, "duration", 1500*time.Millisecond, "for how long to measure in each round")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.keys < 1 {
		return nil, errors.New("-rounds, -keys: want at least 1")
	}
	for part := range strings.SplitSeq(inFlight, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-in-flight %q: want numbers from 1", inFlight)
		}
		o.inFlight = append(o.inFlight, n)
	}
	var err error
	o.rows, err = choose(chosen)
	o.whole = chosen == ""
	return o, err
}

func names(rows []row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.name)
	}
	return all
}

// choose returns the rows of a list of names, in the order of the table.
func choose(list string) ([]row, error) {
	if list == "" {
		return rows(), nil
	}
	wanted := strings.Split(list, ",")
	var chosen []row
	for _, r := range rows() {
		if slices.Contains(wanted, r.name) {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) != len(wanted) {
		return nil, fmt.Errorf("-rows %q: want some of %s, each once", list, strings.Join(names(rows()), ", "))
	}
	return chosen, nil
}

// bench measures, and prints the table. It returns an error if a row couldn't be
// measured; one that is short is none.
func bench(ctx context.Context, o *options, out io.Writer) error {
	cores := findCores()
	about := facts(ctx, o, cores)
	o.say("%s", about)
	var lines []line
	for _, r := range o.rows {
		o.say("measuring %s", r.name)
		lines = append(lines, r.run(ctx, o, cores)...)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	text := about + "\n\n" + table(lines)
	if _, err := fmt.Fprintln(out, text); err != nil {
		return err
	}
	var failed error
	for _, l := range lines {
		if l.err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", l.what, l.err))
		}
	}
	switch {
	case failed != nil:
		return failed
	case o.doc == "" || !o.whole:
		return nil
	default:
		return write(o.doc, text)
	}
}
