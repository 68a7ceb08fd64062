package auth

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/route"
)

// Authenticator decides about requests.
type Authenticator struct {
	// Ring is what is known of keys and APIs.
	Ring *keyring.Ring
	// Synced reports whether Ring has been filled. Until then every request that
	// asks for an API is answered with 503.
	Synced func() bool
	// Current reports whether Ring holds every key that anybody may have been given.
	// While it doesn't, a key that Ring doesn't know may be good all the same, and is
	// answered with 503.
	Current func() bool
	// TrustedCallers are the programs that may ask.
	TrustedCallers []netip.Prefix
	// TrustedProxies are believed when they name the client in X-Forwarded-For.
	TrustedProxies []netip.Prefix
	// WrongKey is told of a wrong key from an address, and says how long until that
	// address may send another, 0 if it may now. It is never asked about a known key.
	// Nil: no limit.
	WrongKey func(client netip.Addr, now time.Time) time.Duration
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
	v.Client = a.client(r, nil)
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
	if api.TrustedProxies != nil {
		v.Client = a.client(r, api)
	}
	if api.DenyPlainHTTP && !r.TLS {
		return PlainHTTP
	}
	matched := api.Routes.Find(path)
	if matched != nil {
		v.Route = matched.Pattern
	}
	if matched != nil && matched.Public(r.Method) || api.AllowPreflight && preflight(r) {
		return Allowed
	}
	f, reason := extract(api.Credentials, r.Headers, query)
	if reason != "" {
		return reason
	}
	v.Credential = f.credential
	m, reason := a.find(api, &f)
	if reason != "" {
		return a.wrongKey(reason, r, v)
	}
	v.Key, v.Version = m.Key, m.Version
	reason = a.check(r, matched, v)
	if reason == Allowed {
		a.Ring.MarkUsed(v.Version, r.Time)
	}
	return reason
}

// preflight holds for a CORS preflight request (Fetch standard, section 3.2.2).
func preflight(r *Request) bool {
	if r.Method != "OPTIONS" {
		return false
	}
	_, origin := r.Headers.Value("origin", 0)
	_, method := r.Headers.Value("access-control-request-method", 0)
	return origin && method
}

// check decides about a request whose key is known.
func (a *Authenticator) check(r *Request, matched *route.Match, v *Verdict) Reason {
	api, k := v.API, v.Key
	if reason := standing(api, k, v.Version, r.Time); reason != "" {
		return reason
	}
	if !k.AllowsIP(v.Client) {
		return IPNotAllowed
	}
	for i := range api.Bindings {
		if reason := bound(&api.Bindings[i], k, r.Headers, v.Path); reason != "" {
			return reason
		}
	}
	if reason := permitted(r, matched, v); reason != "" {
		return reason
	}
	if reason := unmet(r, v); reason != "" {
		return reason
	}
	if !k.Limit.Unlimited() {
		v.Rate, v.Limited = k.TakeRequest(r.Time), true
		if !v.Rate.Allowed {
			return RateLimited
		}
	}
	return Allowed
}

// client returns the address of the client, as far as the operator's proxies are
// to be believed and, once the API is known, as the API is.
func (a *Authenticator) client(r *Request, api *keyring.API) netip.Addr {
	addr, _ := clientAddr(r.Source, r.ForwardedFor, func(addr netip.Addr) bool {
		return Contains(a.TrustedProxies, addr) && (api == nil || api.TrustedProxies == nil || Contains(api.TrustedProxies, addr))
	})
	return addr
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
func (a *Authenticator) find(api *keyring.API, f *found) (keyring.Match, Reason) {
	var raws [len(f.readings)]*key.Raw // those in bounds
	var digests [len(f.readings)]key.Digest
	n := 0
	for i := range f.readings {
		raw := &f.readings[i]
		if !raw.InBounds() {
			continue
		}
		raws[n], digests[n] = raw, raw.Digest()
		if m, ok := a.Ring.Find(api.Name, digests[n]); ok {
			return m, ""
		}
		n++
	}
	if n > 0 && !a.Current() {
		return keyring.Match{}, NotCurrent
	}
	// The ring may have become current since that look. It is asked in this order
	// because only unknown keys shall pay for it.
	for _, d := range digests[:n] {
		if m, ok := a.Ring.Find(api.Name, d); ok {
			return m, ""
		}
	}
	switch {
	case strings.Contains(f.readings[0].Reveal(), ","):
		return keyring.Match{}, AmbiguousCredential // some gateways join repeated headers
	case !matches(api.Formats, raws[:n]):
		return keyring.Match{}, MalformedCredential
	default:
		return keyring.Match{}, UnknownKey
	}
}

// wrongKey says that there were too many wrong keys, if there were. It comes after
// the look-up, so that no address can lose a valid key by what else came from it.
//
// Where the client isn't known nothing is counted: the address at hand would be the
// gateway's, and everybody's budget that of whoever spends it first.
func (a *Authenticator) wrongKey(reason Reason, r *Request, v *Verdict) Reason {
	if reason != UnknownKey && reason != MalformedCredential || a.WrongKey == nil || !v.Client.IsValid() {
		return reason
	}
	if v.RetryAfter = a.WrongKey(v.Client, r.Time); v.RetryAfter > 0 {
		return WrongKeyThrottled
	}
	return reason
}

func matches(formats []key.Format, raws []*key.Raw) bool {
	for _, raw := range raws {
		for i := range formats {
			if formats[i].Matches(*raw) {
				return true
			}
		}
	}
	return false
}

// standing says why a known key isn't accepted at a time, or nothing.
func standing(api *keyring.API, k *keyring.Key, v *keyring.Version, now time.Time) Reason {
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
	case k.Ended(v, now):
		return ExpiredKey
	default:
		return ""
	}
}

// bound says why the request's value isn't the key's, or nothing.
func bound(b *keyring.Binding, k *keyring.Key, h Headers, path string) Reason {
	got, present, mismatch := "", false, HeaderMismatch
	if b.Header != "" {
		value, sent := first(h, b.Header)
		got, present = trimBlanks(value), sent == 1
	} else {
		mismatch = BindingMismatch
		if b.Field == keyring.Project {
			mismatch = ProjectMismatch
		}
		if got, present = variable(b, path); !present {
			return "" // another path
		}
	}
	want, has := k.Value(*b)
	switch {
	case !has && b.IfKeyHas:
		return ""
	case has && present && (got == want || b.FoldCase && strings.EqualFold(got, want)):
		return ""
	default:
		return mismatch
	}
}

func variable(b *keyring.Binding, path string) (string, bool) {
	for i := range b.Patterns {
		if value, ok := b.Patterns[i].Variable(path, b.Variable); ok {
			return value, true
		}
	}
	return "", false
}

// permitted says why the key may not do what is asked, or nothing: it needs every
// scope that the gateway demands, and any one of the scopes that open the route.
func permitted(r *Request, matched *route.Match, v *Verdict) Reason {
	api, k := v.API, v.Key
	full := len(k.Scopes) == 0 && !api.DenyEmptyScopes
	for _, scope := range r.Target.Scopes {
		if !full && !grants(api, k, scope) {
			v.MissingScope = scope
			return InsufficientScope
		}
	}
	var scopes []string
	if matched != nil {
		scopes = matched.Scopes(r.Method)
	}
	switch {
	case len(scopes) > 0:
	case api.DenyUnmatched, matched != nil && api.Routes.Scoped():
		return RouteNotAllowed // a pattern that lists other methods only opens none
	default:
		return ""
	}
	if full || slices.ContainsFunc(scopes, func(scope string) bool { return grants(api, k, scope) }) {
		return ""
	}
	v.MissingScope = scopes[0]
	return InsufficientScope
}

func grants(api *keyring.API, k *keyring.Key, scope string) bool {
	return api.Knows(scope) && k.Grants(scope)
}
