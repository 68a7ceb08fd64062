package parts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// heartbeat is how often a long step shows that it lives.
const heartbeat = 15 * time.Second

// say writes one line of progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "parts: "+format+"\n", args...)
}

// step runs a long piece of work and shows its progress.
func step(what string, work func() error) error {
	start := time.Now()
	elapsed := func() string { return time.Since(start).Round(time.Second).String() }
	say("%s …", what)

	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				say("%s … %s", what, elapsed())
			case <-done:
				return
			}
		}
	}()
	err := work()
	close(done)
	<-stopped

	if err != nil {
		say("%s: failed after %s: %v", what, elapsed(), err)
		return err
	}
	say("%s: done in %s", what, elapsed())
	return nil
}

// run executes a command and returns what it printed; a failure carries the
// end of that.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	// A grandchild that holds the output open must not hold us up.
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(name), err, tail(out, 4))
	}
	return string(out), nil
}

// tail is the last n lines of out.
func tail(out []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
