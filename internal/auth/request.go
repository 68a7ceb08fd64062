package auth

import (
	"net/netip"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// Headers are the headers of the request that the client sent.
type Headers interface {
	// Value returns the i-th value, from 0, of the header with a name in lower
	// case, and whether there is one.
	Value(name string, i int) (string, bool)
}

// Target is the API that the gateway's own configuration asks for.
type Target struct {
	Kind TargetKind
	// Name is the API, with Kind ByName.
	Name keyring.Name
	// Scopes are those that a key must have, all of them.
	Scopes []string
	// Err says why the gateway's configuration can't be understood. The request is
	// answered with 503.
	Err error
}

// TargetKind is how the gateway names the API.
type TargetKind uint8

const (
	// ByHost finds the API by the request's host.
	ByHost TargetKind = iota
	// ByName takes the API that the gateway names.
	ByName
	// ByDefault takes the default API, which the gateway named as such.
	ByDefault
)

// Request is one request to decide about. Target comes from the gateway's
// configuration; Method, Host, Path and Source from what the gateway itself
// writes, never from what a client can set.
type Request struct {
	// Caller is the address of the program that asks us.
	Caller netip.Addr
	Target Target

	Method string
	// TLS is a request that came to the gateway, or to a proxy before it that the
	// gateway believes, over TLS.
	TLS  bool
	Host string // as received, with port or not
	Path string // as received, with query
	// Source is the address that connected to the gateway, and ForwardedFor the
	// values of X-Forwarded-For as the gateway passed them on.
	Source       string
	ForwardedFor []string
	Headers      Headers

	Time time.Time
}
