package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// partingTime is how long we go on to answer after we are told to stop, and ask
	// whoever keeps a connection open to use another: a connection that is closed just
	// when it is used again is a failed request. HTTP/2 has GOAWAY for that.
	partingTime = 2 * time.Second
	// drainTime is how long requests under way may take after we are told to stop.
	drainTime = 15 * time.Second
	// maxHeaderBytes is more than any proxy lets through by default.
	maxHeaderBytes = 128 << 10
	// maxStreams bounds the calls under way on one connection of a gateway. Envoy opens
	// another one when it needs more.
	maxStreams = 256
	// maxMessageBytes holds all headers of a request and a certificate, but no body,
	// which isn't ours. All messages under way may be in memory at once.
	maxMessageBytes = 2 * maxHeaderBytes
	// streamWorkers answer calls one after the other on stacks that have grown already;
	// more calls at once get a goroutine each. A third more throughput, with gcPercent.
	streamWorkers = 256
	// streamWindow and connectionWindow are what a gateway may send before we have read
	// it. Fixed, no connection is measured with pings for a larger one: checks are small.
	streamWindow, connectionWindow = 64 << 10, 1 << 20
	// maxConnectionAge ends streams that never come to an end, and spreads gateways
	// over auth servers that are new.
	maxConnectionAge, maxConnectionGrace = 10 * time.Minute, 30 * time.Second
)

// serveHTTP serves until the context ends, and then lets requests under way
// finish. An empty address serves nothing, no TLS configuration plain text.
func serveHTTP(ctx context.Context, log *slog.Logger, name, address string, t *tls.Config, h http.Handler) error {
	if address == "" {
		return nil
	}
	listener, err := listen(ctx, log, name, address)
	if err != nil {
		return err
	}
	if t != nil {
		listener = tls.NewListener(listener, t)
	}
	var open connections
	server := &http.Server{
		Handler:           parting(ctx, h),
		ConnState:         open.count,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		// Or net/http would answer `OPTIONS *` with 200 without asking the handler.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.With("listener", name).Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime+drainTime)
		defer cancel()
		open.part(drain)
		stopped <- server.Shutdown(drain)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s listener: %w", name, err)
	}
	return <-stopped
}

// parting has the connections of HTTP/1.1 that are still used when the context ends
// closed after their next answer.
func parting(ctx context.Context, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close") // as GOAWAY on HTTP/2
		}
		h.ServeHTTP(w, r)
	})
}

// connections are those that are open.
type connections struct{ n atomic.Int64 }

// count implements http.Server.ConnState.
func (c *connections) count(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		c.n.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.n.Add(-1)
	default:
	}
}

// part waits for partingTime, or until none is open.
func (c *connections) part(ctx context.Context) {
	none := func(context.Context) (bool, error) { return c.n.Load() == 0, nil }
	_ = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, partingTime, true, none) // those that are left are closed
}

// grpcOptions are of a server with bounds on what one gateway can take up.
func grpcOptions(t *tls.Config) []grpc.ServerOption {
	transport := insecure.NewCredentials()
	if t != nil {
		transport = credentials.NewTLS(t)
	}
	return []grpc.ServerOption{
		grpc.Creds(gathering{transport}),
		grpc.WriteBufferSize(0), // gathering is one
		grpc.NumStreamWorkers(streamWorkers),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connectionWindow),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: time.Minute, Timeout: 20 * time.Second,
			MaxConnectionAge: maxConnectionAge, MaxConnectionAgeGrace: maxConnectionGrace,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
}

// serveGRPC serves like serveHTTP.
func serveGRPC(ctx context.Context, log *slog.Logger, name, address string, server *grpc.Server) error {
	if address == "" {
		return nil
	}
	listener, err := listen(ctx, log, name, address)
	if err != nil {
		return err
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		timer := time.AfterFunc(drainTime, server.Stop)
		defer timer.Stop()
		server.GracefulStop()
	}()
	if err := server.Serve(listener); err != nil {
		return fmt.Errorf("%s listener: %w", name, err)
	}
	<-stopped
	return nil
}

func listen(ctx context.Context, log *slog.Logger, name, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s listener: %w", name, err)
	}
	log.Info("listening", "listener", name, "address", listener.Addr().String())
	return listener, nil
}
