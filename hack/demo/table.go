package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// result is a row as it came out.
type result struct {
	row
	envoy, nginx string
}

// printTable prints the rows and returns how many verdicts are not as expected.
func printTable(w io.Writer, results []result) (different int) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REQUEST\tEXPECTED\tENVOY\tNGINX\t")
	for _, r := range results {
		mark := "ok"
		for _, got := range []string{r.envoy, r.nginx} {
			if got != r.expected {
				different++
				mark = "DIFFERENT"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.what, r.expected, r.envoy, r.nginx, mark)
	}
	_ = t.Flush() // nobody reads it any more
	return different
}
