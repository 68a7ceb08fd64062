package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/apikey-operator/apikey-operator/controllers/feed"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/throttle"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/extauthz"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// newAuthServer wires the read side: watches fill the keyring, doors ask it.
func newAuthServer(c *config, scheme *runtime.Scheme) (part, error) {
	ring := keyring.New(c.hosts)
	f, err := feed.New(c.rest, scheme, ring, c.namespaces...)
	if err != nil {
		return part{}, err
	}
	reporter, err := newReporter(c, f, ring)
	if err != nil {
		return part{}, err
	}
	wrong := throttle.New(c.wrongKeyLimit) // nil for no limit, which lets all pass
	core := &auth.Authenticator{
		Ring: ring, Synced: f.HasSynced, Current: reporter.Current, WrongKey: wrong.Take,
		TrustedCallers: c.trustedCallers, TrustedProxies: c.trustedProxies,
	}
	authn.WrongKeyAddresses(metrics.Registry, func() int { return wrong.Owing(time.Now()) })
	auditLog, closeAudit, err := newAuditLog(c, ring, metrics.Registry)
	if err != nil {
		return part{}, err
	}
	counted := authn.NewMetrics(metrics.Registry)
	door := func(name string) authn.Authenticator {
		if c.metricsAddress == "" { // nobody could read them
			return auditLog.Door(name, core)
		}
		return auditLog.Door(name, counted.Door(name, core))
	}

	var transport *tls.Config
	served := &certificate{cert: c.tls.cert, key: c.tls.key}
	if c.tls.cert != "" {
		transport = serverTLS(c.tls, served)
	}
	grpcServer := (&extauthz.Server{Authenticator: door(extauthz.Door), Now: time.Now}).GRPC(grpcOptions(transport)...)
	handler := forwardauth.New(door, ring.API, time.Now)

	start := func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return reporter.Run(ctx) })
		group.Go(func() error { return serveGRPC(ctx, c.logger, "grpc", c.grpcAddress, grpcServer) })
		group.Go(func() error { return serveHTTP(ctx, c.logger, "http", c.httpAddress, transport, handler) })
		if transport != nil {
			group.Go(func() error { return served.run(ctx) })
		}
		return errors.Join(group.Wait(), closeAudit(ctx)) // requests under way were the last lines
	}
	ready := func() bool { return f.HasSynced() && (transport == nil || served.ready()) }
	return part{name: "authserver", start: start, ready: ready}, nil
}

// newReporter wires what tells the controller of this auth server.
func newReporter(c *config, f *feed.Feed, ring *keyring.Ring) (*presence.Reporter, error) {
	identity := c.identity
	if identity == "" {
		hostname, err := os.Hostname()
		if err != nil {
			hostname = "" // what follows it tells servers apart
		}
		if identity, err = presence.NewIdentity(hostname, rand.Reader); err != nil {
			return nil, err
		}
	}
	leases, err := coordinationv1.NewForConfig(c.rest)
	if err != nil {
		return nil, fmt.Errorf("making the client of Leases: %w", err)
	}
	return presence.NewReporter(presence.ReporterOptions{
		Identity: identity, Namespace: c.leaseNamespace, Leases: leases.Leases(c.leaseNamespace),
		Feed: f, Uses: ring.TakeUses, Clock: clock.RealClock{},
	}, metrics.Registry), nil
}
