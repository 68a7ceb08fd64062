package extauthz

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// Door is the door's name in metrics.
const Door = "ext_authz"

// Keys of context_extensions, the gateway's own configuration for one route. Any
// other key is refused, so that a misspelt one can't demand less than was meant.
const (
	// ContextAPI names the API: "<namespace>/<name>" or "default". Unset: by host.
	ContextAPI = "api"
	// ContextScopes are the scopes that a key must have, separated by commas.
	ContextScopes = "scopes"
)

// Server answers Envoy's checks.
type Server struct {
	// Authenticator decides.
	Authenticator authn.Authenticator
	// Now is the clock.
	Now func() time.Time

	denials  authn.Denials
	prepared prepared
}

// GRPC returns a gRPC server with the options that answers checks. Its codec is
// its own: it serves nothing else, calls no interceptors, and nobody may look at a
// message once it is answered, as a stats handler would.
func (s *Server) GRPC(options ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(options, grpc.ForceServerCodecV2(codec{}))...)
	server.RegisterService(&service, s)
	return server
}

// check answers. It never panics; what would, denies.
func (s *Server) check(ctx context.Context, e *exchange) {
	e.begin()
	defer func() {
		if recover() != nil { // never shown: what panicked may hold the key
			e.answer.b = e.answer.b[:0]
			v := auth.Verdict{Reason: auth.InternalError}
			e.answer.denied(s.denials.Of(&v).Response)
		}
	}()
	e.ask(ctx, s.Now())
	v := s.Authenticator.Authenticate(&e.request)
	if v.OK() {
		e.answer.allowed(&v, &s.prepared)
	} else {
		e.answer.denied(s.denials.Of(&v).Response)
	}
}

var errMessage = errors.New("the gateway sent no CheckRequest")

// ask makes the question of the message.
func (e *exchange) ask(ctx context.Context, now time.Time) {
	m, r := &e.message, &e.request
	*r = auth.Request{
		Caller:       caller(ctx),
		Target:       target(m.extensions),
		Method:       m.method,
		TLS:          overTLS(m.scheme, &m.headers),
		Host:         m.host,
		Path:         m.path,
		Source:       m.source,
		ForwardedFor: r.ForwardedFor[:0],
		Headers:      &m.headers,
		Time:         now,
	}
	if e.broken {
		r.Target = auth.Target{Err: errMessage}
	}
	r.ForwardedFor = m.headers.appendValues(r.ForwardedFor, "x-forwarded-for")
}

// overTLS holds if nothing that Envoy tells says otherwise: a client of HTTP/2 can
// choose :scheme, and x-forwarded-proto is Envoy's with use_remote_address only.
func overTLS(scheme string, h *headers) bool {
	if scheme != "https" {
		return false
	}
	proto, told := h.Value("x-forwarded-proto", 0)
	_, more := h.Value("x-forwarded-proto", 1)
	return !more && (!told || proto == "https")
}

func target(extensions []pair) auth.Target {
	for _, e := range extensions {
		if e.name != ContextAPI && e.name != ContextScopes {
			return auth.Target{Err: unknownExtension(e.name)}
		}
	}
	api, _ := lastOf(extensions, ContextAPI)
	scopes, _ := lastOf(extensions, ContextScopes)
	return authn.ParseTarget(api, scopes)
}

type unknownExtension string

func (e unknownExtension) Error() string {
	return "context_extensions: unknown key " + string(e) + ", want " + ContextAPI + " or " + ContextScopes
}

func caller(ctx context.Context) netip.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return netip.Addr{}
	}
	if tcp, ok := p.Addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	addr, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr()
}
