package keyring

import (
	"net/netip"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
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

// before orders names by namespace, then name.
func (n Name) before(o Name) bool {
	if n.Namespace != o.Namespace {
		return n.Namespace < o.Namespace
	}
	return n.Name < o.Name
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

// Binding compares a header of the request with a value of the key.
type Binding struct {
	Header    string // in lower case
	Field     Field
	Attribute string // with Field Attribute
	FoldCase  bool
}

// API is a compiled ProtectedAPI.
type API struct {
	Name      Name
	CreatedAt time.Time
	// Err says why the API can't be used: requests for it are answered with 503.
	Err error

	Hosts       []string
	Credentials []Credential
	Formats     []key.Format // one for each environment
	Bindings    []Binding
	// DenyEmptyScopes denies keys without scopes where a scope is required.
	DenyEmptyScopes bool
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
