package authn

import (
	"fmt"
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// Authenticator decides about requests.
type Authenticator interface {
	// Authenticate decides. Nothing of r may be kept: it is used again.
	Authenticate(r *auth.Request) auth.Verdict
}

// MaxScopes is how many scopes a gateway may require of one request.
const MaxScopes = 64

// ParseTarget reads what a gateway's own configuration asks for: the API as
// "<namespace>/<name>", "default" or "" (by host), and the scopes that a key must
// have, all of them, separated by commas. What can't be read is in the Target's
// Err: the request is then denied, since a gateway that was misread could be one
// that demanded more.
func ParseTarget(api, scopes string) auth.Target {
	t := auth.Target{Kind: auth.ByHost}
	switch api {
	case "":
	case keyring.DefaultAPI.String():
		t.Kind = auth.ByDefault
	default:
		namespace, name, ok := strings.Cut(api, "/")
		if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
			return auth.Target{Err: fmt.Errorf("api %q: must be <namespace>/<name> or default", api)}
		}
		t.Kind, t.Name = auth.ByName, keyring.Name{Namespace: namespace, Name: name}
	}
	if scopes == "" {
		return t
	}
	t.Scopes = strings.Split(scopes, ",")
	if len(t.Scopes) > MaxScopes {
		return auth.Target{Err: fmt.Errorf("scopes: %d of them, at most %d are allowed", len(t.Scopes), MaxScopes)}
	}
	for i, s := range t.Scopes {
		s = strings.TrimSpace(s)
		if s == "" || strings.ContainsAny(s, " *") {
			return auth.Target{Err: fmt.Errorf("scopes %q: must be names without wildcards, separated by commas", scopes)}
		}
		t.Scopes[i] = s
	}
	return t
}
