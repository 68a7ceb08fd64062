package main

import (
	"context"
	"net/http"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// part is a role, ready to run: start blocks until its context ends, ready says
// whether it can serve.
type part struct {
	name  string
	start func(context.Context) error
	ready func() bool
}

// run runs the roles until the context ends or one of them fails.
func run(ctx context.Context, r roles, c *config) error {
	logger := logr.FromSlogHandler(c.logger.Handler())
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	var parts []part
	if r.controller {
		p, err := newController(ctx, c, scheme)
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
	if r.authserver {
		p, err := newAuthServer(c, scheme)
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
	if err := metrics.Registry.Register(buildInfo()); err != nil {
		return err
	}
	c.logger.Info("starting", "version", version, "controller", r.controller, "authserver", r.authserver)

	group, ctx := errgroup.WithContext(ctx)
	for _, p := range parts {
		group.Go(func() error { return p.start(ctx) })
	}
	group.Go(func() error {
		return serveHTTP(ctx, c.logger, "health", c.healthAddress, nil, healthHandler(ctx, parts))
	})
	group.Go(func() error { return serveHTTP(ctx, c.logger, "metrics", c.metricsAddress, nil, metricsHandler()) })
	return group.Wait()
}

// healthHandler answers /healthz as long as the process lives, and /readyz once
// every part can serve and until it is told to stop.
func healthHandler(ctx context.Context, parts []part) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ctx.Err() != nil {
			reply(w, http.StatusServiceUnavailable, "stopping")
			return
		}
		for _, p := range parts {
			if !p.ready() {
				reply(w, http.StatusServiceUnavailable, p.name+" is not ready")
				return
			}
		}
		reply(w, http.StatusOK, "ok")
	})
	return mux
}

func reply(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the caller hung up
}

func metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	return mux
}
