package extauthz_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

func TestAllowed(t *testing.T) {
	same(t, check(t, server(authntest.Always(authntest.Verdict(auth.Allowed))), request()), `
status { code: 0 }
ok_response {
  headers { header { key: "x-apikey-name" value: "shopify" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "x-apikey-namespace" value: "shop" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "x-apikey-project" value: "proj_abc123" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "x-apikey-scopes" value: "READ_BUDGETS,customers:*" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "x-apikey-environment" value: "live" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "x-apikey-hint" value: "bk_live_1234" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "x-apikey-owner" value: "Shop team" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "x-apikey-owner-email" value: "ops@shop.example" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers_to_remove: "authorization"
  response_headers_to_add { header { key: "RateLimit-Policy" value: "\"default\";q=1000;w=3600" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  response_headers_to_add { header { key: "RateLimit" value: "\"default\";r=999;t=3600" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
}
dynamic_metadata {
  fields { key: "name" value { string_value: "shopify" } }
  fields { key: "namespace" value { string_value: "shop" } }
  fields { key: "project" value { string_value: "proj_abc123" } }
  fields { key: "scopes" value { list_value { values { string_value: "READ_BUDGETS" } values { string_value: "customers:*" } } } }
  fields { key: "environment" value { string_value: "live" } }
  fields { key: "hint" value { string_value: "bk_live_1234" } }
  fields { key: "owner" value { struct_value {
    fields { key: "name" value { string_value: "Shop team" } }
    fields { key: "email" value { string_value: "ops@shop.example" } }
  } } }
}`)
}

// A key without anything to tell: what a client sent under those names is removed.
func TestAllowedWithNothingToTell(t *testing.T) {
	v := auth.Verdict{
		Reason:     auth.Allowed,
		API:        keyring.NewDefaultAPI(),
		Key:        &keyring.Key{Name: keyring.Name{Namespace: "shop", Name: "first"}, Terms: &keyring.Terms{}, Holder: &keyring.Holder{}},
		Credential: keyring.Credential{Place: keyring.Header, Name: "x-api-key"},
	}
	same(t, check(t, server(authntest.Always(v)), request()), `
status { code: 0 }
ok_response {
  headers { header { key: "x-apikey-name" value: "first" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "x-apikey-namespace" value: "shop" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers_to_remove: "x-apikey-project"
  headers_to_remove: "x-apikey-scopes"
  headers_to_remove: "x-apikey-environment"
  headers_to_remove: "x-apikey-hint"
  headers_to_remove: "x-apikey-owner"
  headers_to_remove: "x-apikey-owner-email"
  headers_to_remove: "x-api-key"
}
dynamic_metadata {
  fields { key: "name" value { string_value: "first" } }
  fields { key: "namespace" value { string_value: "shop" } }
  fields { key: "project" value { string_value: "" } }
  fields { key: "scopes" value { list_value { } } }
  fields { key: "environment" value { string_value: "" } }
  fields { key: "hint" value { string_value: "" } }
  fields { key: "owner" value { struct_value {
    fields { key: "name" value { string_value: "" } }
    fields { key: "email" value { string_value: "" } }
  } } }
}`)
}

// A public route needs no key: nobody is named, whatever a client claims, and what
// it sent in Authorization is the upstream's affair.
func TestAllowedWithoutAKey(t *testing.T) {
	same(t, check(t, server(authntest.Always(authntest.Public())), request()), `
status { code: 0 }
ok_response {
  headers_to_remove: "x-apikey-name"
  headers_to_remove: "x-apikey-namespace"
  headers_to_remove: "x-apikey-project"
  headers_to_remove: "x-apikey-scopes"
  headers_to_remove: "x-apikey-environment"
  headers_to_remove: "x-apikey-hint"
  headers_to_remove: "x-apikey-owner"
  headers_to_remove: "x-apikey-owner-email"
}`)
}

// An API may keep names from its upstream, and leave the credential in.
func TestAllowedAsTheAPIWants(t *testing.T) {
	v := authntest.Verdict(auth.Allowed)
	v.API.HideHeaders = map[string]bool{"x-apikey-owner": true, "x-apikey-owner-email": true}
	v.API.KeepCredential = true
	ok := check(t, server(authntest.Always(v)), request()).GetOkResponse()
	if got, want := ok.GetHeadersToRemove(), []string{"x-apikey-owner", "x-apikey-owner-email"}; !slices.Equal(got, want) || len(ok.GetHeaders()) != len(authn.IdentityHeaders)-2 {
		t.Errorf("headers to remove are %q, want %q; set are %v", got, want, ok.GetHeaders())
	}
}

// A credential in the query or in a cookie can't be removed.
func TestAllowedRemovesTheCredential(t *testing.T) {
	for _, row := range []struct {
		credential keyring.Credential
		removed    string
	}{
		{keyring.Credential{Place: keyring.Bearer}, "authorization"},
		{keyring.Credential{Place: keyring.Basic}, "authorization"},
		{keyring.Credential{Place: keyring.Header, Name: "x-token"}, "x-token"},
		{keyring.Credential{Place: keyring.Query, Name: "api_key"}, ""},
		{keyring.Credential{Place: keyring.Cookie, Name: "key"}, ""},
	} {
		v := authntest.Verdict(auth.Allowed)
		v.Credential = row.credential
		removed := check(t, server(authntest.Always(v)), request()).GetOkResponse().GetHeadersToRemove()
		if row.removed == "" && len(removed) == 0 || len(removed) == 1 && removed[0] == row.removed {
			continue
		}
		t.Errorf("%+v: headers to remove are %q, want %q", row.credential, removed, row.removed)
	}
}

func TestEveryReasonIsADenial(t *testing.T) {
	want := map[int]codes.Code{
		400: codes.InvalidArgument, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 429: codes.ResourceExhausted, 503: codes.Unavailable,
	}
	for _, reason := range append(authntest.Reasons(t), "", "a new one") {
		v := authntest.Verdict(reason)
		code, ok := want[authn.NewDenial(&v).Response().Status]
		if !ok {
			t.Fatalf("%s: no gRPC code for %+v", reason, authn.NewDenial(&v).Response())
		}
		checkSame(t, v, code)
		for _, status := range authntest.Statuses {
			// Only OK lets a request pass, whatever the client shall see.
			checkSame(t, authntest.Own(t, reason, status), codes.PermissionDenied)
		}
	}
}

// checkSame checks that a client sees the response to a verdict as it is.
func checkSame(t *testing.T, v auth.Verdict, code codes.Code) {
	t.Helper()
	out := check(t, server(authntest.Always(v)), request())
	response := authn.NewDenial(&v).Response()
	checkDeniedWith(t, out, response.Status)
	denied := out.GetDeniedResponse()
	if denied.GetBody() != string(response.Body) || codes.Code(out.GetStatus().GetCode()) != code {
		t.Errorf("%s: got %v, want %d, %s and gRPC code %v", v.Reason, out, response.Status, response.Body, code)
	}
	if len(denied.GetHeaders()) != len(response.Headers) {
		t.Fatalf("%s: got headers %v, want %v", v.Reason, denied.GetHeaders(), response.Headers)
	}
	for i, h := range denied.GetHeaders() {
		if h.GetHeader().GetKey() != response.Headers[i].Name || h.GetHeader().GetValue() != response.Headers[i].Value {
			t.Errorf("%s: got header %v, want %v", v.Reason, h, response.Headers[i])
		}
	}
}

func TestDeniedToTheLetter(t *testing.T) {
	same(t, check(t, server(authntest.Always(authntest.Verdict(auth.RateLimited))), request()), `
status { code: 8 }
denied_response {
  status { code: TooManyRequests }
  headers { header { key: "Content-Type" value: "application/json" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "Cache-Control" value: "no-store" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "Retry-After" value: "3600" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "RateLimit-Policy" value: "\"default\";q=1000;w=3600" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  headers { header { key: "RateLimit" value: "\"default\";r=0;t=3600" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
  body: "{\"error\":\"rate_limit_exceeded\",\"message\":\"Rate limit exceeded. Try again in 3600 seconds\"}"
}`)
}

// panicking is an Authenticator that is broken.
type panicking struct{}

func (panicking) Authenticate(*auth.Request) auth.Verdict { panic("bk_live_1234567890abcdef") }

// Whatever is wrong, the answer is a denial and never a gRPC error.
func TestNothingIsAGRPCError(t *testing.T) {
	core := &auth.Authenticator{
		Ring: keyring.New(keyring.HostPolicy{}), Synced: func() bool { return true }, Current: func() bool { return true },
		TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	unix := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.UnixAddr{Name: "@", Net: "unix"}})
	noAddress := peer.NewContext(t.Context(), &peer.Peer{})
	trusted := from(t, "127.0.0.1:37288")
	empty := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{}}}
	for _, row := range []struct {
		what    string
		context context.Context
		core    authn.Authenticator
		in      *authv3.CheckRequest
		status  int
	}{
		{"no request", trusted, core, nil, 400},
		{"an empty request", trusted, core, &authv3.CheckRequest{}, 400},
		{"no attributes of HTTP", trusted, core, empty, 400},
		{"no headers", trusted, core, bare(), 503},
		{"an Authenticator that panics", trusted, panicking{}, request(), 503},
		{"no Authenticator", trusted, nil, request(), 503},
		{"an allowed request with a limit and no key", trusted, authntest.Always(auth.Verdict{Reason: auth.Allowed, Limited: true, Rate: authntest.Verdict(auth.Allowed).Rate}), request(), 503},
		{"a caller that isn't trusted", from(t, "192.0.2.9:1"), core, request(), 403},
		{"a caller over IPv6", from(t, "[2001:db8::1]:1"), core, request(), 403},
		{"a caller on a socket", unix, core, request(), 403},
		{"a caller without an address", noAddress, core, request(), 503},
		{"no caller", t.Context(), core, request(), 403},
	} {
		out, err := server(row.core).Check(row.context, row.in)
		if err != nil {
			t.Errorf("%s: gRPC error %v", row.what, err)
			continue
		}
		checkDenied(t, out)
		if got := int(out.GetDeniedResponse().GetStatus().GetCode()); got != row.status {
			t.Errorf("%s: got status %d, want %d", row.what, got, row.status)
		}
	}
}

// A gateway that lets requests pass on gRPC errors gets none for what isn't a
// message either; its caller still has to be trusted.
func TestWhatIsNoMessageIsDenied(t *testing.T) {
	whole, err := proto.Marshal(request([2]string{"authorization", "Bearer bk_live_1"}))
	if err != nil {
		t.Fatal(err)
	}
	for what, message := range map[string][]byte{"cut": whole[:len(whole)-1], "a length beyond the end": {0x0a, 0x05}, "no field": {0}, "an end without a group": {0x0c}} {
		for caller, status := range map[string]int{"127.0.0.1:1": 503, "192.0.2.9:1": 403} {
			out, err := server(&auth.Authenticator{
				Ring: keyring.New(keyring.HostPolicy{}), Synced: func() bool { return true }, Current: func() bool { return true },
				TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			}).CheckBytes(from(t, caller), message)
			if err != nil {
				t.Fatalf("%s: gRPC error %v", what, err)
			}
			checkDeniedWith(t, out, status)
		}
	}
}
