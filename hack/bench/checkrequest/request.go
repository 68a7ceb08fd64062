package checkrequest

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Request is what a client asked of a gateway. Empty fields have the values that
// are told of them.
type Request struct {
	Key    string // sent as Bearer; "": no Authorization header
	Method string // GET
	Host   string // api.billoget.com
	Path   string // /api/public/budgets/2026?page=2
	Source string // 203.0.113.7
	API    string // "<namespace>/<name>" or "default"; "": by host
	Scopes string // that the gateway demands, separated by commas; "": none
	// Joined is Envoy without encode_raw_headers, which our recipe has: headers as a
	// map.
	Joined bool
}

// Call is a request in bytes, and the answer that it must get.
type Call struct {
	Bytes []byte
	Want  Answer
}

// userAgent is a browser's: long, as most are.
const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

func (r Request) withDefaults() Request {
	r.Method = cmp.Or(r.Method, "GET")
	r.Host = cmp.Or(r.Host, "api.billoget.com")
	r.Path = cmp.Or(r.Path, "/api/public/budgets/2026?page=2")
	r.Source = cmp.Or(r.Source, "203.0.113.7")
	return r
}

// fields are the client's header fields as Envoy has them when it asks: sixteen
// with a key, four of them pseudo-headers.
func (r Request) fields() [][2]string {
	fields := [][2]string{
		{":authority", r.Host},
		{":path", r.Path},
		{":method", r.Method},
		{":scheme", "https"},
		{"user-agent", userAgent},
		{"accept", "application/json"},
		{"accept-encoding", "gzip, deflate, br"},
		{"accept-language", "en-GB,en;q=0.9"},
		{"cache-control", "no-cache"},
		{"content-type", "application/json"},
		{"email", "ops@shop.example"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		{"x-forwarded-for", r.Source},
		{"x-forwarded-proto", "https"},
		{"x-request-id", "876edd18-0b13-4cb9-84b0-7f5c3883a12c"},
	}
	if r.Key != "" {
		fields = append(fields, [2]string{"authorization", "Bearer " + r.Key})
	}
	return fields
}

// Message returns the CheckRequest that Envoy sends over gRPC. It returns an error
// if a field is no valid UTF-8.
func (r Request) Message() ([]byte, error) {
	r = r.withDefaults()
	http := &authv3.AttributeContext_HttpRequest{
		Id: "11994000070392209253", Method: r.Method, Host: r.Host, Path: r.Path, Scheme: "https", Protocol: "HTTP/1.1",
	}
	if r.Joined {
		http.Headers = map[string]string{}
	} else {
		http.HeaderMap = &corev3.HeaderMap{}
	}
	for _, f := range r.fields() {
		if r.Joined {
			http.Headers[f[0]] = f[1]
			continue
		}
		http.HeaderMap.Headers = append(http.HeaderMap.Headers, &corev3.HeaderValue{Key: f[0], RawValue: []byte(f[1])})
	}
	extensions := map[string]string{}
	if r.API != "" {
		extensions["api"] = r.API
	}
	if r.Scopes != "" {
		extensions["scopes"] = r.Scopes
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      peer(r.Source, 37288),
		Destination: peer("192.0.2.2", 10000),
		Request: &authv3.AttributeContext_Request{
			Time: timestamppb.New(time.Date(2026, 11, 25, 12, 0, 0, 123456000, time.UTC)), Http: http,
		},
		ContextExtensions:    extensions,
		MetadataContext:      &corev3.Metadata{}, // Envoy sets both, if to nothing
		RouteMetadataContext: &corev3.Metadata{},
	}})
}

func peer(address string, port uint32) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}}
}

// HTTP returns the request that Traefik sends over HTTP/1.1: of the client's header
// fields all but the pseudo-headers, and what was asked in X-Forwarded-*. It returns
// an error if a field holds a line break, or API isn't one of the forms above.
func (r Request) HTTP() ([]byte, error) {
	r = r.withDefaults()
	target := "/authorize/traefik"
	if r.API != "" {
		namespace, name, named := strings.Cut(r.API, "/")
		if r.API != "default" && (!named || namespace == "" || name == "" || strings.Contains(name, "/")) {
			return nil, fmt.Errorf("API %q: want <namespace>/<name>, default or nothing", r.API)
		}
		target += "/" + r.API
	}
	if r.Scopes != "" {
		target += "?" + url.Values{"scopes": {r.Scopes}}.Encode()
	}
	fields := r.fields()[4:]
	fields = append(fields,
		[2]string{"X-Forwarded-Method", r.Method},
		[2]string{"X-Forwarded-Host", r.Host},
		[2]string{"X-Forwarded-Uri", r.Path},
		[2]string{"X-Forwarded-Port", "443"},
	)
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", target)
	for _, f := range fields {
		if strings.ContainsAny(f[1], "\r\n") {
			return nil, fmt.Errorf("%s holds a line break", f[0])
		}
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	b.WriteString("\r\n")
	return []byte(b.String()), nil
}
