package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// result is a row as it came out.
type result struct {
	row
	envoy, nginx string
}

// table writes the rows and counts those whose verdicts are not as expected.
func table(results []result) (text string, different int) {
	lines := []string{"REQUEST\tEXPECTED\tENVOY\tNGINX\t"}
	for _, r := range results {
		mark := "ok"
		if r.envoy != r.expected || r.nginx != r.expected {
			different++
			mark = "DIFFERENT"
		}
		lines = append(lines, strings.Join([]string{r.what, r.expected, r.envoy, r.nginx, mark}, "\t"))
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, strings.Join(lines, "\n")) // a Builder takes everything
	_ = t.Flush()
	return b.String(), different
}
