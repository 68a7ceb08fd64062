package proxies

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
	"net/netip"
	"encoding/json"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/apikey-operator/apikey-operator/hack/process"
	"github.com/apikey-operator/apikey-operator/hack/proxies"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/extauthz"
	"github.com/apikey-operator/apikey-operator/webhook/authn/forwardauth"
)

// Interactive: runs everything until killed
func TestXP(t *testing.T) {
	ring := keyring.New(keyring.HostPolicy{})
	now := time.Now()
	ring.SetAPI(&keyring.API{Name: keyring.Name{Namespace: "apis", Name: "billoget"}, CreatedAt: now, Credentials: []keyring.Credential{{Place: keyring.Bearer}}, Formats: []key.Format{}, DenyEmptyScopes: true, AllNamespaces: true})
	ring.SetKey(&keyring.Key{Name: keyring.Name{Namespace: "shop", Name: "a"}, UID: "1", CreatedAt: now, API: keyring.Name{Namespace: "apis", Name: "billoget"},
		Versions: []keyring.Version{{Digest: key.NewRaw("good").Digest(), Hint: "go"}}, Scopes: keyring.Scopes{"READ_BUDGETS"}, OwnerName: "Jürg", Limit: ratelimit.Limit{Requests: 10, Period: time.Hour}})
	ring.SetKey(&keyring.Key{Name: keyring.Name{Namespace: "shop", Name: "d"}, UID: "2", CreatedAt: now,
		Versions: []keyring.Version{{Digest: key.NewRaw("dgood").Digest(), Hint: "go"}}, Limit: ratelimit.Limit{Requests: 3, Period: time.Hour}})
	a := &auth.Authenticator{Ring: ring, Synced: func() bool { return true }, TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	ports, _ := process.FreePorts(5)
	gl, _ := net.Listen("tcp", "127.0.0.1:0")
	hl, _ := net.Listen("tcp", "127.0.0.1:0")
	ul, _ := net.Listen("tcp", "127.0.0.1:0")
	port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
	gs := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		fmt.Println("CHECK", protojson.Format(req.(*authv3.CheckRequest)))
		r, err := h(ctx, req)
		fmt.Println("ANSWER", protojson.Format(r.(*authv3.CheckResponse)))
		return r, err
	}))
	authv3.RegisterAuthorizationServer(gs, &extauthz.Server{Authenticator: a, Now: time.Now})
	go gs.Serve(gl)
	fa := forwardauth.New(func(string) authn.Authenticator { return a }, time.Now)
	go http.Serve(hl, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		j, _ := json.Marshal(r.Header)
		fmt.Println("HTTP", r.Method, r.Host, r.RequestURI, string(j))
		fa.ServeHTTP(w, r)
	}))
	go http.Serve(ul, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		j, _ := json.Marshal(r.Header)
		fmt.Println("UPSTREAM", r.Method, r.Host, r.RequestURI, string(j), string(b))
		w.Write([]byte("hello\n"))
	}))
	e, err := proxies.StartEnvoy(t.Context(), "../../../config/samples/proxies/envoy.yaml", proxies.Ports{10000: ports[0], 8000: port(ul), 9001: port(gl)}, "/tmp/xp")
	if err != nil { t.Fatal(err) }
	defer e.Stop()
	n, err := proxies.StartNginx(t.Context(), "../../../config/samples/proxies/nginx.conf", proxies.Ports{10080: ports[1], 8000: port(ul), 9002: port(hl)}, "/tmp/xp")
	if err != nil { t.Fatal(err) }
	defer n.Stop()
	if _, err := os.Stat("../../../config/samples/proxies/envoy-http.yaml"); err == nil {
	eh, err := proxies.StartEnvoy(t.Context(), "../../../config/samples/proxies/envoy-http.yaml", proxies.Ports{10001: ports[2], 8000: port(ul), 9002: port(hl)}, "/tmp/xp")
	if err != nil { t.Fatal(err) }
	defer eh.Stop()
	}
	os.WriteFile("/tmp/xp/ports", []byte(fmt.Sprintf("E=127.0.0.1:%d N=127.0.0.1:%d H=127.0.0.1:%d A=127.0.0.1:%d\n", ports[0], ports[1], ports[2], port(hl))), 0o644)
	for { if _, err := os.Stat("/tmp/xp/stop"); err == nil { return }; time.Sleep(200*time.Millisecond) }
}
