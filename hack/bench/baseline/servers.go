package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
)

// The doors of the auth server that have a baseline.
const extAuthz, forwardAuth = "ext_authz", "forward-auth"

func serverOf(door string) (func(context.Context, net.Listener) error, error) {
	switch door {
	case extAuthz:
		return serveGRPC, nil
	case forwardAuth:
		return serveHTTP, nil
	default:
		return nil, fmt.Errorf("-door %q: want %s or %s", door, extAuthz, forwardAuth)
	}
}

type always struct {
	authv3.UnimplementedAuthorizationServer
}

// Check implements authv3.AuthorizationServer.
func (always) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}},
	}, nil
}

func serveGRPC(ctx context.Context, listener net.Listener) error {
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, always{})
	defer context.AfterFunc(ctx, server.Stop)()
	return server.Serve(listener)
}

func serveHTTP(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // nothing here outlives the process
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
