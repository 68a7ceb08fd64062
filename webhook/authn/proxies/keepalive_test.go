package proxies

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// On one connection every request is judged: none profits from the one before it.
func TestOneConnection(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		good := s.key("good")
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.proxy)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
		if err := connection.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(connection)
		s.upstream.wire.lines() // that of probe
		for i, row := range []struct {
			request request
			status  int
		}{
			{request{fields: bearer(good)}, 200},
			{request{}, 401},
			{request{fields: bearer(good)}, 200},
			{request{method: http.MethodPost, fields: bearer("bk_live_x"), body: "GET /api/public/budgets/8 HTTP/1.1\r\nHost: api.billoget.com\r\n\r\n"}, 401},
			{request{method: http.MethodPut, fields: bearer(good), body: "{}"}, 200},
			{request{fields: []string{"X-Apikey-Name: good"}}, 401},
		} {
			text := strings.Replace(row.request.String(), "Connection: close\r\n", "", 1)
			if _, err := io.WriteString(connection, text); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != row.status {
				t.Errorf("request %d: got %d, want %d", i, response.StatusCode, row.status)
			}
		}
		if lines := s.upstream.wire.lines(); len(lines) != 3 {
			t.Errorf("the upstream saw %q", lines)
		}
	})
}
