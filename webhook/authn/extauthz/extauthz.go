package extauthz

import (
	"context"
	"net/netip"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/structpb"

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
	authv3.UnimplementedAuthorizationServer
	// Authenticator decides.
	Authenticator authn.Authenticator
	// Now is the clock.
	Now func() time.Time
}

// Check implements authv3.AuthorizationServer.
func (s *Server) Check(ctx context.Context, in *authv3.CheckRequest) (out *authv3.CheckResponse, err error) {
	defer func() {
		if recover() != nil { // never shown: what panicked may hold the key
			out, err = denied(&auth.Verdict{Reason: auth.InternalError}), nil
		}
	}()
	v := s.Authenticator.Authenticate(request(ctx, in, s.Now()))
	if !v.OK() {
		return denied(&v), nil
	}
	return allowed(&v), nil
}

func request(ctx context.Context, in *authv3.CheckRequest, now time.Time) *auth.Request {
	attributes := in.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	h := headers{values: http.GetHeaders(), list: http.GetHeaderMap().GetHeaders()}
	r := &auth.Request{
		Caller:  caller(ctx),
		Target:  target(attributes.GetContextExtensions()),
		Method:  http.GetMethod(),
		TLS:     overTLS(http.GetScheme(), h),
		Host:    http.GetHost(),
		Path:    http.GetPath(),
		Source:  attributes.GetSource().GetAddress().GetSocketAddress().GetAddress(),
		Headers: h,
		Time:    now,
	}
	for i := 0; ; i++ {
		v, ok := h.Value("x-forwarded-for", i)
		if !ok {
			return r
		}
		r.ForwardedFor = append(r.ForwardedFor, v)
	}
}

// overTLS holds if nothing that Envoy tells says otherwise: a client of HTTP/2 can
// choose :scheme, and x-forwarded-proto is Envoy's with use_remote_address only.
func overTLS(scheme string, h headers) bool {
	proto, told := h.Value("x-forwarded-proto", 0)
	_, more := h.Value("x-forwarded-proto", 1)
	return scheme == "https" && !more && (!told || proto == "https")
}

func target(extensions map[string]string) auth.Target {
	for name := range extensions {
		if name != ContextAPI && name != ContextScopes {
			return auth.Target{Err: unknownExtension(name)}
		}
	}
	return authn.ParseTarget(extensions[ContextAPI], extensions[ContextScopes])
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
	addr, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr()
}

// headers are the request's, as a map or, with encode_raw_headers, as a list.
// Envoy writes names in lower case.
type headers struct {
	values map[string]string
	list   []*corev3.HeaderValue
}

// Value implements auth.Headers.
func (h headers) Value(name string, i int) (string, bool) {
	if len(h.list) == 0 {
		v, ok := h.values[name]
		return v, ok && i == 0
	}
	for _, f := range h.list {
		if f.GetKey() != name {
			continue
		}
		if i == 0 {
			if raw := f.GetRawValue(); len(raw) > 0 {
				return string(raw), true
			}
			return f.GetValue(), true
		}
		i--
	}
	return "", false
}

func denied(v *auth.Verdict) *authv3.CheckResponse {
	r := authn.NewDenial(v).Response()
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(rpcCode(r.Status))},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(r.Status)},
			Headers: options(r.Headers),
			Body:    string(r.Body),
		}},
	}
}

func allowed(v *auth.Verdict) *authv3.CheckResponse {
	ok := &authv3.OkHttpResponse{}
	for _, f := range authn.Identity(v) {
		if f.Value == "" {
			ok.HeadersToRemove = append(ok.HeadersToRemove, f.Name)
			continue
		}
		ok.Headers = append(ok.Headers, option(f))
	}
	if name := authn.CredentialHeader(v); name != "" {
		ok.HeadersToRemove = append(ok.HeadersToRemove, name)
	}
	if v.Limited {
		ok.ResponseHeadersToAdd = options(authn.RateLimitHeaders(v.Key.Limit, v.Rate))
	}
	return &authv3.CheckResponse{
		Status:          &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse:    &authv3.CheckResponse_OkResponse{OkResponse: ok},
		DynamicMetadata: metadata(v),
	}
}

// metadata is the identity for other filters and access logs of the gateway,
// under the namespace envoy.filters.http.ext_authz.
func metadata(v *auth.Verdict) *structpb.Struct {
	k := v.Key
	if k == nil {
		return nil // a public route
	}
	scopes := make([]*structpb.Value, len(k.Scopes))
	for i, s := range k.Scopes {
		scopes[i] = structpb.NewStringValue(s)
	}
	owner := &structpb.Struct{Fields: map[string]*structpb.Value{
		"name":  structpb.NewStringValue(k.OwnerName),
		"email": structpb.NewStringValue(k.OwnerEmail),
	}}
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		"name":        structpb.NewStringValue(k.Name.Name),
		"namespace":   structpb.NewStringValue(k.Name.Namespace),
		"project":     structpb.NewStringValue(k.Project),
		"scopes":      structpb.NewListValue(&structpb.ListValue{Values: scopes}),
		"environment": structpb.NewStringValue(k.Environment),
		"hint":        structpb.NewStringValue(v.Hint()),
		"owner":       structpb.NewStructValue(owner),
	}}
}

func options(fields []authn.Field) []*corev3.HeaderValueOption {
	out := make([]*corev3.HeaderValueOption, len(fields))
	for i, f := range fields {
		out[i] = option(f)
	}
	return out
}

// option sets a header in place of any that is there.
func option(f authn.Field) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: f.Name, Value: f.Value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

// rpcCode is the gRPC code of an HTTP status. Only OK lets a request pass.
func rpcCode(status int) codes.Code {
	switch status {
	case 400:
		return codes.InvalidArgument
	case 401:
		return codes.Unauthenticated
	case 429:
		return codes.ResourceExhausted
	case 503:
		return codes.Unavailable
	default:
		return codes.PermissionDenied
	}
}
