package main

import (
	"math"
	"slices"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, row := range []struct {
		figures []float64
		want    spread
	}{
		{[]float64{2}, spread{2, 2, 2}},
		{[]float64{3, 1, 2}, spread{2, 1, 3}},
		{[]float64{4, 1, 2, 3}, spread{2.5, 1, 4}},
	} {
		before := slices.Clone(row.figures)
		if got := spreadOf(row.figures); got != row.want || !slices.Equal(before, row.figures) {
			t.Errorf("%v: got %v, want %v; afterwards they are %v", before, got, row.want, row.figures)
		}
	}
	if got := spreadOf(nil); !math.IsNaN(got.median) {
		t.Errorf("of nothing: got %v", got)
	}
}

func TestRatios(t *testing.T) {
	if got := ratios([]float64{6, 8}, []float64{2, 4, 5}); !slices.Equal(got, []float64{3, 2}) {
		t.Errorf("got %v, want [3 2]", got)
	}
}

func TestVerdict(t *testing.T) {
	faster, slower := target{bound: 2, aim: 3}, target{bound: 600, aim: 400, lower: true}
	for _, row := range []struct {
		target target
		figure float64
		want   string
	}{
		{faster, 1.99, "short"},
		{faster, 2, "pass"},
		{faster, 2.99, "pass"},
		{faster, 3, "aim"},
		{slower, 601, "short"},
		{slower, 600, "pass"},
		{slower, 400, "aim"},
		{target{bound: 1}, 5, "pass"},
		{target{lower: true}, 0, "pass"},
		{target{lower: true}, 1, "short"},
		{faster, math.NaN(), "short"},
		{faster, math.Inf(1), "short"},
		{slower, math.NaN(), "short"},
		{slower, math.Inf(-1), "short"},
	} {
		if got := row.target.verdict(row.figure); got != row.want {
			t.Errorf("%v of %+v: got %s, want %s", row.figure, row.target, got, row.want)
		}
	}
}
