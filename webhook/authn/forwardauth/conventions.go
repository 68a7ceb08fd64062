package forwardauth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/auth"
)

// convention is how one kind of proxy tells what was asked of it.
type convention struct {
	// read fills in what the proxy writes. It gets the path that the proxy
	// appended to ours, if it is one that does.
	read func(in *http.Request, appended string, out *auth.Request) error
	// appends is a proxy that appends the client's path and query to ours.
	appends bool
	// asksAgain is a proxy that doesn't pass our status, headers and body on to the
	// client. It gets 401 or 403, and then asks for the denial itself at DenialPath.
	asksAgain bool
	// fails is a proxy to which 5xx isn't an answer but a failure, which it may be
	// told to let pass. It gets 403, with the client's status in StatusHeader.
	fails bool
	// obeys is a proxy that shows the client the status in StatusHeader. It takes only
	// a response with that for a denial of ours.
	obeys bool
	// removes is a proxy that takes the header out of the request that we name in
	// RemoveHeader.
	removes bool
}

// conventions by name, which is also the door's name in metrics.
var conventions = map[string]convention{
	"nginx":   {read: readOriginal, asksAgain: true, removes: true},
	"traefik": {read: readForwarded},
	"caddy":   {read: readForwarded, obeys: true, removes: true},
	"haproxy": {read: readForwarded, obeys: true, removes: true},
	"envoy":   {read: readAppended, appends: true, fails: true},
}

var (
	errMissing  = errors.New("a header that the proxy must write is missing or repeated")
	errOriginal = errors.New("X-Original-URL is not an absolute URL")
)

// readOriginal reads what our nginx recipe and ingress-nginx write.
func readOriginal(in *http.Request, _ string, out *auth.Request) error {
	url, ok := once(in.Header, "X-Original-Url")
	method, ok2 := once(in.Header, "X-Original-Method")
	source, ok3 := once(in.Header, "X-Real-Ip")
	if !ok || !ok2 || !ok3 {
		return errMissing
	}
	scheme, rest, ok := strings.Cut(url, "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return errOriginal
	}
	out.Method, out.Host, out.Path = method, rest[:slash], rest[slash:]
	out.TLS = scheme == "https"
	out.Source, out.ForwardedFor = source, in.Header["X-Forwarded-For"]
	return nil
}

// readForwarded reads what Traefik, Caddy and our HAProxy recipe write.
func readForwarded(in *http.Request, _ string, out *auth.Request) error {
	uri, ok := once(in.Header, "X-Forwarded-Uri")
	method, ok2 := once(in.Header, "X-Forwarded-Method")
	host, ok3 := once(in.Header, "X-Forwarded-Host")
	if !ok || !ok2 || !ok3 {
		return errMissing
	}
	out.Method, out.Host, out.Path = method, host, uri
	out.TLS = overTLS(in.Header)
	out.Source, out.ForwardedFor = lastHop(in.Header["X-Forwarded-For"])
	return nil
}

// readAppended reads what Envoy sends: the client's method and host as they
// were, and the path behind ours.
func readAppended(in *http.Request, appended string, out *auth.Request) error {
	out.Method, out.Host, out.Path = in.Method, in.Host, appended
	out.TLS = overTLS(in.Header)
	out.Source, out.ForwardedFor = lastHop(in.Header["X-Forwarded-For"])
	return nil
}

// overTLS is what the proxy says of the client's connection.
func overTLS(h http.Header) bool {
	proto, ok := once(h, "X-Forwarded-Proto")
	return ok && (proto == "https" || proto == "wss") // Traefik says wss of WebSockets
}

// once returns the value of a header that is there exactly once.
func once(h http.Header, name string) (string, bool) {
	if v := h[name]; len(v) == 1 {
		return v[0], true
	}
	return "", false
}

// lastHop splits X-Forwarded-For into the hop that the proxy itself appended, its
// own peer, and those before it.
func lastHop(values []string) (source string, before []string) {
	if len(values) == 0 {
		return "", nil
	}
	last := values[len(values)-1]
	before = append(before, values[:len(values)-1]...)
	if comma := strings.LastIndexByte(last, ','); comma >= 0 {
		return strings.TrimSpace(last[comma+1:]), append(before, last[:comma])
	}
	return strings.TrimSpace(last), before
}

// headers are the request's as net/http holds them.
type headers http.Header

// Value implements auth.Headers.
func (h headers) Value(name string, i int) (string, bool) {
	v := h.values(name)
	if i >= len(v) {
		return "", false
	}
	return v[i], true
}

// values looks a name up as http.CanonicalHeaderKey spells it, without a copy of it
// where nothing is in it but letters in lower case, digits and "-", as in most.
func (h headers) values(name string) []string {
	var spelt [64]byte
	if len(name) > len(spelt) {
		return h[http.CanonicalHeaderKey(name)]
	}
	first := true
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z':
			if first {
				c -= 'a' - 'A'
			}
		case '0' <= c && c <= '9', c == '-':
		default:
			return h[http.CanonicalHeaderKey(name)]
		}
		spelt[i], first = c, c == '-'
	}
	return h[string(spelt[:len(name)])]
}
