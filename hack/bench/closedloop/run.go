package closedloop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// loop asks on one connection until its tally has enough, and waits for the answers.
type loop func(ctx context.Context, c *Config, conn net.Conn, first int, t *tally) error

// GRPC calls envoy.service.auth.v3.Authorization/Check; the bytes of calls are
// CheckRequests. It returns an error if a call fails or has a wrong answer, and if
// the server resets a stream or wants the connection closed.
func GRPC(ctx context.Context, c Config) (Result, error) {
	return run(ctx, c, runHTTP2)
}

// HTTP sends requests over HTTP/1.1; the bytes of calls are whole requests. It
// returns an error if a request fails or has a wrong answer, and if the server
// closes a connection. One connection is opened for each request in flight.
func HTTP(ctx context.Context, c Config) (Result, error) {
	c.Connections = c.InFlight
	return run(ctx, c, runHTTP1)
}

func run(ctx context.Context, c Config, ask loop) (Result, error) {
	if err := c.check(); err != nil {
		return Result{}, err
	}
	conns := make([]net.Conn, 0, c.Connections)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close() // all answers are here, or an error is
		}
	}()
	for range c.Connections {
		conn, err := (&net.Dialer{Timeout: c.Patience}).DialContext(ctx, "tcp", c.Address)
		if err != nil {
			return Result{}, err
		}
		conns = append(conns, conn)
	}
	from := time.Now().Add(c.Warmup)
	times := clock{from: from, until: from.Add(c.Duration)}
	group, ctx := errgroup.WithContext(ctx)
	tallies := make([]*tally, c.Connections)
	for i, conn := range conns {
		t := &tally{clock: times, limit: share(c.Requests, i, c.Connections), share: share(c.InFlight, i, c.Connections)}
		tallies[i] = t
		group.Go(func() error {
			return onConnection(ctx, &c, ask, conn, i, t)
		})
	}
	if err := group.Wait(); err != nil {
		return Result{}, err
	}
	return times.result(tallies), nil
}

// onConnection runs a loop so that it ends: with the context, and at the latest when
// patience has.
func onConnection(ctx context.Context, c *Config, ask loop, conn net.Conn, i int, t *tally) error {
	if err := conn.SetDeadline(t.until.Add(c.Patience)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // the loop returns an error
	defer stop()
	first := i * len(c.Calls) / c.Connections
	err := ask(ctx, c, conn, first, t)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("connection %d: %d requests have no answer %v after the run", i, t.inFlight, c.Patience)
	default:
		return fmt.Errorf("connection %d, after %d answers: %w", i, t.total, err)
	}
}
