package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// firstPort and lastPort are below the ports that systems choose for outgoing
// connections: one of those may be taken between the look and the use.
const firstPort, lastPort = 20000, 31999

// FreePorts returns n TCP ports of 127.0.0.1 on which nobody listens. They are
// ours until this process ends: who asks later, here or in another process (tests
// of packages run side by side), gets others.
func FreePorts(n int) ([]int, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("apikey-operator-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ports := make([]int, 0, n)
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		taken, err := reserve(filepath.Join(dir, fmt.Sprint(port)))
		if err != nil {
			return nil, err
		}
		if taken || !silent(port) {
			continue
		}
		ports = append(ports, port)
	}
	return nil, errors.New("no free ports")
}

// silent reports whether nobody listens on a port. It asks and doesn't try to listen:
// a program that is started at that moment has a copy of our listener until it is
// itself, and keeps the port taken after we have closed ours.
func silent(port int) bool {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err == nil {
		_ = c.Close() // somebody's
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
