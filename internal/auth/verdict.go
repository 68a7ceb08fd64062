package auth

import (
	"net/netip"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// Reason is why a request was denied, or Allowed. Its text is part of metrics
// and logs.
type Reason string

// The reasons, in the order of the checks.
//
//nolint:gosec // names of reasons, not credentials
const (
	Allowed             Reason = "allowed"
	CallerNotTrusted    Reason = "caller_not_trusted"   // the asking program isn't in --trusted-callers
	BadConfiguration    Reason = "bad_configuration"    // the gateway's own configuration for us is wrong
	InvalidPath         Reason = "invalid_path"         // the path isn't normal
	InvalidHost         Reason = "invalid_host"         // the host isn't a name or an address
	NotSynced           Reason = "not_synced"           // the auth server hasn't read everything yet
	UnknownAPI          Reason = "unknown_api"          // no API by that name or host
	BrokenAPI           Reason = "broken_api"           // the API can't be used
	PlainHTTP           Reason = "plain_http"           // didn't come over TLS
	MissingCredential   Reason = "missing_credential"   // nothing where the API looks
	AmbiguousCredential Reason = "ambiguous_credential" // more than one, or one repeated
	NotCurrent          Reason = "not_current"          // not known here, but the auth server may have missed it
	MalformedCredential Reason = "malformed_credential" // can't be a key of this API
	UnknownKey          Reason = "unknown_key"          // well formed, but nobody's
	WrongKeyThrottled   Reason = "wrong_key_throttled"  // one of the two before, and too many from there
	NamespaceNotAllowed Reason = "namespace_not_allowed"
	DeletedKey          Reason = "deleted_key" // its APIKey is being deleted
	RevokedKey          Reason = "revoked_key"
	BrokenKey           Reason = "broken_key" // the APIKey can't be used
	SuspendedKey        Reason = "suspended_key"
	ExpiredKey          Reason = "expired_key"
	IPNotAllowed        Reason = "ip_not_allowed"
	HeaderMismatch      Reason = "header_mismatch"  // a bound header is missing or differs
	ProjectMismatch     Reason = "project_mismatch" // the path is of another project
	BindingMismatch     Reason = "binding_mismatch" // a bound path variable differs
	InsufficientScope   Reason = "insufficient_scope"
	RouteNotAllowed     Reason = "route_not_allowed" // no scope opens it
	ConditionNotMet     Reason = "condition_not_met" // or it can't be evaluated
	RateLimited         Reason = "rate_limited"
	InternalError       Reason = "internal_error"
)

// Verdict is the decision about one request.
type Verdict struct {
	Reason Reason
	// API is the API that was asked for, nil where none was found.
	API *keyring.API
	// Key is whose credential it was, nil where none was found or none was needed.
	// It is set on denials too.
	Key *keyring.Key
	// Version is the key version that was used, nil without a Key.
	Version *keyring.Version
	// Credential is where the credential was found.
	Credential keyring.Credential
	// MissingScope is the first required scope that the key lacks.
	MissingScope string
	// ConditionMessage is what the condition that wasn't met says, "" for nothing.
	ConditionMessage string
	// Rate is what the rate limit said, if Limited: where it was asked.
	Rate    ratelimit.Result
	Limited bool
	// RetryAfter is how long until a wrong key from there would be called that again,
	// where there were too many.
	RetryAfter time.Duration
	// Route is the most specific pattern that matched, "" where none did.
	Route string
	// Path is the normal path without its query, once it was judged.
	Path string
	// Client is the client's address. IsValid is false where it isn't known: the
	// key's IP check then denies.
	Client netip.Addr
}

// Hint is the part of the credential that may be shown, "" where no key was found.
func (v *Verdict) Hint() string {
	if v.Version == nil {
		return ""
	}
	return v.Version.Hint
}

// OK reports whether the request may pass.
func (v *Verdict) OK() bool { return v.Reason == Allowed }
