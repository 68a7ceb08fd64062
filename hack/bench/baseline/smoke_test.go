package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/hack/bench/closedloop"
)

// Both servers answer every call of the client that they are for, and end with their
// context. That other answers would be noticed is seen when others are wanted.
func TestServersAnswer(t *testing.T) {
	for door, row := range map[string]struct {
		ask   func(context.Context, closedloop.Config) (closedloop.Result, error)
		write func(checkrequest.Request) ([]byte, error)
		want  checkrequest.Answer
	}{
		extAuthz:    {closedloop.GRPC, checkrequest.Request.Message, checkrequest.Allowed()},
		forwardAuth: {closedloop.HTTP, checkrequest.Request.HTTP, checkrequest.Answer{Status: 200}},
	} {
		t.Run(door, func(t *testing.T) {
			serve, err := serverOf(door)
			if err != nil {
				t.Fatal(err)
			}
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- serve(ctx, listener) }()
			sent, err := row.write(checkrequest.Request{Key: "bk_live_1", API: "apis/billoget"})
			if err != nil {
				t.Fatal(err)
			}
			c := closedloop.Config{
				Address: listener.Addr().String(), Connections: 2, InFlight: 16, Duration: time.Minute, Requests: 1000,
				Calls: []checkrequest.Call{{Bytes: sent, Want: row.want}},
			}
			r, err := row.ask(t.Context(), c)
			if err != nil || r.Total != 1000 || len(r.Latencies) != 1000 || r.PeakInFlight != 16 {
				t.Errorf("got %d answers, %d measured, %d in flight, %v", r.Total, len(r.Latencies), r.PeakInFlight, err)
			}
			c.Calls[0].Want = checkrequest.Denied(401)
			if _, err := row.ask(t.Context(), c); err == nil || !strings.Contains(err.Error(), "wrong answer") {
				t.Errorf("another answer is wanted: got %v", err)
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("the server: %v", err)
			}
		})
	}
}

func TestFlagsAreChecked(t *testing.T) {
	for _, row := range []struct{ door, address, want string }{
		{"grpc", "127.0.0.1:0", "-door"},
		{extAuthz, "0.0.0.0:0", "-address"},
		{extAuthz, ":0", "-address"},
		{extAuthz, "localhost:0", "-address"},
	} {
		if err := run(t.Context(), row.door, row.address); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%+v: got %v", row, err)
		}
	}
}
