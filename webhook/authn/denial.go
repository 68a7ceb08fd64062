package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// Field is one header of a response.
type Field struct{ Name, Value string }

// Response is what a client sees.
type Response struct {
	Status  int
	Headers []Field
	Body    []byte
}

// Denial is all that a denial's response is made of. It can be written as text
// (Encode) for a proxy that must ask again for the response itself.
type Denial struct {
	Reason auth.Reason
	// Realm is the API, and Scheme the authentication scheme that it wants.
	Realm, Scheme string
	// Scope is the scope that was missing.
	Scope string
	// Rate limit: whole seconds, rounded up.
	Requests, Window, RetryAfter int64
}

// answer is the status, error code and message of a reason.
type answer struct {
	status        int
	code, message string
}

const unavailableCode = "unavailable"

var (
	unauthorized = answer{http.StatusUnauthorized, "unauthorized", "Invalid or missing API key"}
	unavailable  = answer{http.StatusServiceUnavailable, unavailableCode, "Authentication is unavailable. Try again later"}
)

// answers holds the response of every reason; one that is missing here is
// answered as unavailable. Why a known key is refused isn't told to whom doesn't
// hold it: unknown, expired and revoked look the same.
var answers = map[auth.Reason]answer{
	auth.InvalidPath:         {http.StatusBadRequest, "invalid_path", "The request path is not normal"},
	auth.InvalidHost:         {http.StatusBadRequest, "invalid_host", "The request host is not valid"},
	auth.CallerNotTrusted:    {http.StatusForbidden, "caller_not_trusted", "The gateway is not a trusted caller"},
	auth.MissingCredential:   unauthorized,
	auth.MalformedCredential: unauthorized,
	auth.UnknownKey:          unauthorized,
	auth.NamespaceNotAllowed: unauthorized,
	auth.DeletedKey:          unauthorized,
	auth.RevokedKey:          unauthorized,
	auth.ExpiredKey:          unauthorized,
	auth.HeaderMismatch:      unauthorized,
	auth.AmbiguousCredential: {http.StatusUnauthorized, "ambiguous_credential", "More than one API key was sent"},
	auth.SuspendedKey:        {http.StatusForbidden, "key_suspended", "API key is suspended"},
	auth.IPNotAllowed:        {http.StatusForbidden, "ip_not_allowed", "API key may not be used from this IP address"},
	auth.InsufficientScope:   {http.StatusForbidden, "insufficient_scope", "API key does not have required scope: "},
	auth.RateLimited:         {http.StatusTooManyRequests, "rate_limit_exceeded", "Rate limit exceeded. Try again in "},
	auth.NotSynced:           unavailable,
	auth.BadConfiguration:    {http.StatusServiceUnavailable, unavailableCode, "The gateway's configuration for authentication is not valid"},
	auth.UnknownAPI:          unavailable,
	auth.BrokenAPI:           unavailable,
	auth.BrokenKey:           unavailable,
	auth.InternalError:       unavailable,
}

// NewDenial gathers the denial of a verdict.
func NewDenial(v *auth.Verdict) Denial {
	d := Denial{Reason: v.Reason, Scope: v.MissingScope}
	if v.API != nil {
		d.Realm, d.Scheme = v.API.Name.String(), scheme(v.API.Credentials)
	}
	if v.Rate != nil {
		d.Requests, d.Window = v.Key.Limit.Requests, seconds(v.Key.Limit.Period)
		d.RetryAfter = seconds(v.Rate.RetryAfter)
	}
	return d
}

// Response renders the denial. Its status is never 2xx.
func (d Denial) Response() Response {
	a, ok := answers[d.Reason]
	if !ok {
		a = unavailable
	}
	message := a.message
	headers := []Field{{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}
	switch d.Reason {
	case auth.InsufficientScope:
		message += d.Scope
	case auth.RateLimited:
		wait := max(1, d.RetryAfter)
		message += fmt.Sprintf("%d seconds", wait)
		headers = append(headers,
			Field{"Retry-After", strconv.FormatInt(wait, 10)},
			Field{"RateLimit-Policy", ratePolicy(d.Requests, d.Window)},
			Field{"RateLimit", rateState(0, wait)})
	default:
	}
	if a.status == http.StatusUnauthorized || d.Reason == auth.InsufficientScope {
		headers = append(headers, Field{"WWW-Authenticate", d.challenge()})
	}
	body, err := json.Marshal(struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{a.code, message})
	if err != nil {
		body = nil // two strings always marshal
	}
	return Response{Status: a.status, Headers: headers, Body: body}
}

// challenge is RFC 6750, section 3, for Bearer, and a plain realm otherwise.
func (d Denial) challenge() string {
	scheme := d.Scheme
	if scheme == "" {
		scheme = "Bearer"
	}
	c := scheme + ` realm="` + quotable(d.Realm) + `"`
	if scheme != "Bearer" {
		return c
	}
	switch d.Reason {
	case auth.MissingCredential:
		return c
	case auth.InsufficientScope:
		return c + `, error="insufficient_scope", scope="` + quotable(d.Scope) + `"`
	case auth.AmbiguousCredential:
		return c + `, error="invalid_request"`
	default:
		return c + `, error="invalid_token"`
	}
}

// scheme is the authentication scheme to challenge with: ApiKey, which no RFC
// registers, where keys are not in Authorization.
func scheme(places []keyring.Credential) string {
	scheme := "ApiKey"
	for _, p := range places {
		switch p.Place {
		case keyring.Bearer:
			return "Bearer"
		case keyring.Basic:
			scheme = "Basic"
		default:
		}
	}
	return scheme
}

// RateLimitHeaders tell a client whose request was let through what is left
// (draft-ietf-httpapi-ratelimit-headers-10).
func RateLimitHeaders(l ratelimit.Limit, r ratelimit.Result) []Field {
	return []Field{
		{"RateLimit-Policy", ratePolicy(l.Requests, seconds(l.Period))},
		{"RateLimit", rateState(r.Remaining, seconds(r.Reset))},
	}
}

func ratePolicy(requests, window int64) string {
	return fmt.Sprintf(`"default";q=%d;w=%d`, requests, window)
}

func rateState(remaining, reset int64) string {
	return fmt.Sprintf(`"default";r=%d;t=%d`, remaining, reset)
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// Encode writes the denial as text that fits into a header.
func (d Denial) Encode() string {
	v := url.Values{"reason": {string(d.Reason)}}
	for name, text := range map[string]string{"realm": d.Realm, "scheme": d.Scheme, "scope": d.Scope} {
		if text != "" {
			v.Set(name, text)
		}
	}
	for name, n := range map[string]int64{"requests": d.Requests, "window": d.Window, "retry": d.RetryAfter} {
		if n != 0 {
			v.Set(name, strconv.FormatInt(n, 10))
		}
	}
	return v.Encode()
}

// ErrDenial is returned for text that Encode didn't write.
var ErrDenial = errors.New("not an encoded denial")

// maxDenial bounds the text of a denial, in bytes.
const maxDenial = 4096

// ParseDenial reads what Encode wrote.
func ParseDenial(s string) (Denial, error) {
	if len(s) > maxDenial {
		return Denial{}, ErrDenial
	}
	v, err := url.ParseQuery(s)
	if err != nil {
		return Denial{}, ErrDenial
	}
	d := Denial{Reason: auth.Reason(v.Get("reason")), Realm: v.Get("realm"), Scheme: v.Get("scheme"), Scope: v.Get("scope")}
	if _, known := answers[d.Reason]; !known {
		return Denial{}, ErrDenial
	}
	switch d.Scheme {
	case "", "Bearer", "Basic", "ApiKey":
	default:
		return Denial{}, ErrDenial
	}
	for name, n := range map[string]*int64{"requests": &d.Requests, "window": &d.Window, "retry": &d.RetryAfter} {
		if text := v.Get(name); text != "" {
			if *n, err = strconv.ParseInt(text, 10, 64); err != nil || *n < 0 {
				return Denial{}, ErrDenial
			}
		}
	}
	if d.Encode() != s {
		return Denial{}, ErrDenial
	}
	return d, nil
}

// quotable leaves out what may not stand in a quoted string (RFC 9110, 5.6.4).
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}
