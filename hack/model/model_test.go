package model

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

const (
	model = "rotation.pml"
	// depth is more steps than any run of the model has.
	depth = "-m10000"
	// shown is how many steps of an error are logged.
	shown = 30
)

// rules are what breaks them: names that the model is made with.
var rules = []string{
	"NOFENCE", "NOORDER", "NOWAIT", "NORELIST", "STILLANSWERS", "NOINTENT", "FORGETLOST", "DROPATONCE", "SPENTRETURNS",
	"OBSERVEALWAYS", "READONCE", "LATE",
}

// search is one run of the model checker.
type search struct {
	defines []string // for the model
	flags   []string // for the C compiler
	args    []string // for the checker that it makes
}

// result is what came of a search.
type result struct {
	states, errors int
	complete       bool
	violated       string // the assertion
	trail          string // the steps to an error
}

// Everything that must hold does, in every state.
func TestProtocol(t *testing.T) {
	t.Parallel()
	s := search{flags: []string{"-O2", "-DSAFETY"}}
	if r := s.run(t); r.errors != 0 || !r.complete {
		t.Errorf("%d errors (%s), complete: %t\n%s", r.errors, r.violated, r.complete, r.trail)
	}
}

// No run goes on for ever: each ends where nothing is left to do, and that state is
// checked. The search for cycles is the larger one, so there is less trouble in it.
func TestRunsEnd(t *testing.T) {
	t.Parallel()
	s := search{defines: []string{"-DTROUBLES=2"}, flags: []string{"-O2", "-DNP"}, args: []string{"-l"}}
	if r := s.run(t); r.errors != 0 || !r.complete {
		t.Errorf("%d errors (%s), complete: %t\n%s", r.errors, r.violated, r.complete, r.trail)
	}
}

// Without any one of the rules something doesn't hold.
func TestEveryRuleIsNeeded(t *testing.T) {
	for _, broken := range rules {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			if r := (search{defines: []string{"-D" + broken}, flags: []string{"-DSAFETY"}}).run(t); r.errors == 0 {
				t.Error("no error is found")
			}
		})
	}
}

// What a model can't do it can't do wrong.
func TestWhatMustBePossibleIs(t *testing.T) {
	for _, sought := range []string{
		"ROTATED", "DELIVERED", "REVOKED", "CONFLICT", "HURRIED", "FENCED", "LATE", "SPENT", "FULL",
	} {
		t.Run(sought, func(t *testing.T) {
			t.Parallel()
			r := search{defines: []string{"-DSEEK_" + sought}, flags: []string{"-DSAFETY"}}.run(t)
			if r.errors == 0 || !strings.HasPrefix(r.violated, "!(") {
				t.Errorf("it is not found: %d errors (%s)\n%s", r.errors, r.violated, r.trail)
			}
		})
	}
}

// run makes a checker from the model and runs it.
func (s search) run(t *testing.T) result {
	t.Helper()
	spin, cc := parts.Need(t, parts.Spin), compiler(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	command := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
		}
		return string(out)
	}
	translate := append([]string{"-P" + cc + " -E -x c"}, s.defines...)
	command(spin, append(translate, "-a", model)...)
	// What it generates gives compilers a lot to warn of.
	command(cc, append([]string{"-w", "-DMEMLIM=2048", "-o", "pan", "pan.c"}, s.flags...)...)
	start := time.Now()
	out := command(filepath.Join(dir, "pan"), append([]string{depth}, s.args...)...)
	r := read(t, out)
	if r.errors > 0 {
		r.trail = tail(command(spin, append(translate, "-t", model)...))
	}
	t.Logf("%d states in %s, %d errors %s", r.states, time.Since(start).Round(10*time.Millisecond), r.errors, r.violated)
	return r
}

var (
	stored   = regexp.MustCompile(`(?m)^ *(\d+) states, stored`)
	failed   = regexp.MustCompile(`errors: (\d+)`)
	violated = regexp.MustCompile(`assertion violated +(.*) \(at depth \d+\)`)
)

// read takes the numbers out of what a checker prints.
func read(t *testing.T, out string) result {
	t.Helper()
	states, errs := stored.FindStringSubmatch(out), failed.FindStringSubmatch(out)
	if states == nil || errs == nil {
		t.Fatalf("the checker prints no result:\n%s", out)
	}
	r := result{complete: strings.Contains(out, "Full statespace search") &&
		!strings.Contains(out, "Search not completed") && !strings.Contains(out, "max search depth")}
	for number, text := range map[*int]string{&r.states: states[1], &r.errors: errs[1]} {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		*number = n
	}
	if m := violated.FindStringSubmatch(out); m != nil {
		r.violated = m[1]
	}
	return r
}

// tail is the end of the way to an error: the lines that tell of a state.
func tail(steps string) string {
	var lines []string
	for line := range strings.Lines(steps) {
		if line = strings.TrimSpace(line); strings.Contains(line, "; Secret ") || strings.HasPrefix(line, "spin: text") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-shown):], "\n")
}

// compiler is the machine's C compiler.
func compiler(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"cc", "gcc"} {
		if _, err := exec.LookPath(name); err == nil {
			return name
		}
	}
	parts.Miss(t, "cc", errors.New("cc: neither cc nor gcc is on PATH (Debian: apt-get install gcc)"))
	return ""
}
