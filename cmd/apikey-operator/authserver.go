package main

import (
	"context"
	"errors"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/apikey-operator/apikey-operator/controllers/feed"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/extauthz"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// newAuthServer wires the read side: watches fill the keyring, doors ask it.
func newAuthServer(c *config, scheme *runtime.Scheme) (part, error) {
	ring := keyring.New(c.hosts)
	f, err := feed.New(c.rest, scheme, ring)
	if err != nil {
		return part{}, err
	}
	core := &auth.Authenticator{
		Ring: ring, Synced: f.HasSynced,
		TrustedCallers: c.trustedCallers, TrustedProxies: c.trustedProxies,
	}
	auditLog, closeAudit, err := newAuditLog(c, ring, metrics.Registry)
	if err != nil {
		return part{}, err
	}
	counted := authn.NewMetrics(metrics.Registry)
	door := func(name string) authn.Authenticator { return auditLog.Door(name, counted.Door(name, core)) }

	grpcServer := newGRPCServer()
	authv3.RegisterAuthorizationServer(grpcServer, &extauthz.Server{Authenticator: door(extauthz.Door), Now: time.Now})
	handler := forwardauth.New(door, ring.API, time.Now)

	start := func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return f.Start(ctx) })
		group.Go(func() error { return serveGRPC(ctx, c.logger, "grpc", c.grpcAddress, grpcServer) })
		group.Go(func() error { return serveHTTP(ctx, c.logger, "http", c.httpAddress, handler) })
		return errors.Join(group.Wait(), closeAudit(ctx)) // requests under way were the last lines
	}
	return part{name: "authserver", start: start, ready: f.HasSynced}, nil
}
