package closedloop

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/extauthz"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// api is what the tests ask for.
var api = keyring.Name{Namespace: "apis", Name: "billoget"}

// authenticator knows keys of one API.
func authenticator(keys []string) *auth.Authenticator {
	ring := keyring.New(keyring.HostPolicy{DefaultHosts: []string{"*"}})
	ring.SetAPI(&keyring.API{
		Name: api, AllNamespaces: true, Formats: []key.Format{checkrequest.Format},
		Credentials: []keyring.Credential{{Place: keyring.Bearer}},
	})
	for i, k := range keys {
		name := fmt.Sprint("key-", i)
		ring.SetKey(&keyring.Key{
			Name: keyring.Name{Namespace: "shop", Name: name}, UID: name, Terms: &keyring.Terms{API: api},
			Versions: []keyring.Version{{Digest: key.NewRaw(k).Digest()}},
		})
	}
	yes := func() bool { return true }
	return &auth.Authenticator{Ring: ring, Synced: yes, Current: yes, TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// extAuthz serves an Authenticator as the auth server does, and returns its address.
func extAuthz(t *testing.T, a *auth.Authenticator, options ...grpc.ServerOption) string {
	t.Helper()
	server, l := (&extauthz.Server{Authenticator: a, Now: time.Now}).GRPC(options...), listen(t)
	go func() { _ = server.Serve(l) }() // a server that ends early fails the calls
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

func serveHTTP(t *testing.T, h http.Handler) string {
	t.Helper()
	server, l := &http.Server{Handler: h}, listen(t)
	go func() { _ = server.Serve(l) }() // as above
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

func forwardAuth(t *testing.T, a *auth.Authenticator) string {
	t.Helper()
	return serveHTTP(t, forwardauth.New(func(string) authn.Authenticator { return a }, a.Ring.API, time.Now))
}

func keys(t *testing.T, n int) []string {
	t.Helper()
	all, err := checkrequest.Keys(n)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// calls asks for the API with each key: over gRPC or over HTTP.
func calls(t *testing.T, write func(checkrequest.Request) ([]byte, error), want checkrequest.Answer, keys ...string) []checkrequest.Call {
	t.Helper()
	all := make([]checkrequest.Call, len(keys))
	for i, k := range keys {
		sent, err := write(checkrequest.Request{Key: k, API: api.String()})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = checkrequest.Call{Bytes: sent, Want: want}
	}
	return all
}

func TestAuthServerAnswersAllCallsRight(t *testing.T) {
	all := keys(t, 20)
	a := authenticator(all[:10])
	unauthorized := checkrequest.Answer{Status: http.StatusUnauthorized}
	ok := checkrequest.Answer{Status: http.StatusOK}
	grpcCalls := append(calls(t, checkrequest.Request.Message, checkrequest.Allowed(), all[:10]...),
		calls(t, checkrequest.Request.Message, checkrequest.Denied(http.StatusUnauthorized), all[10:]...)...)
	httpCalls := append(calls(t, checkrequest.Request.HTTP, ok, all[:10]...), calls(t, checkrequest.Request.HTTP, unauthorized, all[10:]...)...)
	for _, row := range []struct {
		what   string
		result func(Config) (Result, error)
		c      Config
		peak   int
	}{
		{"gRPC", grpcRun(t), Config{Address: extAuthz(t, a), Connections: 3, InFlight: 32, Calls: grpcCalls}, 32},
		{"gRPC, one by one", grpcRun(t), Config{Address: extAuthz(t, a), Connections: 1, InFlight: 1, Calls: grpcCalls}, 1},
		{"gRPC, fewer streams than asked for", grpcRun(t), Config{Address: extAuthz(t, a, grpc.MaxConcurrentStreams(2)), Connections: 2, InFlight: 32, Calls: grpcCalls}, 4},
		{"HTTP", httpRun(t), Config{Address: forwardAuth(t, a), Connections: 1, InFlight: 8, Calls: httpCalls}, 8},
	} {
		row.c.Duration, row.c.Requests = time.Minute, 1001
		r, err := row.result(row.c)
		if err != nil {
			t.Errorf("%s: %v", row.what, err)
			continue
		}
		if r.Total != 1001 || len(r.Latencies) != 1001 || r.PeakInFlight != row.peak || r.Latencies[0] <= 0 || r.Elapsed >= time.Minute {
			t.Errorf("%s: got %d answers, %d of them measured, peak %d, in %v", row.what, r.Total, len(r.Latencies), r.PeakInFlight, r.Elapsed)
		}
	}
}

func grpcRun(t *testing.T) func(Config) (Result, error) {
	return func(c Config) (Result, error) { return GRPC(t.Context(), c) }
}

func httpRun(t *testing.T) func(Config) (Result, error) {
	return func(c Config) (Result, error) { return HTTP(t.Context(), c) }
}

// Runs end by time, too, and what is in flight then is waited for and checked. How
// much is measured depends on the machine, which may stand still for as long.
func TestRunEndsByTime(t *testing.T) {
	all := keys(t, 2)
	a := authenticator(all)
	for what, run := range map[string]func() (Result, error){
		"gRPC": func() (Result, error) {
			return GRPC(t.Context(), Config{Address: extAuthz(t, a), Connections: 2, InFlight: 8, Warmup: 50 * time.Millisecond,
				Duration: 100 * time.Millisecond, Calls: calls(t, checkrequest.Request.Message, checkrequest.Allowed(), all...)})
		},
		"HTTP": func() (Result, error) {
			return HTTP(t.Context(), Config{Address: forwardAuth(t, a), Connections: 1, InFlight: 4, Warmup: 50 * time.Millisecond,
				Duration: 100 * time.Millisecond, Calls: calls(t, checkrequest.Request.HTTP, checkrequest.Answer{Status: 200}, all...)})
		},
	} {
		r, err := run()
		if err != nil || r.Elapsed != 100*time.Millisecond || r.Total == 0 || r.Total < len(r.Latencies) {
			t.Errorf("%s: got %d answers, %d measured in %v, %v", what, r.Total, len(r.Latencies), r.Elapsed, err)
		}
	}
}

// A server that is wrong about one key of many is noticed; the key isn't shown.
func TestWrongAnswersAreNoticed(t *testing.T) {
	all := keys(t, 10)
	a := authenticator(append(all[:7:7], all[8:]...))
	for what, row := range map[string]struct {
		run  func(Config) (Result, error)
		c    Config
		want string
	}{
		"gRPC": {grpcRun(t), Config{Address: extAuthz(t, a), Calls: calls(t, checkrequest.Request.Message, checkrequest.Allowed(), all...)},
			"call 7: wrong answer: got status code 16 and HTTP status 401, want status code 0 and HTTP status 0"},
		"HTTP": {httpRun(t), Config{Address: forwardAuth(t, a), Calls: calls(t, checkrequest.Request.HTTP, checkrequest.Answer{Status: 200}, all...)},
			"call 7: wrong answer: got status code 0 and HTTP status 401, want status code 0 and HTTP status 200"},
	} {
		row.c.Connections, row.c.InFlight, row.c.Duration, row.c.Requests = 1, 1, time.Minute, 100
		r, err := row.run(row.c)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, %v, want %q", what, r, err, row.want)
		}
		for _, k := range all {
			if err != nil && strings.Contains(err.Error(), k) {
				t.Errorf("%s: the error shows a key", what)
			}
		}
	}
}

type long struct {
	authv3.UnimplementedAuthorizationServer
}

func (long) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: 7},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden}, Body: strings.Repeat("x", 60_000),
		}},
	}, nil
}

// More than the window that the server was given is answered.
func TestWindowIsGivenBack(t *testing.T) {
	server, l := grpc.NewServer(), listen(t)
	authv3.RegisterAuthorizationServer(server, long{})
	go func() { _ = server.Serve(l) }() // a server that ends early fails the calls
	t.Cleanup(server.Stop)
	r, err := GRPC(t.Context(), Config{
		Address: l.Addr().String(), Connections: 1, InFlight: 4, Duration: 10 * time.Second, Requests: ourWindow / 60_000 * 2, Patience: time.Second,
		Calls: calls(t, checkrequest.Request.Message, checkrequest.Denied(http.StatusForbidden), ""),
	})
	if err != nil || r.Total != ourWindow/60_000*2 {
		t.Errorf("got %d answers, %v", r.Total, err)
	}
}

func TestConfigIsBounded(t *testing.T) {
	good := Config{Address: "127.0.0.1:1", Connections: 1, InFlight: 1, Duration: time.Second, Calls: []checkrequest.Call{{}}}
	for _, row := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Address = "localhost:1" }, "address"},
		{func(c *Config) { c.Address = "192.0.2.1:1" }, "loopback"},
		{func(c *Config) { c.InFlight = 0 }, "in flight"},
		{func(c *Config) { c.InFlight = MaxInFlight + 1 }, "in flight"},
		{func(c *Config) { c.Connections = 2 }, "connections"},
		{func(c *Config) { c.Duration = 0 }, "duration"},
		{func(c *Config) { c.Warmup = MaxDuration }, "duration"},
		{func(c *Config) { c.Requests = MaxRequests + 1 }, "requests"},
		{func(c *Config) { c.Patience = -1 }, "patience"},
		{func(c *Config) { c.Calls = nil }, "calls"},
		{func(c *Config) { c.Calls = []checkrequest.Call{{Bytes: make([]byte, maxCallBytes+1)}} }, "call 0"},
	} {
		c := good
		row.change(&c)
		if _, err := GRPC(t.Context(), c); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("got %v, want %s", err, row.want)
		}
	}
}
