package closedloop

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

// scripted is a server of HTTP/2 that does with each whole call what a test says.
type scripted struct {
	*http2.Framer
	header   bytes.Buffer
	encoder  *hpack.Encoder
	settings []http2.Setting
	// window is what a stream's and the connection's window are widened by whenever
	// DATA comes; 0: never.
	window  uint32
	begun   func(s *scripted) error // after our settings; may be nil
	answer  func(s *scripted, stream uint32) error
	calls   map[uint32][]byte
	decoder *hpack.Decoder
	// left is what streams may still send, and of 0 what the connection may.
	left            map[uint32]int64
	initial, longer int64  // of new streams, and what SETTINGS later add
	streams         int    // at a time
	owed            uint32 // of the connection's window, with the next answer to a PING
}

// serve answers one connection and returns what is wrong with the client.
func (s *scripted) serve(conn net.Conn) error {
	in := bufio.NewReader(conn)
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(in, preface); err != nil {
		return fmt.Errorf("preface: %w", err)
	}
	if string(preface) != http2.ClientPreface {
		return fmt.Errorf("preface: got %q", preface)
	}
	s.Framer = http2.NewFramer(conn, in)
	s.AllowIllegalWrites = true
	s.encoder, s.calls = hpack.NewEncoder(&s.header), map[uint32][]byte{}
	table := uint32(4096)
	s.left, s.initial, s.streams = map[uint32]int64{0: 65535}, 65535, 1<<31
	for _, o := range s.settings {
		switch o.ID {
		case http2.SettingHeaderTableSize:
			table = o.Val
		case http2.SettingInitialWindowSize:
			s.initial = int64(o.Val)
		case http2.SettingMaxConcurrentStreams:
			s.streams = int(o.Val)
		default:
		}
	}
	s.decoder = hpack.NewDecoder(table, func(hpack.HeaderField) {})
	if err := s.WriteSettings(s.settings...); err != nil {
		return err
	}
	if s.begun != nil {
		if err := s.begun(s); err != nil {
			return err
		}
	}
	for {
		frame, err := s.ReadFrame()
		if err != nil {
			return nil //nolint:nilerr // the client has enough
		}
		switch err := s.take(frame); {
		case errors.Is(err, errHangUp):
			return nil
		case err != nil:
			return err
		}
	}
}

// errHangUp has the connection closed.
var errHangUp = errors.New("hang up")

func (s *scripted) take(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.HeadersFrame:
		s.calls[f.StreamID] = nil
		s.left[f.StreamID] = s.initial + s.longer
		if len(s.calls) > s.streams {
			return fmt.Errorf("%d streams, at most %d are allowed", len(s.calls), s.streams)
		}
		if _, err := s.decoder.Write(f.HeaderBlockFragment()); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		return s.decoder.Close()
	case *http2.PingFrame:
		if f.IsAck() && s.owed > 0 {
			s.widen(0, s.owed)
			s.owed = 0
		}
	case *http2.DataFrame:
		s.left[0] -= int64(f.Length)
		s.left[f.StreamID] -= int64(f.Length)
		if s.left[0] < 0 || s.left[f.StreamID] < 0 {
			return fmt.Errorf("stream %d sends more than the window: %d, of the connection %d", f.StreamID, s.left[f.StreamID], s.left[0])
		}
		s.calls[f.StreamID] = append(s.calls[f.StreamID], f.Data()...)
		if f.StreamEnded() {
			return s.answer(s, f.StreamID)
		}
		if s.window > 0 {
			s.widen(f.StreamID, s.window)
			s.widen(0, s.window)
		}
	}
	return nil
}

// widen widens a window; 0 is the connection's.
func (s *scripted) widen(stream, n uint32) {
	s.left[stream] += int64(n)
	_ = s.WriteWindowUpdate(stream, n) // a client that has gone is told by the next read
}

// fields writes a header or trailer in two frames.
func (s *scripted) fields(stream uint32, last bool, pairs ...string) error {
	s.header.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = s.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}) // a buffer takes all
	}
	block := s.header.Bytes()
	if err := s.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:1], EndStream: last}); err != nil {
		return err
	}
	return s.WriteContinuation(stream, true, block[1:])
}

// ok answers as gRPC does, with a message in two frames, one of them padded.
func (s *scripted) ok(stream uint32) error {
	_ = s.fields(stream, false, ":status", "200", "content-type", "application/grpc")
	_ = s.WriteDataPadded(stream, false, []byte{0, 0, 0}, make([]byte, 7))
	_ = s.WriteData(stream, false, []byte{0, 0})
	return s.fields(stream, true, "grpc-status", "0")
}

// start listens, serves one connection and returns a run against it.
func (s *scripted) start(t *testing.T) Config {
	t.Helper()
	l, done := listen(t), make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = s.serve(conn)
			_ = conn.Close() // the client may have
		}
		done <- err
	}()
	t.Cleanup(func() {
		_ = l.Close() // one connection is all
		if err := <-done; err != nil {
			t.Errorf("the client: %v", err)
		}
	})
	return Config{
		Address: l.Addr().String(), Connections: 1, InFlight: 8, Duration: 30 * time.Second, Requests: 100, Patience: time.Second,
		Calls: []checkrequest.Call{{Bytes: bytes.Repeat([]byte("check"), 200)}, {Bytes: []byte("shorter")}},
	}
}
