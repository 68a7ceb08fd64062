package main

import (
	"net"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

const (
	// maxGathered is how many bytes wait for a connection before writers do.
	maxGathered = 64 << 10
	// lastWrite is how long what still waits may take when a connection is closed on
	// which nothing is being written.
	lastWrite = time.Second
)

// gathering makes connections that write once for all answers that are ready, above
// their encryption. grpc-go writes as soon as it has a thousand bytes, which an answer
// with its identity headers has: each then cost a system call here, one in the gateway,
// and a change between the two, a third of all the time.
type gathering struct {
	credentials.TransportCredentials
}

// ServerHandshake implements credentials.TransportCredentials.
func (g gathering) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, info, err := g.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	return gather(c), info, nil
}

// Clone implements credentials.TransportCredentials.
func (g gathering) Clone() credentials.TransportCredentials {
	return gathering{g.TransportCredentials.Clone()}
}

func gather(c net.Conn) net.Conn { return &gathered{Conn: c} }

// gathered is a connection whose writes are done together, once everybody else who
// is ready to run has. A write that fails fails the next one; none is done in part.
type gathered struct {
	net.Conn
	once sync.Once // of closing

	mu      sync.Mutex
	pending []byte
	soon    bool // somebody is about to write what is pending
	err     error
}

// Write implements net.Conn. It waits if the other side reads too slowly.
func (c *gathered) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	c.pending = append(c.pending, b...)
	if len(c.pending) >= maxGathered {
		if c.flush(); c.err != nil {
			return 0, c.err
		}
		return len(b), nil
	}
	if !c.soon {
		c.soon = true
		go c.flushSoon()
	}
	return len(b), nil
}

func (c *gathered) flushSoon() {
	runtime.Gosched() // answers that are nearly ready come along
	c.mu.Lock()
	defer c.mu.Unlock()
	c.soon = false
	c.flush()
}

// flush writes what is pending; mu is held.
func (c *gathered) flush() {
	if len(c.pending) > 0 && c.err == nil {
		_, c.err = c.Conn.Write(c.pending)
	}
	c.pending = c.pending[:0]
}

// Close implements net.Conn. What is pending is written before, unless a write is
// under way: then the other side doesn't read, and closing ends it.
func (c *gathered) Close() error {
	c.once.Do(func() {
		if !c.mu.TryLock() {
			return
		}
		defer c.mu.Unlock()
		_ = c.SetWriteDeadline(time.Now().Add(lastWrite)) // what fails here fails below
		c.flush()
		if c.err == nil {
			c.err = net.ErrClosed
		}
	})
	return c.Conn.Close()
}
