package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
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
	// Message is what the condition that wasn't met says, up to maxConditionMessage
	// bytes of it, "" for the general message.
	Message string
	// Rate limit: whole seconds, rounded up. RetryAfter is of wrong keys too.
	Requests, Window, RetryAfter int64
	// API is whose denials the response is of, nil for none. It isn't part of the
	// text.
	API *keyring.API
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
	auth.PlainHTTP:           {http.StatusForbidden, "https_required", "HTTPS is required"},
	auth.ProjectMismatch:     {http.StatusForbidden, "project_mismatch", "API key does not belong to this project"},
	auth.BindingMismatch:     {http.StatusForbidden, "binding_mismatch", "API key may not be used for this resource"},
	auth.RouteNotAllowed:     {http.StatusForbidden, "route_not_allowed", "API key may not be used for this route"},
	auth.IPNotAllowed:        {http.StatusForbidden, "ip_not_allowed", "API key may not be used from this IP address"},
	auth.InsufficientScope:   {http.StatusForbidden, "insufficient_scope", "API key does not have required scope: "},
	auth.ConditionNotMet:     {http.StatusForbidden, "condition_not_met", "API key does not meet a condition of this API"},
	auth.RateLimited:         {http.StatusTooManyRequests, "rate_limit_exceeded", "Rate limit exceeded. Try again in "},
	auth.WrongKeyThrottled:   {http.StatusTooManyRequests, "too_many_wrong_keys", "Too many requests with invalid API keys. Try again in "},
	auth.NotSynced:           unavailable,
	auth.NotCurrent:          unavailable,
	auth.BadConfiguration:    {http.StatusServiceUnavailable, unavailableCode, "The gateway's configuration for authentication is not valid"},
	auth.UnknownAPI:          unavailable,
	auth.BrokenAPI:           unavailable,
	auth.BrokenKey:           unavailable,
	auth.InternalError:       unavailable,
}

// NewDenial gathers the denial of a verdict.
func NewDenial(v *auth.Verdict) Denial {
	d := Denial{Reason: v.Reason, Scope: v.MissingScope, Message: conditionMessage(v.ConditionMessage)}
	if v.API != nil {
		d.API, d.Realm, d.Scheme = v.API, v.API.Name.String(), scheme(v.API.Credentials)
	}
	switch {
	case v.Reason == auth.WrongKeyThrottled:
		d.RetryAfter = seconds(v.RetryAfter)
	case v.Limited:
		d.Requests, d.Window = v.Key.Limit.Requests, seconds(v.Key.Limit.Period)
		d.RetryAfter = seconds(v.Rate.RetryAfter)
	}
	return d
}

// Response renders the denial as the client shall see it. Only an API that wants
// it so gives it a status of 2xx: see DefaultStatus for what is told to a proxy.
func (d Denial) Response() Response {
	a := d.answer()
	data := keyring.DenialData{Error: a.code, Message: a.message, Status: a.status, Scope: d.Scope, RetryAfter: d.RetryAfter}
	switch d.Reason {
	case auth.InsufficientScope:
		data.Message += d.Scope
	case auth.ConditionNotMet:
		if d.Message != "" {
			data.Message = d.Message
		}
	case auth.RateLimited, auth.WrongKeyThrottled:
		data.Message += fmt.Sprintf("%d seconds", max(1, d.RetryAfter))
	default:
	}
	r := Response{Status: a.status, Headers: d.headers(a)}
	if d.API != nil {
		if custom, ok := d.API.Denial(a.code); ok && d.customize(&r, custom, data) {
			return r
		}
	}
	body, err := json.Marshal(struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{data.Error, data.Message})
	if err != nil {
		body = nil // two strings always marshal
	}
	r.Body = body
	return r
}

// DefaultStatus is the status of the denial without the API's own, never 2xx.
func (d Denial) DefaultStatus() int { return d.answer().status }

func (d Denial) answer() answer {
	if a, ok := answers[d.Reason]; ok {
		return a
	}
	return unavailable
}

func (d Denial) headers(a answer) []Field {
	headers := []Field{{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}
	wait := max(1, d.RetryAfter)
	if a.status == http.StatusTooManyRequests {
		headers = append(headers, Field{"Retry-After", strconv.FormatInt(wait, 10)})
	}
	if d.Reason == auth.RateLimited {
		headers = append(headers, Field{RatePolicyHeader, string(appendRatePolicy(nil, d.Requests, d.Window))}, Field{RateHeader, string(appendRate(nil, 0, wait))})
	}
	if a.status == http.StatusUnauthorized || d.Reason == auth.InsufficientScope {
		headers = append(headers, Field{"WWW-Authenticate", d.challenge()})
	}
	return headers
}

// customize makes the response the API's own, and reports whether its body is done:
// one of its own, or none with a status that allows none, which gateways would send
// all the same. A body that can't be rendered stays the default one.
func (d Denial) customize(r *Response, custom keyring.Denial, data keyring.DenialData) bool {
	if custom.Status != 0 {
		r.Status, data.Status = custom.Status, custom.Status
	}
	for _, h := range custom.Headers {
		r.set(h[0], h[1])
	}
	if r.Status == http.StatusNoContent || r.Status == http.StatusNotModified {
		return true
	}
	if custom.Body == nil {
		return false
	}
	body, err := custom.Body.Render(data)
	r.Body = body
	return err == nil
}

// set sets a header in place of one of the same name.
func (r *Response) set(name, value string) {
	r.Headers = slices.DeleteFunc(r.Headers, func(f Field) bool { return strings.EqualFold(f.Name, name) })
	r.Headers = append(r.Headers, Field{name, value})
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

// Encode writes the denial as text that fits into a header.
func (d Denial) Encode() string {
	v := url.Values{"reason": {string(d.Reason)}}
	for name, text := range map[string]string{"realm": d.Realm, "scheme": d.Scheme, "scope": d.Scope, "message": d.Message} {
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
	d := Denial{Reason: auth.Reason(v.Get("reason")), Realm: v.Get("realm"), Scheme: v.Get("scheme"), Scope: v.Get("scope"), Message: v.Get("message")}
	if d.Message != conditionMessage(d.Message) || d.Message != "" && d.Reason != auth.ConditionNotMet {
		return Denial{}, ErrDenial
	}
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

// maxConditionMessage bounds the message of a condition, in bytes: escaped, it must
// fit into the headers that proxies take.
const maxConditionMessage = 512

// conditionMessage is a condition's message as clients see it, whichever way the
// denial comes to them: without control characters, and cut where it is too long.
func conditionMessage(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	for len(s) > maxConditionMessage {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
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
