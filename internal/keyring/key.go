package keyring

import (
	"net/netip"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// State is what spec wants of a key.
type State uint8

// The states of a key. Deleted is an APIKey that is being deleted.
const (
	Active State = iota
	Suspended
	Revoked
	Deleted
)

// Version is one issued raw key.
type Version struct {
	Digest   key.Digest
	Hint     string
	NotAfter time.Time // zero: as long as the key
	ByHash   bool      // the APIKey brought no more than the digest

	mark *mark
}

// Key is a compiled APIKey.
type Key struct {
	Name      Name
	UID       string
	CreatedAt time.Time
	API       Name
	// Err says why the key can't be used: requests with it are answered with 503.
	Err error

	Versions   []Version
	State      State
	ExpiresAt  time.Time // zero: never
	Scopes     Scopes
	AllowedIPs []netip.Prefix // empty: any
	Limit      ratelimit.Limit

	DisplayName, Project, Environment string
	OwnerName, OwnerEmail             string
	Attributes                        map[string]string

	limiter *ratelimit.Limiter
}

// Value returns what the key holds in the field that a binding compares with,
// and whether it holds anything there.
func (k *Key) Value(b Binding) (string, bool) {
	var v string
	switch b.Field {
	case Project:
		v = k.Project
	case Environment:
		v = k.Environment
	case OwnerName:
		v = k.OwnerName
	case OwnerEmail:
		v = k.OwnerEmail
	case Attribute:
		v = k.Attributes[b.Attribute]
	}
	return v, v != ""
}

// Grants reports whether the key's scopes include the wanted one. That none means
// all is its API's to say.
func (k *Key) Grants(scope string) bool { return k.Scopes.Grant(scope) }

// AllowsIP reports whether the key may be used from an address. One that isn't known
// is in no block, but then a key without blocks may be used from anywhere.
func (k *Key) AllowsIP(addr netip.Addr) bool {
	if len(k.AllowedIPs) == 0 {
		return true
	}
	for _, b := range k.AllowedIPs {
		if b.Contains(addr) {
			return true
		}
	}
	return false
}

// Ended reports whether the key or this version of it has come to its end.
func (k *Key) Ended(v *Version, now time.Time) bool {
	return past(k.ExpiresAt, now) || past(v.NotAfter, now)
}

func past(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// TakeRequest counts one request at time now. What was used stays with the
// APIKey through edits and rotations.
func (k *Key) TakeRequest(now time.Time) ratelimit.Result {
	return k.limiter.Take(k.Limit, now)
}

// Scopes are the scopes of a key. A scope "a:*" grants every scope that starts
// with "a:", and "*" every scope.
type Scopes []string

// Grant reports whether the scopes include the wanted one.
func (s Scopes) Grant(want string) bool {
	for _, have := range s {
		if have == want || have == "*" {
			return true
		}
		if family, ok := strings.CutSuffix(have, "*"); ok && strings.HasSuffix(family, ":") && strings.HasPrefix(want, family) {
			return true
		}
	}
	return false
}
