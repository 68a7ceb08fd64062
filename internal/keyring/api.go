package keyring

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/condition"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/route"
	"github.com/apikey-operator/apikey-operator/internal/safetemplate"
)

// Name is the namespace and name of an object.
type Name struct{ Namespace, Name string }

// DefaultAPI names the API of keys that name none.
var DefaultAPI = Name{}

// String writes "namespace/name", or "default" for the default API.
func (n Name) String() string {
	if n == DefaultAPI {
		return "default"
	}
	return n.Namespace + "/" + n.Name
}

// compare orders names by namespace, then name.
func (n Name) compare(o Name) int {
	return cmp.Or(cmp.Compare(n.Namespace, o.Namespace), cmp.Compare(n.Name, o.Name))
}

// Place is where a credential is looked for.
type Place uint8

// The places of credentials. The zero Place is none.
const (
	NoPlace Place = iota
	Bearer
	Basic
	Header
	Query
	Cookie
)

// Credential is one place where an API looks for keys.
type Credential struct {
	Place Place
	// Name is the header's (in lower case), the parameter's or the cookie's.
	Name string
}

// Field is a value of a key that a binding compares with.
type Field uint8

// The fields of keys.
const (
	Project Field = iota
	Environment
	OwnerName
	OwnerEmail
	Attribute
)

// Binding compares a value of the request with a value of the key.
type Binding struct {
	// Header is in lower case; without one, Variable is a variable of Patterns, of
	// which the first that matches the path counts.
	Header   string
	Variable string
	Patterns []route.Pattern

	Field     Field
	Attribute string // with Field Attribute
	FoldCase  bool
	// IfKeyHas lets keys through that have no value.
	IfKeyHas bool
}

// Condition is a CEL condition that requests with a key must meet.
type Condition struct {
	Expression *condition.Condition
	// Message is what a denied client is told; "" is a general one.
	Message string
}

// Denial is the response to denied requests, as an API wants it.
type Denial struct {
	Status  int                    // 0: as by default
	Headers [][2]string            // names and values
	Body    *safetemplate.Template // nil: as by default
}

// DenialData is what the template of a denial's body sees.
type DenialData struct {
	// Error and Message are those of the default body.
	Error, Message string
	// Status is what the client sees, Scope the one that was missing, RetryAfter in
	// seconds.
	Status     int
	Scope      string
	RetryAfter int64
}

// AuditLevel says of which decisions the audit log has a line.
type AuditLevel uint8

// The audit levels.
const (
	AuditAll AuditLevel = iota
	AuditDenied
	AuditNone
)

// Audit says what the audit log holds of an API's requests. The zero Audit is what
// an API has that says nothing.
type Audit struct {
	Level AuditLevel
	// SourceHeader is in lower case; "" is x-audit-source.
	SourceHeader string
	// DefaultSource is the source of requests without that header; "" is API.
	DefaultSource string
}

// DefaultDenial is the code of the denial for all codes without one of their own.
const DefaultDenial = "default"

// API is a compiled ProtectedAPI.
type API struct {
	Name      Name
	UID       string
	CreatedAt time.Time
	// Err says why the API can't be used: requests for it are answered with 503.
	Err error

	Hosts       []string
	Credentials []Credential
	Formats     []key.Format // one for each environment
	Bindings    []Binding
	Conditions  []Condition
	// DenyEmptyScopes denies keys without scopes where a scope is required.
	DenyEmptyScopes bool
	// KnownScopes are those that are declared; others grant nothing. Nil declares
	// none.
	KnownScopes map[string]bool
	Routes      *route.Table
	// DenyUnmatched denies requests that no route matches, DenyPlainHTTP those
	// that didn't come over TLS.
	DenyUnmatched, DenyPlainHTTP bool
	// AllowPreflight lets CORS preflight requests through without a key.
	AllowPreflight bool
	// Denials are by error code.
	Denials map[string]Denial
	// HideHeaders are the identity headers that the upstream doesn't get, in lower
	// case.
	HideHeaders map[string]bool
	// KeepCredential leaves the credential in the request.
	KeepCredential bool
	Audit          Audit
	// TrustedProxies narrows the operator's own list. Nil doesn't.
	TrustedProxies []netip.Prefix
	// AllNamespaces lets APIKeys of every namespace in, otherwise Namespaces does.
	AllNamespaces bool
	Namespaces    map[string]bool
}

// Admits reports whether APIKeys of a namespace may open the API.
func (a *API) Admits(namespace string) bool {
	return a.AllNamespaces || a.Namespaces[namespace]
}

// Denial returns the response that the API wants for an error code.
func (a *API) Denial(code string) (Denial, bool) {
	if d, ok := a.Denials[code]; ok {
		return d, true
	}
	d, ok := a.Denials[DefaultDenial]
	return d, ok
}

// Knows reports whether a scope can grant anything.
func (a *API) Knows(scope string) bool { return a.KnownScopes == nil || a.KnownScopes[scope] }

// NewDefaultAPI returns the API of keys that name none: Bearer and X-API-Key,
// from every namespace.
func NewDefaultAPI() *API {
	return &API{
		Name:          DefaultAPI,
		Credentials:   DefaultCredentials(),
		Formats:       []key.Format{key.Default},
		AllNamespaces: true,
	}
}

// DefaultCredentials are the places of an API that lists none.
func DefaultCredentials() []Credential {
	return []Credential{{Place: Bearer}, {Place: Header, Name: "x-api-key"}}
}
