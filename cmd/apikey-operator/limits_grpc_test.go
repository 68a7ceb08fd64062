package main

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// No more calls are under way on a connection than we say; more of them wait with a
// client that keeps to it, and are refused to one that doesn't.
func TestConcurrentStreamsAreBounded(t *testing.T) {
	blocked := make(chan struct{})
	b := serveBounded(t, okHandler, blocked)
	conn, err := grpc.NewClient(b.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := authv3.NewAuthorizationClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const more = 50
	var answered atomic.Int64
	var all sync.WaitGroup
	for range maxStreams + more {
		all.Go(func() {
			if _, err := client.Check(ctx, &authv3.CheckRequest{}); err != nil {
				t.Error(err)
			}
			answered.Add(1)
		})
	}
	within(t, "as many calls as may be", func() bool { return b.checks.under.Load() == maxStreams })

	rude := newHTTP2Client(t, dial(t, b.grpc))
	go func() {
		for i := range uint32(maxStreams + 1) {
			if rude.open(2*i+1, "/envoy.service.auth.v3.Authorization/Check", 0) != nil || rude.WriteData(2*i+1, true, make([]byte, 5)) != nil {
				return
			}
		}
	}()
	if got := rude.answer(2*maxStreams + 1); got != http2.ErrCodeRefusedStream.String() {
		t.Errorf("one call more than may be: got %s, want it refused", got)
	}
	within(t, "the calls of two connections", func() bool { return b.checks.under.Load() == 2*maxStreams })
	_ = rude.conn.Close()
	if n := answered.Load(); n != 0 {
		t.Errorf("%d calls were answered before they could be", n)
	}
	close(blocked)
	all.Wait()
}

func TestMessagesAreBounded(t *testing.T) {
	b := serveBounded(t, okHandler, nil)
	conn, err := grpc.NewClient(b.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := authv3.NewAuthorizationClient(conn)
	headers := func(size int) *authv3.CheckRequest {
		return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{Headers: map[string]string{"x": strings.Repeat("x", size)}},
		}}}
	}
	for _, tc := range []struct {
		name    string
		request *authv3.CheckRequest
		ctx     context.Context
		want    codes.Code
	}{
		{"all headers that a proxy lets through", headers(maxHeaderBytes), t.Context(), codes.OK},
		{"a body of which we were never to be sent any", headers(maxMessageBytes + 1), t.Context(), codes.ResourceExhausted},
		{"metadata that we say is too much", headers(1), metadata.AppendToOutgoingContext(t.Context(), "x-a", strings.Repeat("x", 2*maxHeaderBytes)), codes.Internal},
	} {
		_, err := client.Check(tc.ctx, tc.request)
		asked := b.checks.asked.Swap(0)
		if status.Code(err) != tc.want || asked > 0 != (tc.want == codes.OK) {
			t.Errorf("%s: got %v, and the handler was asked %d times, want %s", tc.name, err, asked, tc.want)
		}
	}
}
