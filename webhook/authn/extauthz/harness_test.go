package extauthz_test

import (
	"context"
	"net"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/extauthz"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// from is the context of a call from an address.
func from(t testing.TB, address string) context.Context {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return peer.NewContext(t.Context(), &peer.Peer{Addr: addr})
}

// server asks an Authenticator, at authntest.Now.
func server(a authn.Authenticator) *extauthz.Server {
	return &extauthz.Server{Authenticator: a, Now: func() time.Time { return authntest.Now }}
}

// check asks as a gateway on this machine does. A gRPC error fails the test: a
// gateway may be configured to let the request pass then.
func check(t testing.TB, s *extauthz.Server, in *authv3.CheckRequest) *authv3.CheckResponse {
	t.Helper()
	out, err := s.Check(from(t, "127.0.0.1:37288"), in)
	if err != nil || out == nil {
		t.Fatalf("got %v, gRPC error %v", out, err)
	}
	return out
}

// checkDenied checks what holds for every denial that is no API's own.
func checkDenied(t testing.TB, out *authv3.CheckResponse) {
	t.Helper()
	status := int(out.GetDeniedResponse().GetStatus().GetCode())
	checkDeniedWith(t, out, status)
	if status < 400 || status > 599 {
		t.Errorf("a denial has HTTP status %d", status)
	}
}

// checkDeniedWith checks what holds for every denial.
func checkDeniedWith(t testing.TB, out *authv3.CheckResponse, want int) {
	t.Helper()
	denied := out.GetDeniedResponse()
	if code := out.GetStatus().GetCode(); code == 0 || denied == nil || out.GetOkResponse() != nil {
		t.Fatalf("gRPC code %d, want a denial: %v", code, out)
	}
	if status := int(denied.GetStatus().GetCode()); status != want {
		t.Errorf("got HTTP status %d, want %d", status, want)
	}
	if out.GetDynamicMetadata() != nil {
		t.Errorf("a denial has metadata: %v", out)
	}
}

// same compares a response with one in text.
func same(t testing.TB, got *authv3.CheckResponse, want string) {
	t.Helper()
	wanted := &authv3.CheckResponse{}
	if err := prototext.Unmarshal([]byte(want), wanted); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, wanted) {
		t.Errorf("got %s\nwant %s", prototext.Format(got), prototext.Format(wanted))
	}
}

// request is a check as Envoy 1.40 sends it with encode_raw_headers: each header
// by itself, pseudo-headers too.
func request(fields ...[2]string) *authv3.CheckRequest {
	all := append([][2]string{
		{":authority", "api.billoget.com:10000"},
		{":path", "/api/public/budgets?page=2"},
		{":method", "GET"},
		{":scheme", "http"},
		{"user-agent", "curl/7.88.1"},
		{"x-request-id", "876edd1-0b13-4cb9-84b0-7f5c3883a12c"},
	}, fields...)
	list := make([]*corev3.HeaderValue, len(all))
	for i, f := range all {
		list[i] = &corev3.HeaderValue{Key: f[0], RawValue: []byte(f[1])}
	}
	in := bare()
	in.Attributes.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: list}
	return in
}

// joined is the same without encode_raw_headers: repeated headers are one, with
// commas between the values.
func joined(fields ...[2]string) *authv3.CheckRequest {
	in := request(fields...)
	http := in.Attributes.Request.Http
	http.Headers = map[string]string{}
	for _, f := range http.HeaderMap.Headers {
		if first, again := http.Headers[f.Key]; again {
			http.Headers[f.Key] = first + "," + string(f.RawValue)
		} else {
			http.Headers[f.Key] = string(f.RawValue)
		}
	}
	http.HeaderMap = nil
	return in
}

// bare is a check without headers.
func bare() *authv3.CheckRequest {
	address := func(ip string, port uint32) *authv3.AttributeContext_Peer {
		return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
		}}}}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      address("203.0.113.7", 37288),
		Destination: address("192.0.2.2", 10000),
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "11994000070392209253", Method: "GET", Host: "api.billoget.com:10000", Path: "/api/public/budgets?page=2",
			Scheme: "http", Protocol: "HTTP/1.1",
		}},
		ContextExtensions: map[string]string{"api": "apis/billoget"},
	}}
}
