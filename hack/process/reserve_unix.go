//go:build unix

package process

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// reserved keeps the files of our ports open: a lock ends with its last descriptor.
var reserved struct {
	sync.Mutex
	files []*os.File
}

// reserve locks a file for as long as this process lives, however it ends, and
// reports whether somebody, maybe we ourselves, has it already. The lock isn't
// inherited by programs that we start.
func reserve(file string) (taken bool, err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, err
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return true, f.Close()
	case err != nil:
		return false, errors.Join(err, f.Close())
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.files = append(reserved.files, f)
	return false, nil
}
