package process

import (
	"os/exec"
	"runtime"
	"syscall"
)

// attributes puts a program into a group of its own, so that Ctrl-C in a
// terminal reaches it through us, and ends it when we end.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// start starts a program from a thread that lives as long as we do: the kernel
// sends the death signal when the starting thread ends.
func start(cmd *exec.Cmd) error {
	result := make(chan error)
	starts <- func() { result <- cmd.Start() }
	return <-result
}

var starts = func() chan func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
}()
