package devcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// tracer notes the process id of a program for the watchdog, then becomes it.
// envtest tells nobody which processes it started; some only print help.
const tracer = `#!/bin/sh
[ "$*" = --help ] || echo $$ >'%s'
exec '%s' "$@"
`

// traced returns a command that runs file and notes its process id.
func (c *Cluster) traced(p parts.Part, file string) (string, error) {
	command := filepath.Join(c.path("bin"), string(p))
	script := fmt.Sprintf(tracer, c.processFile(p), file)
	return command, os.WriteFile(command, []byte(script), 0o700)
}

func (c *Cluster) processFile(p parts.Part) string {
	return filepath.Join(c.path("pid"), string(p))
}

func (c *Cluster) logFile(p parts.Part) string {
	return filepath.Join(c.logDir, string(p)+".log")
}

func (c *Cluster) log(p parts.Part) (*os.File, error) {
	return os.OpenFile(c.logFile(p), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// watchdogScript waits until its standard input ends, which happens however the
// process at the other end goes, then kills what that one left running and
// removes the cluster's directory with all its data. A process id counts only if the process has
// the directory in its command line: the number may be somebody else's by then.
const watchdogScript = `
dir=$1
while read -r _; do :; done

command_line() {
	if [ -d /proc/self ]; then tr '\0' ' ' <"/proc/$1/cmdline"; else ps -o args= -p "$1"; fi 2>/dev/null
}
for file in "$dir"/pid/*; do
	[ -s "$file" ] || continue
	pid=$(cat "$file")
	case $(command_line "$pid") in
	*"$dir"*) kill -KILL "$pid" ;;
	esac
done
rm -rf "$dir"
`

// watchdog is a shell that outlives us for a moment if we end without Stop.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

func startWatchdog(dir string) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "watchdog", dir)
	// Ctrl-C in a terminal goes to our process group and must not end it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Its output goes nowhere: holding ours open would make `go test` wait.
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	return &watchdog{cmd, pipe}, nil
}

func (w *watchdog) release() error {
	if err := errors.Join(w.pipe.Close(), w.cmd.Wait()); err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	return nil
}
