package admission

import (
	"context"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/namespaces"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// The paths of admission, as in the ValidatingWebhookConfiguration.
const (
	APIKeyPath       = "/validate-apikey"
	ProtectedAPIPath = "/validate-protectedapi"
)

// Validators are what admission needs. All fields are required but Hosts, whose zero
// value grants no host to anybody.
type Validators struct {
	// Cache reads APIKeys and ProtectedAPIs, with the indexes of controllers/apikey.
	Cache client.Reader
	// Live reads Secrets: the metadata, and of those that carry the label of imports
	// all. No cache may hold them.
	Live client.Reader
	// Authorizer says what a user may do.
	Authorizer Authorizer
	// Namespaces says what is known of namespaces.
	Namespaces namespaces.Source
	// Hosts are the operator's --host-claims.
	Hosts keyring.HostPolicy
	Clock clock.PassiveClock
}

// Server is where admission is served, such as controller-runtime's webhook.Server.
type Server interface {
	Register(path string, hook http.Handler)
}

// Register serves admission of both kinds, of each 64 requests at once: more are
// answered 503. The scheme must have the kinds.
func (v *Validators) Register(s Server, scheme *runtime.Scheme) {
	bound := func(hook http.Handler) http.Handler { return newBounded(hook, answeredAtOnce, bodyWithin) }
	s.Register(APIKeyPath, bound(admission.WithValidator[*v1alpha1.APIKey](scheme, apiKeys{v})))
	s.Register(ProtectedAPIPath, bound(admission.WithValidator[*v1alpha1.ProtectedAPI](scheme, protectedAPIs{v})))
}

// answerWithin is less than the timeoutSeconds of the ValidatingWebhookConfiguration,
// so that whoever asks is told what took so long.
const answerWithin = 4500 * time.Millisecond

func answering(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, answerWithin)
}
