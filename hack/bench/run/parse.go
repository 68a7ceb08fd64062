package main

import (
	"fmt"
	"strconv"
	"strings"
)

// sample is a line of a Go benchmark's output.
type sample struct {
	name    string             // without the number of cores
	metrics map[string]float64 // by unit
}

// parse reads the output of Go benchmarks. It returns an error if a line that begins
// as a result isn't one.
func parse(output string) ([]sample, error) {
	var all []sample
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		if _, err := strconv.Atoi(fields[1]); err != nil {
			continue // the benchmark's own words
		}
		s := sample{name: withoutCores(fields[0]), metrics: map[string]float64{}}
		for i := 2; i < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil || i+1 == len(fields) {
				return nil, fmt.Errorf("%q: want pairs of a number and a unit", strings.TrimSpace(line))
			}
			s.metrics[fields[i+1]] = value
		}
		all = append(all, s)
	}
	return all, nil
}

// withoutCores cuts off what go test adds on more than one core.
func withoutCores(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return name[:i]
		}
	}
	return name
}

// metric returns the figures of a benchmark. It returns an error if there are none.
func metric(samples []sample, name, unit string) ([]float64, error) {
	var figures []float64
	for _, s := range samples {
		if v, ok := s.metrics[unit]; ok && s.name == name {
			figures = append(figures, v)
		}
	}
	if len(figures) == 0 {
		return nil, fmt.Errorf("%s gave no %s: was it renamed?", name, unit)
	}
	return figures, nil
}

// counted is the sum of a metric in Prometheus's text format. It returns an error if the
// metric isn't there.
func counted(text, name string) (sum float64, err error) {
	found := false
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += value
		found = true
	}
	if !found {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	return sum, nil
}
