package closedloop

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// initialWindow is HTTP/2's for streams and connections until somebody says
	// otherwise, and maxWindow is the largest.
	initialWindow, maxWindow = 65535, 1<<31 - 1
	// ourWindow is what we let the server send on a connection before we say more.
	ourWindow = 16 << 20
	// frameHeader is the length of a frame's header.
	frameHeader = 9
	// lastStream bounds the numbers of streams.
	lastStream = 1<<31 - 1
)

// caller has unary calls under way on one connection. One goroutine does it all, so
// that a burst of answers becomes a burst of calls in one write.
type caller struct {
	c *Config
	*tally
	in     *bufio.Reader
	out    *bufio.Writer
	framer *http2.Framer
	header *header
	answer *answerHeader
	window *windows

	next     int // call
	stream   uint32
	streams  map[uint32]*stream
	idle     []*stream // to use again
	blocked  []*stream // have more to send than they may, in the order they started
	settled  bool      // the server has sent its settings
	received int64     // bytes of DATA that the server wasn't given back yet
}

// stream is one call under way.
type stream struct {
	id      uint32
	call    int
	started time.Time
	unsent  []byte // what of the message is left
	window  int64  // how much of it the server takes now
	message []byte // of the answer
	headers bool   // the answer has begun
}

func runHTTP2(_ context.Context, c *Config, conn net.Conn, first int, t *tally) error {
	a := &caller{
		c: c, tally: t, next: first,
		in: bufio.NewReaderSize(conn, 64<<10), out: bufio.NewWriterSize(conn, 64<<10),
		header: newHeader(c.Address), answer: newAnswerHeader(), window: newWindows(),
		streams: map[uint32]*stream{}, stream: 1,
	}
	a.framer = http2.NewFramer(a.out, a.in)
	a.framer.SetReuseFrames()
	if err := a.run(); err != nil {
		return closed(err)
	}
	return nil
}

func (a *caller) run() error {
	if err := a.greet(); err != nil {
		return err
	}
	for !a.settled || a.inFlight > 0 || a.more(time.Now()) {
		if !a.whole() {
			if err := a.out.Flush(); err != nil {
				return err
			}
		}
		if err := a.read(); err != nil {
			return err
		}
	}
	return a.out.Flush()
}

func (a *caller) greet() error {
	if _, err := io.WriteString(a.out, http2.ClientPreface); err != nil {
		return err
	}
	err := a.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: maxAnswerBytes + 1024}, // never more: see data
	)
	if err != nil {
		return err
	}
	return a.framer.WriteWindowUpdate(0, ourWindow-initialWindow)
}

// whole reports whether the next frame can be read without waiting.
func (a *caller) whole() bool {
	if a.in.Buffered() < frameHeader {
		return false
	}
	h, err := a.in.Peek(frameHeader)
	return err == nil && a.in.Buffered() >= frameHeader+(int(h[0])<<16|int(h[1])<<8|int(h[2]))
}

// fill starts as many calls as may be under way.
func (a *caller) fill(now time.Time) error {
	for a.settled && uint32(a.inFlight) < a.window.streams && a.more(now) {
		if err := a.call(now); err != nil {
			return err
		}
	}
	return nil
}

func (a *caller) call(now time.Time) error {
	if a.stream > lastStream-2 {
		return errors.New("the connection has no more numbers for streams: run for a shorter time or on more connections")
	}
	s := a.newStream()
	s.id, s.call, s.started = a.stream, a.next, now
	s.window = int64(a.window.initial)
	a.stream += 2
	a.next = (a.next + 1) % len(a.c.Calls)
	a.streams[s.id] = s
	a.start()
	err := a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: a.header.block(), EndHeaders: true})
	if err != nil {
		return err
	}
	s.unsent = a.prefixed(s.unsent[:0], s.call)
	sent, err := a.send(s)
	if !sent {
		a.blocked = append(a.blocked, s)
	}
	return err
}

// prefixed appends a call's message with what gRPC writes before it.
func (a *caller) prefixed(to []byte, call int) []byte {
	message := a.c.Calls[call].Bytes
	to = append(to, 0) // not compressed
	to = binary.BigEndian.AppendUint32(to, uint32(len(message)))
	return append(to, message...)
}

// newStream returns an empty stream.
func (a *caller) newStream() *stream {
	if len(a.idle) == 0 {
		return &stream{}
	}
	s := a.idle[len(a.idle)-1]
	a.idle = a.idle[:len(a.idle)-1]
	*s = stream{unsent: s.unsent[:0], message: s.message[:0]}
	return s
}

// send sends what the server takes of a message, and reports whether that was all.
func (a *caller) send(s *stream) (bool, error) {
	rest := s.unsent
	for {
		n := min(int64(len(rest)), int64(a.window.frame), s.window, a.window.connection)
		if n <= 0 {
			s.unsent = rest
			return false, nil
		}
		s.window -= n
		a.window.connection -= n
		last := n == int64(len(rest))
		if err := a.framer.WriteData(s.id, last, rest[:n]); err != nil {
			return false, err
		}
		if last {
			s.unsent = s.unsent[:0]
			return true, nil
		}
		rest = rest[n:]
	}
}

// unblock goes on with messages for which there was no window.
func (a *caller) unblock() error {
	still := a.blocked[:0]
	for _, s := range a.blocked {
		sent, err := a.send(s)
		if err != nil {
			return err
		}
		if !sent {
			still = append(still, s)
		}
	}
	clear(a.blocked[len(still):])
	a.blocked = still
	return nil
}

// finish checks the answer of a stream that has ended, and starts the next call.
func (a *caller) finish(s *stream) error {
	if err := a.check(s); err != nil {
		return err
	}
	now := time.Now()
	a.done(s.started, now)
	delete(a.streams, s.id)
	a.idle = append(a.idle, s)
	return a.fill(now)
}

func (a *caller) check(s *stream) error {
	if !a.answer.hasGRPC || a.answer.grpcStatus != "0" {
		return fmt.Errorf("call %d: gRPC status %q %q, want 0", s.call, a.answer.grpcStatus, a.answer.grpcMessage)
	}
	if len(s.unsent) > 0 {
		return fmt.Errorf("call %d: answered before all of it was sent", s.call)
	}
	return checkMessage(s.call, s.message, a.c.Calls[s.call].Want)
}

// newHeader writes the header of calls as Envoy does.
func newHeader(authority string) *header {
	h := &header{fields: []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":path", Value: "/envoy.service.auth.v3.Authorization/Check"},
		{Name: ":authority", Value: authority},
		{Name: ":scheme", Value: "http"},
		{Name: "te", Value: "trailers"},
		{Name: "grpc-timeout", Value: "10000m"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "x-envoy-internal", Value: "true"},
		{Name: "x-forwarded-for", Value: "192.0.2.2"},
		{Name: "x-envoy-expected-rq-timeout-ms", Value: "10000"},
	}}
	h.encoder = hpack.NewEncoder(&h.encoded)
	return h
}
