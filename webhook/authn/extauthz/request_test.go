package extauthz_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// asked sends a check and returns what the core was asked, without its headers,
// and these. Nothing of a request may be kept once it is answered, so that they are
// copied before.
func asked(t *testing.T, in *authv3.CheckRequest, names ...string) (auth.Request, map[string][]string) {
	t.Helper()
	var all []auth.Request
	headers := map[string][]string{}
	check(t, server(&authntest.Scripted{Answer: func(r *auth.Request) auth.Verdict {
		asked := *r
		asked.Headers, asked.ForwardedFor = nil, slices.Clone(r.ForwardedFor)
		all = append(all, asked)
		for _, name := range names {
			headers[name] = values(r.Headers, name)
		}
		return authntest.Verdict(auth.Allowed)
	}}), in)
	if len(all) != 1 {
		t.Fatalf("the core was asked %d times", len(all))
	}
	return all[0], headers
}

func values(h auth.Headers, name string) (all []string) {
	for {
		v, ok := h.Value(name, len(all))
		if !ok {
			return all
		}
		all = append(all, v)
	}
}

func TestRequestIsReadAsEnvoySendsIt(t *testing.T) {
	fields := [][2]string{
		{"authorization", "Bearer bk_live_1"},
		{"x-forwarded-for", "198.51.100.1,203.0.113.7"},
		{"cookie", "a=1; b=2"},
		{"x-empty", ""},
	}
	want := auth.Request{
		Caller:       netip.MustParseAddr("127.0.0.1"),
		Target:       auth.Target{Kind: auth.ByName, Name: keyring.Name{Namespace: "apis", Name: "billoget"}},
		Method:       "GET",
		Host:         "api.billoget.com:10000",
		Path:         "/api/public/budgets?page=2",
		Source:       "203.0.113.7",
		ForwardedFor: []string{"198.51.100.1,203.0.113.7"},
		Time:         authntest.Now,
	}
	for what, in := range map[string]*authv3.CheckRequest{"raw": request(fields...), "joined": joined(fields...)} {
		got, headers := asked(t, in, "authorization", "cookie", "x-empty", "x-api-key")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
		if want := map[string][]string{
			"authorization": {"Bearer bk_live_1"},
			"cookie":        {"a=1; b=2"},
			"x-empty":       {""},
			"x-api-key":     nil,
		}; !reflect.DeepEqual(headers, want) {
			t.Errorf("%s: got %q, want %q", what, headers, want)
		}
	}
}

func TestRepeatedHeaders(t *testing.T) {
	fields := [][2]string{{"x-api-key", "one"}, {"x-forwarded-for", "192.0.2.1"}, {"x-api-key", "two"}, {"x-forwarded-for", "192.0.2.3"}}
	for _, row := range []struct {
		what string
		in   *authv3.CheckRequest
		keys []string
		hops []string
	}{
		{"raw: apart", request(fields...), []string{"one", "two"}, []string{"192.0.2.1", "192.0.2.3"}},
		{"joined: with commas", joined(fields...), []string{"one,two"}, []string{"192.0.2.1,192.0.2.3"}},
	} {
		got, headers := asked(t, row.in, "x-api-key")
		if !reflect.DeepEqual(headers["x-api-key"], row.keys) || !reflect.DeepEqual(got.ForwardedFor, row.hops) {
			t.Errorf("%s: got %q and %q, want %q and %q", row.what, headers["x-api-key"], got.ForwardedFor, row.keys, row.hops)
		}
	}
}

// Older Envoys write header_map with value in place of raw_value.
func TestHeaderMapWithoutRawValues(t *testing.T) {
	in := bare()
	in.Attributes.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "x-api-key", Value: "one"}, nil, {Key: "x-api-key", RawValue: []byte("\xff\x00")}}}
	if _, headers := asked(t, in, "x-api-key"); !reflect.DeepEqual(headers["x-api-key"], []string{"one", "\xff\x00"}) {
		t.Errorf("got %q", headers)
	}
}

func TestTargetComesFromContextExtensions(t *testing.T) {
	billoget := keyring.Name{Namespace: "apis", Name: "billoget"}
	for _, row := range []struct {
		what       string
		extensions map[string]string
		want       auth.Target
	}{
		{"none: by host", nil, auth.Target{}},
		{"the default API", map[string]string{"api": "default"}, auth.Target{Kind: auth.ByDefault}},
		{"an API", map[string]string{"api": "apis/billoget"}, auth.Target{Kind: auth.ByName, Name: billoget}},
		{"scopes", map[string]string{"api": "apis/billoget", "scopes": "READ_BUDGETS,WRITE_BUDGETS"}, auth.Target{
			Kind: auth.ByName, Name: billoget, Scopes: []string{"READ_BUDGETS", "WRITE_BUDGETS"},
		}},
		{"no scopes, where the virtual host demands some", map[string]string{"api": "apis/billoget", "scopes": ""}, auth.Target{Kind: auth.ByName, Name: billoget}},
	} {
		in := request([2]string{"api", "apis/other"}, [2]string{"scopes", ""}, [2]string{"x-api", "default"})
		in.Attributes.ContextExtensions = row.extensions
		if got, _ := asked(t, in); !reflect.DeepEqual(got.Target, row.want) {
			t.Errorf("%s: got %+v, want %+v", row.what, got.Target, row.want)
		}
	}
}

// A misspelt key could be one that demanded more.
func TestContextExtensionsThatArentUnderstood(t *testing.T) {
	for what, row := range map[string]struct {
		extensions map[string]string
		why        string
	}{
		"scope":          {map[string]string{"api": "apis/billoget", "scope": "READ_BUDGETS"}, "unknown key scope"},
		"Scopes":         {map[string]string{"api": "apis/billoget", "Scopes": "READ_BUDGETS"}, "unknown key Scopes"},
		"virtual_host":   {map[string]string{"virtual_host": "local_service"}, "unknown key virtual_host"},
		"a bad API":      {map[string]string{"api": "billoget"}, "must be <namespace>/<name>"},
		"a wildcard":     {map[string]string{"api": "apis/billoget", "scopes": "*"}, "without wildcards"},
		"an empty scope": {map[string]string{"scopes": "a,,b"}, "scopes"},
	} {
		in := request()
		in.Attributes.ContextExtensions = row.extensions
		got, _ := asked(t, in)
		if got.Target.Err == nil || !strings.Contains(got.Target.Err.Error(), row.why) {
			t.Errorf("%s: got %v, want an error with %q", what, got.Target.Err, row.why)
		}
		// With the real core behind it: 503, whoever asks with whatever key.
		out := check(t, server(&auth.Authenticator{
			Ring: keyring.New(keyring.HostPolicy{}), Synced: func() bool { return true }, Current: func() bool { return true },
			TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		}), in)
		checkDenied(t, out)
		if status := out.GetDeniedResponse().GetStatus().GetCode(); status != 503 {
			t.Errorf("%s: got status %d, want 503", what, status)
		}
	}
}

// Both signals must say TLS: a client of HTTP/2 can write https into :scheme, and
// Envoy overwrites x-forwarded-proto with use_remote_address only.
func TestTLS(t *testing.T) {
	proto := func(values ...string) (fields [][2]string) {
		for _, v := range values {
			fields = append(fields, [2]string{"x-forwarded-proto", v})
		}
		return fields
	}
	for _, row := range []struct {
		what, scheme string
		fields       [][2]string
		want         bool
	}{
		{"both say https", "https", proto("https"), true},
		{"both say http", "http", proto("http"), false},
		{"only :scheme is there", "https", nil, true},
		{"a client wrote :scheme", "https", proto("http"), false},
		{"a client wrote x-forwarded-proto", "http", proto("https"), false},
		{"a client's x-forwarded-proto is first", "https", proto("https", "http"), false},
		{"a client's x-forwarded-proto is last", "https", proto("http", "https"), false},
		{"it is there twice", "https", proto("https", "https"), false},
		{"it is a list", "https", proto("https,http"), false},
		{"it is empty", "https", proto(""), false},
		{"it is WebSocket's", "https", proto("wss"), false},
		{"other letters", "HTTPS", proto("HTTPS"), false},
		{"nothing is there", "", nil, false},
		{"no :scheme", "", proto("https"), false},
		{"headers of others", "http", [][2]string{{"x-forwarded-scheme", "https"}, {"x-forwarded-ssl", "on"}, {"forwarded", "proto=https"}, {":scheme", "https"}}, false},
	} {
		for kind, in := range map[string]*authv3.CheckRequest{"raw": request(row.fields...), "joined": joined(row.fields...)} {
			in.Attributes.Request.Http.Scheme = row.scheme
			if got, _ := asked(t, in); got.TLS != row.want {
				t.Errorf("%s, %s: TLS is %v, want %v", row.what, kind, got.TLS, row.want)
			}
		}
	}
}
