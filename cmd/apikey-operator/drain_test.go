package main

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/process"
)

// TestParting: who keeps a connection open is answered on it after we were told to
// stop, and told not to use it again.
func TestParting(t *testing.T) {
	ports, err := process.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + strconv.Itoa(ports[0])
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- serveHTTP(ctx, slog.New(slog.DiscardHandler), "http", address, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "ok") }))
	}()
	var conn net.Conn
	within(t, "the listener", func() bool {
		conn, err = net.Dial("tcp", address)
		return err == nil
	})
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	ask := func() (status int, last bool) {
		t.Helper()
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode, response.Close
	}
	if status, last := ask(); status != http.StatusOK || last {
		t.Errorf("before: got status %d, connection closed %v", status, last)
	}
	stop()
	if status, last := ask(); status != http.StatusOK || !last {
		t.Errorf("told to stop: got status %d, connection closed %v, want 200 and the connection closed after it", status, last)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
