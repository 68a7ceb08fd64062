package checkrequest

import (
	"bufio"
	"bytes"
	"maps"
	"net/http"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
)

func decoded(t *testing.T, r Request) *authv3.AttributeContext {
	t.Helper()
	message, err := r.Message()
	if err != nil {
		t.Fatal(err)
	}
	if len(message) < 600 || len(message) > 1200 {
		t.Errorf("%d bytes: Envoy's messages are about 800", len(message))
	}
	in := &authv3.CheckRequest{}
	if err := proto.Unmarshal(message, in); err != nil {
		t.Fatal(err)
	}
	return in.GetAttributes()
}

func TestMessage(t *testing.T) {
	r := Request{Key: "bk_live_1", Path: "/v1", API: "apis/billoget", Scopes: "READ_BUDGETS"}
	raw := decoded(t, r)
	got := map[string]string{}
	for _, h := range raw.GetRequest().GetHttp().GetHeaderMap().GetHeaders() {
		got[h.GetKey()] = string(h.GetRawValue())
	}
	r.Joined = true
	joined := decoded(t, r)
	if !maps.Equal(got, joined.GetRequest().GetHttp().GetHeaders()) || len(got) != 16 {
		t.Errorf("got %v in a list and %v in a map, want the same 16", got, joined.GetRequest().GetHttp().GetHeaders())
	}
	for name, want := range map[string]string{":path": "/v1", ":method": "GET", ":authority": "api.billoget.com", "authorization": "Bearer bk_live_1"} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	for _, in := range []*authv3.AttributeContext{raw, joined} {
		h := in.GetRequest().GetHttp()
		if h.GetPath() != "/v1" || h.GetMethod() != "GET" || h.GetHost() != "api.billoget.com" || h.GetScheme() != "https" ||
			in.GetSource().GetAddress().GetSocketAddress().GetAddress() != "203.0.113.7" ||
			!maps.Equal(in.GetContextExtensions(), map[string]string{"api": "apis/billoget", "scopes": "READ_BUDGETS"}) {
			t.Errorf("got %v", in)
		}
	}
}

func TestHTTP(t *testing.T) {
	for _, row := range []struct{ api, scopes, want string }{
		{"", "", "/authorize/traefik"},
		{"default", "", "/authorize/traefik/default"},
		{"apis/billoget", "A,B", "/authorize/traefik/apis/billoget?scopes=A%2CB"},
	} {
		sent, err := Request{Key: "bk_live_1", Path: "/v1", Method: "POST", API: row.api, Scopes: row.scopes}.HTTP()
		if err != nil {
			t.Fatal(err)
		}
		in, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(sent)))
		if err != nil {
			t.Fatal(err)
		}
		if in.RequestURI != row.want || in.Method != http.MethodGet {
			t.Errorf("got %s %s, want GET %s", in.Method, in.RequestURI, row.want)
		}
		for name, want := range map[string]string{
			"Authorization": "Bearer bk_live_1", "X-Forwarded-Method": "POST", "X-Forwarded-Host": "api.billoget.com",
			"X-Forwarded-Uri": "/v1", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https",
		} {
			if got := in.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
}

func TestHTTPRefusesWhatWouldBeAnotherRequest(t *testing.T) {
	for _, r := range []Request{{Path: "/\r\nX: y"}, {Key: "a\nb"}, {API: "apis"}, {API: "a/b/c"}, {API: "/b"}} {
		if sent, err := r.HTTP(); err == nil {
			t.Errorf("%+v: got %q", r, sent)
		}
	}
}
