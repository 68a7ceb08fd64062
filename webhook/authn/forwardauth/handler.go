package forwardauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

const (
	// PathPrefix starts the paths that proxies ask at.
	PathPrefix = "/authorize/"
	// DenialPath renders a denial for a proxy that can't relay ours: it sends back
	// the header that came with our 401 or 403.
	DenialPath = "/denial"
	// DenialHeader holds a denial as text.
	DenialHeader = "X-Apikey-Denial"
	// StatusHeader holds the status that the client shall see, for a proxy to which
	// we can't say it.
	StatusHeader = "X-Apikey-Status"
	// RemoveHeader names the header that held the credential, for the proxy to take
	// out of the request.
	RemoveHeader = "X-Apikey-Remove"
	// scopesParameter names the scopes that a key must have.
	scopesParameter = "scopes"
	// byHost stands for a namespace, or for an API, that isn't named.
	byHost = "-"
)

// Handler answers proxies.
type Handler struct {
	doors map[string]door
	apis  func(keyring.Name) (*keyring.API, bool)
	now   func() time.Time
}

type door struct {
	convention
	authn.Authenticator
}

// New returns a Handler. The functions give the Authenticator of each door, and
// the API whose denials DenialPath renders.
func New(authenticator func(door string) authn.Authenticator, apis func(keyring.Name) (*keyring.API, bool), now func() time.Time) *Handler {
	h := &Handler{doors: map[string]door{}, apis: apis, now: now}
	for name, c := range conventions {
		h.doors[name] = door{convention: c, Authenticator: authenticator(name)}
	}
	return h
}

// ServeHTTP implements http.Handler. It routes by the request target as it was
// sent: http.ServeMux would redirect a path that isn't clean.
func (h *Handler) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	rest, ok := strings.CutPrefix(in.RequestURI, PathPrefix)
	if !ok {
		if path, _, _ := strings.Cut(in.RequestURI, "?"); path == DenialPath {
			h.serveDenial(w, in)
			return
		}
		http.NotFound(w, in)
		return
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	d, ok := h.doors[rest[:end]]
	if !ok {
		http.NotFound(w, in)
		return
	}
	h.authorize(w, in, d, rest[end:])
}

func (h *Handler) authorize(w http.ResponseWriter, in *http.Request, d door, rest string) {
	defer func() {
		if recover() != nil { // never shown: what panicked may hold the key
			clear(w.Header())
			d.deny(w, authn.Denial{Reason: auth.InternalError})
		}
	}()
	r := &auth.Request{Caller: caller(in), Headers: headers(in.Header), Time: h.now()}
	target, appended, err := splitTarget(rest, d.appends)
	if err == nil {
		err = d.read(in, appended, r)
	}
	if err != nil {
		target = auth.Target{Err: err}
	}
	r.Target = target
	v := d.Authenticate(r)
	if v.OK() {
		allow(w, d.removes, &v)
		return
	}
	d.deny(w, authn.NewDenial(&v))
}

// deny tells the proxy no in its way. It is never told 2xx, whatever the client
// shall see: to the proxy it would mean allow. One that relays may put the client's
// status, which is then in a header, in place of ours.
func (c convention) deny(w http.ResponseWriter, denial authn.Denial) {
	response, status := denial.Response(), http.StatusForbidden
	if denial.DefaultStatus() == http.StatusUnauthorized {
		status = http.StatusUnauthorized
	}
	switch {
	case c.asksAgain:
		w.Header().Set(DenialHeader, denial.Encode())
		// A body would be discarded, with the connection.
		response.Status, response.Body = status, nil
	case response.Status < 300, c.fails && response.Status >= http.StatusInternalServerError:
		w.Header().Set(StatusHeader, strconv.Itoa(response.Status))
		response.Status = status
	case c.obeys:
		w.Header().Set(StatusHeader, strconv.Itoa(response.Status))
	default:
	}
	write(w, response)
}

// splitTarget reads what follows "/authorize/<convention>": the gateway's own
// configuration and, for a proxy that appends it, the client's path and query.
//
// What a client sends must never be read as configuration. So where its path is
// appended both segments are demanded, with "-" for what isn't named, and there
// are no parameters.
func splitTarget(rest string, appends bool) (t auth.Target, appended string, err error) {
	if appends {
		parts := strings.SplitN(rest, "/", 4)
		if len(parts) != 4 || parts[0] != "" {
			return t, "", errors.New("path: want /authorize/envoy/<namespace>/<api> before the client's path, or - for either")
		}
		api, err := apiOf(parts[1:3])
		if err != nil {
			return t, "", err
		}
		return authn.ParseTarget(api, ""), "/" + parts[3], nil
	}
	path, query, _ := strings.Cut(rest, "?")
	var segments []string
	if path != "" {
		segments = strings.Split(path[1:], "/")
	}
	api, err := apiOf(segments)
	if err != nil {
		return t, "", err
	}
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return t, "", fmt.Errorf("query: %w", err)
	}
	for name, values := range parameters {
		// Empty, it may be what is left of a variable that isn't set.
		if name != scopesParameter || len(values) != 1 || values[0] == "" {
			return t, "", fmt.Errorf("query: unknown, repeated or empty parameter %q, want %s once", name, scopesParameter)
		}
	}
	return authn.ParseTarget(api, parameters.Get(scopesParameter)), "", nil
}

// apiOf reads the segments that name an API as authn.ParseTarget wants them.
func apiOf(segments []string) (string, error) {
	switch {
	case len(segments) == 0:
		return "", nil
	case len(segments) == 1 && segments[0] == "default":
		return "default", nil
	case len(segments) == 2 && segments[0] == byHost && segments[1] == byHost:
		return "", nil
	case len(segments) == 2 && segments[0] == byHost && segments[1] == "default":
		return "default", nil
	case len(segments) == 2:
		return segments[0] + "/" + segments[1], nil
	default:
		return "", errors.New("path: want /authorize/<convention>[/<namespace>/<api>]")
	}
}

// allow lets the request through, with the key's identity for the upstream.
// Headers that the key has no value for are there and empty, so that a proxy
// that copies them also takes a client's own away. Envoy is told to remove them.
func allow(w http.ResponseWriter, removes bool, v *auth.Verdict) {
	h := w.Header()
	var remove []string
	for _, f := range authn.Identity(v) {
		h.Set(f.Name, f.Value)
		if f.Value == "" {
			remove = append(remove, f.Name)
		}
	}
	if name := authn.CredentialHeader(v); name != "" {
		if removes {
			h.Set(RemoveHeader, name)
		}
		remove = append(remove, name)
	}
	if len(remove) > 0 {
		h.Set("X-Envoy-Auth-Headers-To-Remove", strings.Join(remove, ","))
	}
	if v.Limited {
		for _, f := range authn.RateLimitHeaders(v.Key.Limit, v.Rate) {
			h.Set(f.Name, f.Value)
		}
	}
	w.WriteHeader(http.StatusOK)
}

// serveDenial renders what a proxy that can't relay got from us before.
func (h *Handler) serveDenial(w http.ResponseWriter, in *http.Request) {
	text, ok := once(in.Header, DenialHeader)
	denial, err := authn.ParseDenial(text)
	if !ok || err != nil {
		denial = authn.Denial{Reason: auth.InternalError}
	}
	if namespace, name, ok := strings.Cut(denial.Realm, "/"); ok {
		denial.API, _ = h.apis(keyring.Name{Namespace: namespace, Name: name})
	}
	write(w, denial.Response())
}

func write(w http.ResponseWriter, r authn.Response) {
	for _, f := range r.Headers {
		w.Header().Set(f.Name, f.Value)
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // the proxy hung up
}

func caller(in *http.Request) netip.Addr {
	addr, err := netip.ParseAddrPort(in.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr()
}
