package closedloop

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2"
)

// read reads one frame and does what it asks for.
func (a *caller) read() error {
	frame, err := a.framer.ReadFrame()
	if err != nil {
		if detail := a.framer.ErrorDetail(); detail != nil {
			return fmt.Errorf("%w: %w", err, detail)
		}
		return err
	}
	if _, ok := frame.(*http2.SettingsFrame); !a.settled && !ok {
		return fmt.Errorf("the server's first frame is %v, want SETTINGS", frame.Header().Type)
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		return a.settings(f)
	case *http2.WindowUpdateFrame:
		return a.widen(f)
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		return a.framer.WritePing(true, f.Data)
	case *http2.HeadersFrame:
		a.answer.begin()
		return a.headers(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded(), f.StreamEnded())
	case *http2.DataFrame:
		return a.data(f)
	case *http2.RSTStreamFrame:
		return fmt.Errorf("the server reset a stream: %v", f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server wants the connection closed (GOAWAY): %v %q", f.ErrCode, f.DebugData())
	case *http2.PushPromiseFrame:
		return errors.New("the server pushes, which it was told not to")
	default:
		return nil // of extensions
	}
}

func (a *caller) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID {
		case http2.SettingMaxConcurrentStreams:
			a.window.streams = s.Val
		case http2.SettingMaxFrameSize:
			a.window.frame = s.Val
		case http2.SettingHeaderTableSize:
			a.header.limit(s.Val)
		case http2.SettingInitialWindowSize:
			return a.initial(s.Val)
		default:
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := a.framer.WriteSettingsAck(); err != nil {
		return err
	}
	a.settled = true
	if err := a.unblock(); err != nil {
		return err
	}
	return a.fill(time.Now())
}

// initial changes the window of streams, also of those that are under way: theirs
// may be negative then.
func (a *caller) initial(window uint32) error {
	for _, s := range a.streams {
		s.window += int64(window) - int64(a.window.initial)
		if s.window > maxWindow {
			return errWindow
		}
	}
	a.window.initial = window
	return nil
}

func (a *caller) widen(f *http2.WindowUpdateFrame) error {
	window := &a.window.connection
	if f.StreamID != 0 {
		s, ok := a.streams[f.StreamID]
		if !ok {
			return a.known(f.StreamID)
		}
		window = &s.window
	}
	*window += int64(f.Increment)
	if *window > maxWindow {
		return errWindow
	}
	return a.unblock()
}

// known returns an error for a stream that was never opened. One that has ended may
// still have its window widened.
func (a *caller) known(stream uint32) error {
	if stream%2 == 0 || stream >= a.stream {
		return fmt.Errorf("the server writes to stream %d, which nobody has opened", stream)
	}
	return nil
}

// ended returns the error of a frame for a stream that isn't under way.
func (a *caller) ended(stream uint32) error {
	if err := a.known(stream); err != nil {
		return err
	}
	return fmt.Errorf("the server writes to stream %d, which has ended", stream)
}

// headers reads a header or a trailer, of which CONTINUATION may follow. That is
// read here: nothing may come between.
func (a *caller) headers(stream uint32, fragment []byte, ended, last bool) error {
	for {
		if _, err := a.answer.decoder.Write(fragment); err != nil {
			return err
		}
		if ended {
			break
		}
		if err := a.out.Flush(); err != nil {
			return err
		}
		frame, err := a.framer.ReadFrame()
		if err != nil {
			return err
		}
		f, ok := frame.(*http2.ContinuationFrame)
		if !ok {
			return fmt.Errorf("the server sends %v within a header", frame.Header().Type)
		}
		fragment, ended = f.HeaderBlockFragment(), f.HeadersEnded()
	}
	if err := a.answer.decoder.Close(); err != nil {
		return err
	}
	s, ok := a.streams[stream]
	if !ok {
		return a.ended(stream)
	}
	if !s.headers {
		s.headers = true
		if err := a.answer.checkBegin(); err != nil {
			return fmt.Errorf("call %d: %w", s.call, err)
		}
	} else if !last {
		return fmt.Errorf("call %d: a second header that doesn't end the answer", s.call)
	}
	if last {
		return a.finish(s)
	}
	return nil
}

func (a *caller) data(f *http2.DataFrame) error {
	s, ok := a.streams[f.StreamID]
	if !ok {
		return a.ended(f.StreamID)
	}
	switch {
	case !s.headers:
		return fmt.Errorf("call %d: the answer has no header", s.call)
	case f.StreamEnded():
		return fmt.Errorf("call %d: the answer has no trailer, which is where gRPC's status is", s.call)
	case len(s.message)+len(f.Data()) > maxAnswerBytes:
		return fmt.Errorf("call %d: the answer has more than %d bytes", s.call, maxAnswerBytes)
	}
	s.message = append(s.message, f.Data()...)
	// Padding counts, too. A stream's own window is never filled: it is larger than
	// an answer may be.
	a.received += int64(f.Length)
	if a.received < ourWindow/2 {
		return nil
	}
	n := a.received
	a.received = 0
	return a.framer.WriteWindowUpdate(0, uint32(n))
}
