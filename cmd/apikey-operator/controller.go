package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/controllers/protectedapi"
)

// newController wires the write side.
func newController(ctx context.Context, c *config, scheme *runtime.Scheme) (part, error) {
	webhookServer, served := newWebhookServer(c.webhook)
	m, err := newManager(c, scheme, webhookServer)
	if err != nil {
		return part{}, fmt.Errorf("making the manager: %w", err)
	}
	roster, err := newRoster(m, c.leaseNamespace)
	if err != nil {
		return part{}, fmt.Errorf("setting up the roster of auth servers: %w", err)
	}
	keys := &apikey.Reconciler{
		Client: m.GetClient(), Live: m.GetAPIReader(), Namespaces: c.namespaces,
		Recorder: m.GetEventRecorder("apikey-operator"), Clock: clock.RealClock{}, Random: rand.Reader,
		Roster: roster, LeaseNamespace: c.leaseNamespace, Metrics: apikey.NewMetrics(metrics.Registry),
	}
	if err := keys.SetupWithManager(ctx, m); err != nil {
		return part{}, fmt.Errorf("setting up the APIKey reconciler: %w", err)
	}
	apis := &protectedapi.Reconciler{Client: m.GetClient(), Namespaces: c.namespaces, Hosts: c.hosts, Clock: clock.RealClock{}}
	if err := apis.SetupWithManager(m); err != nil {
		return part{}, fmt.Errorf("setting up the ProtectedAPI reconciler: %w", err)
	}
	setUpAdmission(m, c)
	if err := setUpCertificates(m, c); err != nil {
		return part{}, fmt.Errorf("setting up certificates: %w", err)
	}
	// Runnables of this kind start once the caches are filled.
	var filled atomic.Bool
	if err := m.Add(always(func(context.Context) error { filled.Store(true); return nil })); err != nil {
		return part{}, err
	}
	start := func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return m.Start(ctx) })
		if c.webhook.port != 0 {
			group.Go(func() error { return served.run(ctx) })
		}
		return group.Wait()
	}
	ready := func() bool { return filled.Load() && (c.webhook.port == 0 || served.ready()) }
	return part{name: "controller", start: start, ready: ready}, nil
}

func newManager(c *config, scheme *runtime.Scheme, webhookServer webhook.Server) (ctrl.Manager, error) {
	// Of all the cluster's Secrets the cache holds only our own, and of its Leases
	// those of the auth servers.
	label, err := labels.NewRequirement(v1alpha1.LabelAPIKeyUID, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(c.rest, ctrl.Options{
		Scheme:        scheme,
		WebhookServer: webhookServer,
		Cache: cache.Options{
			DefaultTransform:  cache.TransformStripManagedFields(),
			DefaultNamespaces: watched(c.namespaces),
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}: {Label: labels.NewSelector().Add(*label)},
				&coordinationv1.Lease{}: {
					Namespaces: map[string]cache.Config{c.leaseNamespace: {}}, Label: labels.SelectorFromSet(presence.Labels()),
				},
			},
		},
		Metrics:                       metricsserver.Options{BindAddress: "0"}, // served by run
		HealthProbeBindAddress:        "0",                                     // served by run
		LeaderElection:                c.leaderElect,
		LeaderElectionID:              "apikey-operator-controller",
		LeaderElectionNamespace:       c.leaseNamespace,
		LeaderElectionReleaseOnCancel: true,
	})
}

// watched are the namespaces that a cache holds, nil for all.
func watched(namespaces []string) map[string]cache.Config {
	if len(namespaces) == 0 {
		return nil
	}
	out := make(map[string]cache.Config, len(namespaces))
	for _, n := range namespaces {
		out[n] = cache.Config{}
	}
	return out
}

// newRoster returns what the write side knows of auth servers.
func newRoster(m ctrl.Manager, namespace string) (*presence.Roster, error) {
	roster := presence.NewRoster(clock.RealClock{})
	if err := metrics.Registry.Register(roster); err != nil {
		return nil, err
	}
	return roster, m.Add(&presence.Sweeper{Roster: roster, Client: m.GetClient(), Namespace: namespace, Clock: clock.RealClock{}})
}
