package main

import (
	"context"
	"crypto/tls"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/apikey-operator/apikey-operator/controllers/certificates"
	"github.com/apikey-operator/apikey-operator/controllers/namespaces"
	"github.com/apikey-operator/apikey-operator/webhook/admission"
)

// newWebhookServer returns the server of admission, and the certificate that it
// waits for. It has TLS of its own, whatever --tls-cert-file says.
func newWebhookServer(c webhookConfig) (webhook.Server, *certificate) {
	served := &certificate{
		cert: filepath.Join(c.certDir, corev1.TLSCertKey), key: filepath.Join(c.certDir, corev1.TLSPrivateKeyKey),
	}
	return webhook.NewServer(webhook.Options{
		Host: c.host, Port: c.port,
		TLSOpts: []func(*tls.Config){func(t *tls.Config) {
			t.MinVersion, t.GetCertificate = tls.VersionTLS12, served.get
		}},
	}), served
}

// setUpAdmission has the manager serve admission, if it has an address.
func setUpAdmission(m ctrl.Manager, c *config) {
	if c.webhook.port == 0 {
		return
	}
	v := &admission.Validators{
		Cache: m.GetClient(), Live: m.GetAPIReader(), Clock: clock.RealClock{}, Hosts: c.hosts,
		Authorizer: admission.Reviews{Client: m.GetClient(), Namespaced: len(c.namespaces) > 0},
		Namespaces: namespaces.Source{Reader: m.GetClient(), Watched: c.namespaces},
	}
	v.Register(m.GetWebhookServer(), m.GetScheme())
}

// setUpCertificates has the manager keep the certificates, where nobody else does.
func setUpCertificates(m ctrl.Manager, c *config) error {
	if !c.selfManagedCertificates {
		return nil
	}
	return certificates.Setup(m, certificates.Options{
		Namespace: c.leaseNamespace, Dir: c.webhook.certDir, Configuration: c.webhook.configuration, Names: c.webhook.names,
	})
}

// always is a Runnable of every replica, leader or not.
type always func(context.Context) error

var _ manager.LeaderElectionRunnable = always(nil)

// Start implements manager.Runnable.
func (f always) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (always) NeedLeaderElection() bool { return false }
