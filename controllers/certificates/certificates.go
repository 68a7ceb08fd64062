package certificates

import (
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
)

// The Secrets, which the manifests create empty.
const (
	WebhookSecret    = "apikey-operator-webhook-tls"
	AuthServerSecret = "apikey-operator-authserver-tls"
)

// The Services that the certificates are for.
const (
	webhookService    = "apikey-operator-webhook"
	authServerService = "apikey-operator-authserver"
)

// Options say which certificates are kept.
type Options struct {
	// Namespace holds the Secrets and the Services.
	Namespace string
	// Dir is where the files of admission are written: tls.crt and tls.key.
	Dir string
	// Configuration is the ValidatingWebhookConfiguration that the CA is injected
	// into. Without one only the certificate of auth servers is kept.
	Configuration string
	// Names are further DNS names of admission.
	Names []string

	// Lifetime is how long a certificate lives, Ahead how long before its end it is
	// renewed, Check how often it is looked at. 0 is a year, 90 days, 12 hours.
	Lifetime, Ahead, Check time.Duration
}

// Setup adds to a manager what keeps the certificates. Every replica renews them, who
// is first: one that waits to lead isn't ready without, and in an upgrade from a version
// that has none whoever leads is not taken away before another is ready.
func Setup(m ctrl.Manager, o Options) error {
	if o.Namespace == "" {
		return errors.New("the namespace of the certificates is not known")
	}
	rotators := []*rotator.CertRotator{o.rotator(AuthServerSecret, authServerService)}
	if o.Configuration != "" {
		f := &files{secret: types.NamespacedName{Namespace: o.Namespace, Name: WebhookSecret}, dir: o.Dir}
		if err := f.addTo(m); err != nil {
			return fmt.Errorf("files of admission: %w", err)
		}
		webhook := o.rotator(WebhookSecret, webhookService)
		webhook.ExtraDNSNames = append(webhook.ExtraDNSNames, o.Names...)
		webhook.Webhooks = []rotator.WebhookInfo{{Name: o.Configuration, Type: rotator.Validating}}
		rotators = append(rotators, webhook)
	} else if err := placeholder(o.Dir); err != nil {
		return err
	}
	for _, r := range rotators {
		if err := rotator.AddRotator(m, r); err != nil {
			return fmt.Errorf("certificate in Secret %s: %w", r.SecretKey.Name, err)
		}
	}
	return nil
}

// rotator keeps a certificate for a Service in a Secret.
func (o Options) rotator(secret, service string) *rotator.CertRotator {
	host := service + "." + o.Namespace + ".svc"
	return &rotator.CertRotator{
		SecretKey:              types.NamespacedName{Namespace: o.Namespace, Name: secret},
		CertDir:                o.Dir, // where it waits for tls.crt, whosever
		CAName:                 service + "-ca",
		CAOrganization:         "apikey-operator",
		DNSName:                host,
		ExtraDNSNames:          []string{service, service + "." + o.Namespace, host + ".cluster.local"},
		IsReady:                make(chan struct{}),
		ControllerName:         "certificate-" + service,
		FieldOwner:             "apikey-operator",
		ServerCertDuration:     o.Lifetime,
		LookaheadInterval:      o.Ahead,
		RotationCheckFrequency: o.Check,
	}
}
