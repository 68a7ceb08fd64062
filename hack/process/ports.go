package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// firstPort and lastPort are below the ports that systems choose for outgoing
// connections: one of those may be taken between the look and the use.
const firstPort, lastPort = 20000, 31999

// FreePorts returns n TCP ports of 127.0.0.1 on which nobody listens now.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue // taken
		}
		defer func() { _ = l.Close() }() // all stay taken until there are n
		ports = append(ports, port)
	}
	return nil, errors.New("no free ports")
}
