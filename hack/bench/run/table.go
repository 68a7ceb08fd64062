package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// line is a line of the table, with what was measured.
type line struct {
	what     string
	inFlight int    // 0: doesn't matter
	unit     string // of the figure
	target   target

	err     error
	figures []float64 // one for each round
	pair    *pair     // nil: nothing was compared
	note    string    // below the table; may be empty
}

// pair is what was compared, round by round.
type pair struct {
	unit              string // of the absolute figures
	against, measured absolute
}

// absolute are figures that depend on the machine.
type absolute struct {
	figures []float64
	server  []float64 // CPU per request in µs
	client  []float64
	// How much of their cores they used, 0 to 1.
	serverBusy, clientBusy []float64
}

func (a *absolute) add(figure, server float64, r report) {
	a.figures = append(a.figures, figure)
	a.server = append(a.server, server)
	a.client = append(a.client, r.ClientCPU)
	a.serverBusy = append(a.serverBusy, server*r.PerSecond/1e6)
	a.clientBusy = append(a.clientBusy, r.ClientCPU*r.PerSecond/1e6)
}

func (l *line) verdict() string {
	if l.err != nil {
		return "ERROR"
	}
	return l.target.verdict(spreadOf(l.figures).median)
}

// table renders lines in Markdown.
func table(lines []line) string {
	rows := [][]string{{"what", "in flight", "figure (least – greatest)", "at least", "aim", "verdict", "against", "measured", "server CPU", "client CPU", "server busy", "client busy"}}
	for i := range lines {
		rows = append(rows, lines[i].cells())
	}
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
		}
	}
	for i := range lines {
		if lines[i].note != "" {
			b.WriteString("\n" + lines[i].note + "\n")
		}
	}
	return b.String()
}

func (l *line) cells() []string {
	const nothing = "–"
	inFlight, aim, figure := nothing, nothing, nothing
	if l.inFlight > 0 {
		inFlight = strconv.Itoa(l.inFlight)
	}
	if l.target.aim != 0 {
		aim = number(l.target.aim)
	}
	bound := number(l.target.bound)
	if l.target.lower {
		bound = "≤ " + bound
	}
	if l.err == nil {
		s := spreadOf(l.figures)
		figure = fmt.Sprintf("**%s** %s(%s – %s)", number(s.median), l.suffix(), number(s.least), number(s.greatest))
	}
	cells := []string{l.what, inFlight, figure, bound, aim, l.verdict()}
	if l.pair == nil || l.err != nil {
		return append(cells, nothing, nothing, nothing, nothing, nothing, nothing)
	}
	against, measured := &l.pair.against, &l.pair.measured
	both := func(a, m []float64, unit string) string {
		return fmt.Sprintf("%s → %s %s", number(spreadOf(a).median), number(spreadOf(m).median), unit)
	}
	return append(cells,
		number(spreadOf(against.figures).median)+" "+l.pair.unit,
		number(spreadOf(measured.figures).median)+" "+l.pair.unit,
		both(against.server, measured.server, "µs"), both(against.client, measured.client, "µs"),
		percent(against.serverBusy, measured.serverBusy), percent(against.clientBusy, measured.clientBusy))
}

func percent(against, measured []float64) string {
	return fmt.Sprintf("%.0f → %.0f %%", 100*spreadOf(against).median, 100*spreadOf(measured).median)
}

func (l *line) suffix() string {
	if l.unit == "" {
		return ""
	}
	return l.unit + " "
}

// number writes three digits, and all of whole numbers.
func number(f float64) string {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return "?"
	case f == math.Trunc(f) || math.Abs(f) >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	default:
		return strconv.FormatFloat(f, 'g', 3, 64)
	}
}
