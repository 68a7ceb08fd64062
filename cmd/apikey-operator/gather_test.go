package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// gatheredPair is a gathered connection and its other end.
func gatheredPair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	ours = gather(ours)
	t.Cleanup(func() { _, _, _ = l.Close(), ours.Close(), theirs.Close() })
	deadline := time.Now().Add(20 * time.Second)
	_ = theirs.SetDeadline(deadline)
	_ = ours.SetReadDeadline(deadline)
	return ours, theirs
}

// Small and large writes arrive whole and in their order, and the last before the end.
func TestGatheredArrives(t *testing.T) {
	ours, theirs := gatheredPair(t)
	var want bytes.Buffer
	go func() {
		for i := range 3000 {
			b := bytes.Repeat([]byte{byte(i)}, i%300)
			if i%100 == 0 {
				b = bytes.Repeat([]byte{byte(i)}, 2*maxGathered)
			}
			want.Write(b)
			if n, err := ours.Write(b); n != len(b) || err != nil {
				t.Errorf("write %d: %d, %v", i, n, err)
			}
		}
		_ = ours.Close()
	}()
	got, err := io.ReadAll(theirs)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, want.Len())
	}
}

// A write goes out by itself: nobody has to write again, or close.
func TestGatheredIsNotKept(t *testing.T) {
	ours, theirs := gatheredPair(t)
	for _, text := range []string{"one", "two"} {
		if _, err := io.WriteString(ours, text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(theirs, got); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// Who doesn't read can't make us hold any number of bytes, and doesn't keep us from
// closing.
func TestGatheredWaitsForItsReader(t *testing.T) {
	ours, _ := gatheredPair(t)
	_ = ours.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	chunk, total := []byte(strings.Repeat("x", 32<<10)), 0
	for {
		n, err := ours.Write(chunk)
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want a deadline", err)
			}
			break
		}
		if total += n; total > 64<<20 {
			t.Fatal("64 MiB are held for who doesn't read")
		}
	}
	g := ours.(*gathered)
	g.mu.Lock()
	if held := cap(g.pending); held > 4*maxGathered {
		t.Errorf("%d bytes are held", held)
	}
	g.mu.Unlock()
	began := time.Now()
	if err := ours.Close(); err != nil || time.Since(began) > 10*lastWrite {
		t.Errorf("closing took %v, %v", time.Since(began), err)
	}
	if _, err := ours.Write(chunk); err == nil {
		t.Error("a closed connection was written to")
	}
}

// Closing ends a write that waits for a reader.
func TestGatheredCloseEndsAWrite(t *testing.T) {
	ours, _ := gatheredPair(t)
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := ours.Write(make([]byte, maxGathered)); err != nil {
				ended <- err
				return
			}
		}
	}()
	g := ours.(*gathered)
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		for range 100 { // between two writes it can be locked
			if g.mu.TryLock() {
				g.mu.Unlock()
				return false, nil
			}
			runtime.Gosched()
		}
		return true, nil
	}); err != nil {
		t.Fatalf("no write waits: %v", err)
	}
	began := time.Now()
	if err := ours.Close(); err != nil || time.Since(began) > lastWrite/2 {
		t.Errorf("closing took %v, %v", time.Since(began), err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the write still waits")
	}
	if err := ours.Close(); err == nil {
		t.Error("closed twice without an error")
	}
}
