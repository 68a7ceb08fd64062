package proxies

import (
	"bytes"
	"net"
	"regexp"
	"sync"
)

// wire is what came to the upstream, byte for byte: also what a Go server would
// refuse.
type wire struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

var requestLine = regexp.MustCompile(`(?m)^(\S+ .*) HTTP/1\.[01]\r?$`)

// lines returns the request lines that came since the last call, without their
// version.
func (w *wire) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	for _, found := range requestLine.FindAllSubmatch(w.bytes.Bytes(), -1) {
		lines = append(lines, string(found[1]))
	}
	w.bytes.Reset()
	return lines
}

// tapped is a listener whose connections are read into a wire.
type tapped struct {
	net.Listener
	wire *wire
}

func (l tapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tappedConn{c, l.wire}, nil
}

type tappedConn struct {
	net.Conn
	wire *wire
}

func (c tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	c.wire.bytes.Write(p[:n])
	return n, err
}
