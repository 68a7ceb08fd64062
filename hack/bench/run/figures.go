package main

import (
	"math"
	"slices"
)

// spread is the median of several figures, and the least and greatest of them.
type spread struct{ median, least, greatest float64 }

// spreadOf returns NaN of nothing.
func spreadOf(figures []float64) spread {
	if len(figures) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(figures))
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (sorted[len(sorted)/2-1] + middle) / 2
	}
	return spread{middle, sorted[0], sorted[len(sorted)-1]}
}

// ratios are those of each round: what was measured to what it is measured against.
func ratios(measured, against []float64) []float64 {
	out := make([]float64, min(len(measured), len(against)))
	for i := range out {
		out[i] = measured[i] / against[i]
	}
	return out
}

// target is what a figure is held to.
type target struct {
	bound float64 // that it must keep to: "at least" of the issue
	aim   float64 // 0: none
	lower bool    // lower is better
}

// The verdicts on a figure.
const short, passed, aimed = "short", "pass", "aim"

// verdict is short for what can't be compared, too.
func (t target) verdict(figure float64) string {
	reaches := func(bound float64) bool {
		if t.lower {
			return figure <= bound
		}
		return figure >= bound
	}
	switch {
	case math.IsInf(figure, 0) || !reaches(t.bound):
		return short
	case t.aim != 0 && reaches(t.aim):
		return aimed
	default:
		return passed
	}
}
