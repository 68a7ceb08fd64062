package parts

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Need returns the path of p for a test. If it can't be had, the test ends.
func Need(t testing.TB, p Part) string {
	t.Helper()
	path, err := Locate(t.Context(), p)
	if err != nil {
		Miss(t, p, err)
		return ""
	}
	return path.File
}

// Miss ends a test that lacks p: it is skipped and the part recorded for the summary
// of `make test`; with CI=true the test fails. A program that everybody has in their
// own way, as a C compiler, needn't be a part that is looked for here.
func Miss(t testing.TB, p Part, err error) {
	t.Helper()
	if recordErr := Record(p, err); recordErr != nil {
		t.Errorf("recording a missing part: %v", recordErr)
	}
	if MustHaveAll() {
		t.Fatalf("MISSING PART %v (CI=true: tests may not skip)", err)
	}
	t.Skipf("MISSING PART %v: THIS TEST DID NOT RUN", err)
}

// MustHaveAll says whether a missing part is a failure: it is in CI.
func MustHaveAll() bool { return os.Getenv("CI") == "true" }

// Record notes a missing part and why, if anybody asked for such notes.
func Record(p Part, why error) (err error) {
	name := os.Getenv("APIKEY_OPERATOR_MISSING_PARTS")
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// One line in one write: packages are tested in parallel.
	reason := strings.Join(strings.Fields(strings.TrimPrefix(why.Error(), string(p)+": ")), " ")
	_, err = fmt.Fprintf(f, "%s: %s\n", p, reason)
	return err
}
