package process

import (
	"fmt"
	"net"
)

// FreePorts returns n TCP ports of 127.0.0.1 on which nobody listens now.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // all stay taken until there are n
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
