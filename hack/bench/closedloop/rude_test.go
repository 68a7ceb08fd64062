package closedloop

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

// Whatever a server allows, the calls arrive whole and within it.
func TestSettingsAreRespected(t *testing.T) {
	short := []checkrequest.Call{{Bytes: bytes.Repeat([]byte("check"), 200)}, {Bytes: []byte("shorter")}}
	for what, s := range map[string]*scripted{
		"as they are":          {},
		"a narrow window":      {settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 100}}, window: 100},
		"no window at first":   {settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}, window: 300, begun: widenLater},
		"no table of headers":  {settings: []http2.Setting{{ID: http2.SettingHeaderTableSize, Val: 0}}},
		"a small table":        {settings: []http2.Setting{{ID: http2.SettingHeaderTableSize, Val: 150}}},
		"one stream at a time": {settings: []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 1}}},
		"long calls":           {}, // longer than a frame, and more than the connection's window
	} {
		t.Run(what, func(t *testing.T) {
			calls := short
			if what == "long calls" {
				calls = []checkrequest.Call{{Bytes: make([]byte, 40_000)}, {Bytes: make([]byte, 60_000)}}
			}
			s.answer = func(s *scripted, stream uint32) error {
				call := s.calls[stream]
				want := len(calls[stream/2%2].Bytes) + 5
				if len(call) != want || int(binary.BigEndian.Uint32(call[1:])) != want-5 {
					return fmt.Errorf("stream %d: got %d bytes, want %d", stream, len(call), want)
				}
				delete(s.calls, stream)
				// What came in the same write has no window yet.
				s.owed += uint32(len(call))
				_ = s.WritePing(false, [8]byte{}) // a client that has gone is told by the next read
				return s.ok(stream)
			}
			c := s.start(t)
			c.Calls = calls
			r, err := GRPC(t.Context(), c)
			if err != nil || r.Total != 100 || r.PeakInFlight > 8 || what == "one stream at a time" && r.PeakInFlight != 1 {
				t.Errorf("got %d answers, at most %d in flight, %v", r.Total, r.PeakInFlight, err)
			}
		})
	}
}

// widenLater gives streams a window by a second SETTINGS, and asks for a PING.
func widenLater(s *scripted) error {
	_ = s.WritePing(false, [8]byte{1})
	s.longer = 10 // a client that hasn't read it yet sends nothing at all
	return s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
}

func TestFailuresOfHTTP2AreReported(t *testing.T) {
	begin := func(s *scripted, stream uint32) {
		_ = s.fields(stream, false, ":status", "200", "content-type", "application/grpc") // a client that has gone is told
	}
	for want, answer := range map[string]func(s *scripted, stream uint32) error{
		"the server reset a stream: REFUSED_STREAM": func(s *scripted, n uint32) error { return s.WriteRSTStream(n, http2.ErrCodeRefusedStream) },
		"GOAWAY": func(s *scripted, n uint32) error { return s.WriteGoAway(n, http2.ErrCodeNo, []byte("max_age")) },
		`gRPC status "4" "too late", want 0`: func(s *scripted, n uint32) error {
			return s.fields(n, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "4", "grpc-message", "too late")
		},
		`HTTP status "404", content type "text/plain"`: func(s *scripted, n uint32) error {
			return s.fields(n, true, ":status", "404", "content-type", "text/plain")
		},
		`gRPC status "" "", want 0`: func(s *scripted, n uint32) error { begin(s, n); return s.fields(n, true, "a", "b") },
		"not one whole message":     func(s *scripted, n uint32) error { begin(s, n); return s.fields(n, true, "grpc-status", "0") },
		"no trailer":                func(s *scripted, n uint32) error { begin(s, n); return s.WriteData(n, true, []byte{0, 0, 0, 0, 0}) },
		"no header":                 func(s *scripted, n uint32) error { return s.WriteData(n, true, []byte{0, 0, 0, 0, 0}) },
		"more than 65536 bytes": func(s *scripted, n uint32) error {
			begin(s, n)
			for range 5 {
				_ = s.WriteData(n, false, make([]byte, 16<<10)) // a client that has gone is told
			}
			return nil
		},
		"which nobody has opened":             func(s *scripted, _ uint32) error { return s.ok(1001) },
		"which has ended":                     func(s *scripted, n uint32) error { _ = s.ok(n); return s.ok(n) },
		"window is above":                     func(s *scripted, _ uint32) error { return s.WriteWindowUpdate(0, 1<<31-1) },
		"the server closed the connection":    func(*scripted, uint32) error { return errHangUp },
		"requests have no answer 100ms after": func(*scripted, uint32) error { return nil },
		"no CheckResponse": func(s *scripted, n uint32) error {
			begin(s, n)
			_ = s.WriteData(n, false, []byte{0, 0, 0, 0, 1, 0xff})
			return s.fields(n, true, "grpc-status", "0")
		},
		"a second header that doesn't end the answer": func(s *scripted, n uint32) error { begin(s, n); begin(s, n); return nil },
	} {
		t.Run(want, func(t *testing.T) {
			s := &scripted{answer: func(s *scripted, stream uint32) error {
				if err := answer(s, stream); errors.Is(err, errHangUp) {
					return err
				}
				return nil // a client that has gone is told below
			}}
			c := s.start(t)
			if c.InFlight = 1; strings.Contains(want, "no answer") {
				c.Duration, c.Patience = time.Second, 100*time.Millisecond
			}
			r, err := GRPC(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, %v, want %q", r.Total, err, want)
			}
		})
	}
}

func TestFailuresOfHTTP1AreReported(t *testing.T) {
	for want, answer := range map[string]string{
		"the server closed the connection":       "",
		"the server wants the connection closed": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"no Content-Length":                      "HTTP/1.1 200 OK\r\n\r\n",
		"Transfer-Encoding":                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"want 200 or more":                       "HTTP/1.1 103 Early Hints\r\n\r\n",
		"isn't of HTTP/1.1":                      "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"without a colon":                        "HTTP/1.1 200 OK\r\nContent-Length 0\r\n\r\n",
		"Content-Length \"-1\"":                  "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"Content-Length \"2\"":                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
		"header lines":                           "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHeaderLines+1) + "\r\n",
		"HTTP status 403":                        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
		"more than it was asked for":             "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
	} {
		t.Run(want, func(t *testing.T) {
			address := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, answer) // a client that has gone is told below
				_ = conn.Close()
			}))
			_, err := HTTP(t.Context(), Config{
				Address: address, Connections: 1, InFlight: 1, Duration: time.Minute, Requests: 1,
				Calls: []checkrequest.Call{{Bytes: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Want: checkrequest.Answer{Status: 200}}},
			})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l := listen(t)
	_ = l.Close() // so that nobody does
	c := Config{Address: l.Addr().String(), Connections: 1, InFlight: 1, Duration: time.Second, Calls: []checkrequest.Call{{}}}
	if _, err := GRPC(t.Context(), c); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}

// A run ends with its context, though the server never answers.
func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &scripted{answer: func(*scripted, uint32) error {
		cancel(errHangUp)
		return nil
	}}
	c := s.start(t)
	c.Patience = time.Minute
	if r, err := GRPC(ctx, c); !errors.Is(err, errHangUp) {
		t.Errorf("got %v, %v", r.Total, err)
	}
}
