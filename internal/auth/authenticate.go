package auth

import (
	"net/netip"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// Authenticator decides about requests.
type Authenticator struct {
	// Ring is what is known of keys and APIs.
	Ring *keyring.Ring
	// Synced reports whether Ring has been filled. Until then every request that
	// asks for an API is answered with 503.
	Synced func() bool
	// TrustedCallers are the programs that may ask.
	TrustedCallers []netip.Prefix
	// TrustedProxies are believed when they name the client in X-Forwarded-For.
	TrustedProxies []netip.Prefix
}

// Authenticate decides about one request: the first check that fails is the
// verdict. It never panics; what would, denies.
func (a *Authenticator) Authenticate(r *Request) (v Verdict) {
	defer func() {
		if recover() != nil { // never shown: what panicked may hold the key
			v.Reason = InternalError
		}
	}()
	v.Reason = a.decide(r, &v)
	return v
}

func (a *Authenticator) decide(r *Request, v *Verdict) Reason {
	if !Contains(a.TrustedCallers, r.Caller.Unmap().WithZone("")) {
		return CallerNotTrusted
	}
	if r.Target.Err != nil {
		return BadConfiguration
	}
	path, query, err := NormalizePath(r.Path)
	if err != nil {
		return InvalidPath
	}
	v.Path = path
	host, err := NormalizeHost(r.Host)
	if err != nil {
		return InvalidHost
	}
	if !a.Synced() {
		return NotSynced
	}
	api, known := a.api(r.Target, host)
	if !known {
		return UnknownAPI
	}
	v.API = api
	if api.Err != nil {
		return BrokenAPI
	}
	f, reason := extract(api.Credentials, r.Headers, query)
	if reason != "" {
		return reason
	}
	v.Credential = f.credential
	m, reason := a.find(api, f)
	if reason != "" {
		return reason
	}
	v.Key, v.Version = m.Key, m.Version
	return a.check(r, api, v)
}

// check decides about a request whose key is known.
func (a *Authenticator) check(r *Request, api *keyring.API, v *Verdict) Reason {
	k := v.Key
	if reason := standing(api, k, v.Version, r.Time); reason != "" {
		return reason
	}
	if len(k.AllowedIPs) > 0 {
		client, known := clientAddr(r.Source, r.ForwardedFor, func(addr netip.Addr) bool {
			return Contains(a.TrustedProxies, addr) && (api.TrustedProxies == nil || Contains(api.TrustedProxies, addr))
		})
		if !known || !Contains(k.AllowedIPs, client) {
			return IPNotAllowed
		}
	}
	for _, b := range api.Bindings {
		if !bound(b, k, r.Headers) {
			return HeaderMismatch
		}
	}
	if scope, missing := missingScope(api, k, r.Target.Scopes); missing {
		v.MissingScope = scope
		return InsufficientScope
	}
	if !k.Limit.Unlimited() {
		rate := k.TakeRequest(r.Time)
		v.Rate = &rate
		if !rate.Allowed {
			return RateLimited
		}
	}
	return Allowed
}

func (a *Authenticator) api(t Target, host string) (*keyring.API, bool) {
	switch t.Kind {
	case ByName:
		return a.Ring.API(t.Name)
	case ByDefault:
		return a.Ring.API(keyring.DefaultAPI)
	default:
		return a.Ring.APIForHost(host)
	}
}

// find looks the credential up. Only bounds are checked before: what is known is
// let through whatever its shape, and the shape then only chooses the reason.
func (a *Authenticator) find(api *keyring.API, f found) (keyring.Match, Reason) {
	shaped := false
	for _, raw := range f.readings {
		if !raw.InBounds() {
			continue
		}
		if m, ok := a.Ring.Find(api.Name, raw.Digest()); ok {
			return m, ""
		}
		shaped = shaped || matches(api.Formats, raw)
	}
	switch {
	case strings.Contains(f.readings[0].Reveal(), ","):
		return keyring.Match{}, AmbiguousCredential // some gateways join repeated headers
	case !shaped:
		return keyring.Match{}, MalformedCredential
	default:
		return keyring.Match{}, UnknownKey
	}
}

func matches(formats []key.Format, raw key.Raw) bool {
	for _, f := range formats {
		if f.Matches(raw) {
			return true
		}
	}
	return false
}

// standing says why a known key isn't accepted at a time, or nothing.
func standing(api *keyring.API, k *keyring.Key, v keyring.Version, now time.Time) Reason {
	switch {
	case !api.Admits(k.Name.Namespace):
		return NamespaceNotAllowed
	case k.State == keyring.Deleted:
		return DeletedKey
	case k.State == keyring.Revoked:
		return RevokedKey
	case k.Err != nil:
		return BrokenKey
	case k.State == keyring.Suspended:
		return SuspendedKey
	case k.State != keyring.Active:
		return InternalError
	case past(k.ExpiresAt, now), past(v.NotAfter, now):
		return ExpiredKey
	default:
		return ""
	}
}

func past(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// bound reports whether the request's header equals the key's value.
func bound(b keyring.Binding, k *keyring.Key, h Headers) bool {
	want, has := k.Value(b)
	got, sent := h.Value(b.Header, 0)
	_, more := h.Value(b.Header, 1)
	if !has || !sent || more {
		return false
	}
	got = strings.Trim(got, " \t")
	if b.FoldCase {
		return strings.EqualFold(got, want)
	}
	return got == want
}

// missingScope returns the first required scope that the key doesn't have.
func missingScope(api *keyring.API, k *keyring.Key, required []string) (string, bool) {
	if len(k.Scopes) == 0 && !api.DenyEmptyScopes {
		return "", false
	}
	for _, scope := range required {
		if !k.Scopes.Grant(scope) {
			return scope, true
		}
	}
	return "", false
}
