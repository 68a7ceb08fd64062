package extauthz_test

import (
	"net/netip"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// FuzzCheck sends what strangers could. Nothing is allowed, since no key is known
// that they could find.
func FuzzCheck(f *testing.F) {
	for _, in := range []*authv3.CheckRequest{
		{}, bare(), request(), joined(),
		request([2]string{"authorization", "Bearer bk_live_1234567890abcdef1234567890abcdef"}, [2]string{"x-forwarded-for", "198.51.100.1"}),
		joined([2]string{"authorization", "Basic YTo="}, [2]string{"cookie", "key=1"}, [2]string{"x-api-key", "a"}, [2]string{"x-api-key", "b"}),
	} {
		for _, extensions := range []map[string]string{nil, {"api": "default"}, {"api": "apis/billoget", "scopes": "READ_BUDGETS"}, {"scope": "x"}} {
			if in.Attributes != nil {
				in.Attributes.ContextExtensions = extensions
			}
			seed, err := proto.Marshal(in)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(seed)
		}
	}
	ring := keyring.New(keyring.HostPolicy{DefaultHosts: []string{"*"}})
	ring.SetAPI(&keyring.API{
		Name: keyring.Name{Namespace: "apis", Name: "billoget"}, AllNamespaces: true,
		Credentials: []keyring.Credential{{Place: keyring.Bearer}, {Place: keyring.Basic}, {Place: keyring.Header, Name: "x-api-key"}, {Place: keyring.Query, Name: "api_key"}, {Place: keyring.Cookie, Name: "key"}},
		Formats:     []key.Format{key.Default},
	})
	s := server(&auth.Authenticator{
		Ring: ring, Synced: func() bool { return true }, Current: func() bool { return true },
		TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
	})
	f.Fuzz(func(t *testing.T, message []byte) {
		out, err := s.CheckBytes(from(t, "127.0.0.1:37288"), message)
		if err != nil {
			t.Fatalf("gRPC error %v", err)
		}
		checkDenied(t, out)
	})
}
