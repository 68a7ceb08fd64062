package forwardauth

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
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
)

// Handler answers proxies.
type Handler struct {
	doors   map[string]door
	apis    func(keyring.Name) (*keyring.API, bool)
	now     func() time.Time
	denials authn.Denials
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
			denial := authn.Denial{Reason: auth.InternalError}
			d.deny(w, authn.Rendered{Denial: denial, Response: denial.Response()})
		}
	}()
	r := requests.Get().(*auth.Request)
	r.Caller, r.Headers, r.Time = caller(in), headers(in.Header), h.now()
	target, appended, err := splitTarget(rest, d.appends)
	if err == nil {
		err = d.read(in, appended, r)
	}
	if err != nil {
		target = auth.Target{Err: err}
	}
	r.Target = target
	v := d.Authenticate(r)
	*r = auth.Request{} // from one request nothing is left for the next, nor a key in memory
	requests.Put(r)
	if v.OK() {
		allow(w, d.removes, &v)
		return
	}
	d.deny(w, h.denials.Of(&v))
}

// requests are those that aren't in use: an Authenticator keeps none.
var requests = sync.Pool{New: func() any { return new(auth.Request) }}

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

func caller(in *http.Request) netip.Addr {
	addr, err := netip.ParseAddrPort(in.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr()
}
