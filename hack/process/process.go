package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stopTimeout is how long a program gets between SIGTERM and SIGKILL.
const stopTimeout = 20 * time.Second

// Options says what to run.
type Options struct {
	// Path is the program, Args its arguments.
	Path string
	Args []string
	// Dir is the directory that it runs in, "" for ours.
	Dir string
	// Env is added to our own environment.
	Env []string
	// Log is the file that its output is appended to.
	Log string
}

// Process is a running program.
type Process struct {
	options Options
	cmd     *exec.Cmd
	exited  chan struct{}
	err     error
}

// Start starts a program.
func Start(o Options) (*Process, error) {
	log, err := os.OpenFile(o.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the program has its own
	cmd := exec.Command(o.Path, o.Args...)
	cmd.Dir = o.Dir
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	p := &Process{options: o, cmd: cmd, exited: make(chan struct{})}
	if err := start(cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(o.Path), err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Exited is closed when the program has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// PID is the program's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Err says how the program ended, with the end of its log.
func (p *Process) Err() error {
	<-p.exited
	how := "without an error"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s has ended: %s%s", filepath.Base(p.options.Path), how, LogTail(p.options.Log))
}

// Stop ends the program: SIGTERM, and SIGKILL if that takes too long.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
		return p.Kill()
	}
}

// Kill ends the program at once, as a crash would.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return nil
}

// LogTail is the end of a log, to go into an error, "" if it is empty.
func LogTail(file string) string {
	content, err := os.ReadFile(file)
	if err != nil || len(content) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	lines = lines[max(0, len(lines)-10):]
	return fmt.Sprintf("\nend of %s:\n  %s", filepath.Base(file), strings.Join(lines, "\n  "))
}
