package closedloop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

// maxHeaderLines bounds the header of an answer.
const maxHeaderLines = 200

// runHTTP1 has one request in flight, as proxies do: none pipelines.
func runHTTP1(_ context.Context, c *Config, conn net.Conn, first int, t *tally) error {
	in := bufio.NewReaderSize(conn, 16<<10)
	for next, now := first, time.Now(); t.more(now); next++ {
		call := &c.Calls[next%len(c.Calls)]
		started := now
		t.start()
		if _, err := conn.Write(call.Bytes); err != nil {
			return closed(err)
		}
		got, err := readHTTP1(in)
		if err != nil {
			return closed(err)
		}
		if got != call.Want {
			return wrong(next%len(c.Calls), got, call.Want)
		}
		now = time.Now()
		t.done(started, now)
	}
	if in.Buffered() > 0 {
		return errors.New("the server writes more than it was asked for")
	}
	return nil
}

// wrong says which call had a wrong answer. Its bytes, which hold a key, aren't shown.
func wrong(call int, got, want checkrequest.Answer) error {
	return fmt.Errorf("call %d: wrong answer: got %v, want %v", call, got, want)
}

// closed names what a server that hangs up does to a client.
func closed(err error) error {
	for _, hungUp := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, hungUp) {
			return fmt.Errorf("the server closed the connection: %w", err)
		}
	}
	return err
}

// readHTTP1 reads one response to GET, the body too, with a length in its header.
func readHTTP1(in *bufio.Reader) (checkrequest.Answer, error) {
	var a checkrequest.Answer
	line, err := in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if a.Status, err = statusLine(line); err != nil {
		return a, err
	}
	length := -1
	for n := 0; ; n++ {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if n == maxHeaderLines {
			return a, fmt.Errorf("the answer has more than %d header lines", maxHeaderLines)
		}
		if length, err = headerLine(line, length); err != nil {
			return a, err
		}
	}
	if length < 0 {
		return a, errors.New("the answer has no Content-Length")
	}
	_, err = in.Discard(length)
	return a, err
}

var http11 = []byte("HTTP/1.1 ")

func statusLine(line []byte) (int, error) {
	rest, ok := bytes.CutPrefix(line, http11)
	if !ok || len(rest) < 4 || rest[3] != ' ' {
		return 0, errors.New("the answer isn't of HTTP/1.1")
	}
	status, err := strconv.Atoi(string(rest[:3]))
	if err != nil || status < 200 {
		return 0, fmt.Errorf("the answer has status %q, want 200 or more", rest[:3])
	}
	return status, nil
}

var (
	contentLength    = []byte("Content-Length")
	connection       = []byte("Connection")
	transferEncoding = []byte("Transfer-Encoding")
)

// headerLine returns the length of the body if this line has it, else what it was.
func headerLine(line []byte, length int) (int, error) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case !ok:
		return 0, errors.New("the answer has a header line without a colon")
	case bytes.EqualFold(name, contentLength):
		n, err := strconv.ParseUint(string(value), 10, 31)
		if err != nil || n > maxAnswerBytes || length >= 0 && length != int(n) {
			return 0, fmt.Errorf("the answer has Content-Length %q, want one number up to %d", value, maxAnswerBytes)
		}
		return int(n), nil
	case bytes.EqualFold(name, connection) && bytes.EqualFold(value, []byte("close")):
		return 0, errors.New("the server wants the connection closed")
	case bytes.EqualFold(name, transferEncoding):
		return 0, errors.New("the answer has a Transfer-Encoding, want Content-Length")
	}
	return length, nil
}
