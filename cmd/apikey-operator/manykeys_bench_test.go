package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/process"
)

// storedKeys are in the API server while the read side is measured.
const storedKeys = 10_000

// manyKeys is a real API server that holds storedKeys issued keys of the default API,
// and no controller: what is measured is the read side alone.
type manyKeys struct {
	cluster *devcluster.Cluster
	client  client.WithWatch
	raw     []string // the keys, in the order of their names
	dir     string
	binary  string
}

var shared struct {
	once  sync.Once
	world *manyKeys
	err   error
}

// TestMain ends what benchmarks share.
func TestMain(m *testing.M) {
	code := m.Run()
	if w := shared.world; w != nil {
		if err := w.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// withManyKeys returns what benchmarks share; it takes half a minute the first time.
func withManyKeys(b *testing.B) *manyKeys {
	b.Helper()
	for _, p := range []parts.Part{parts.APIServer, parts.Etcd, parts.ControllerManager} {
		parts.Need(b, p)
	}
	shared.once.Do(func() {
		shared.world = &manyKeys{}
		shared.err = shared.world.start(context.WithoutCancel(b.Context()))
	})
	if shared.err != nil {
		b.Fatal(shared.err)
	}
	return shared.world
}

func (w *manyKeys) start(ctx context.Context) error {
	var err error
	if w.dir, err = os.MkdirTemp("", "apikey-operator-bench-"); err != nil {
		return err
	}
	// BENCH_BINARY is another build to measure, to compare with.
	if w.binary = os.Getenv("BENCH_BINARY"); w.binary == "" {
		w.binary = filepath.Join(w.dir, "apikey-operator")
		if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", w.binary, ".").CombinedOutput(); err != nil {
			return fmt.Errorf("building apikey-operator: %w\n%s", err, out)
		}
	}
	if w.cluster, err = devcluster.Start(ctx, devcluster.Options{CRDPaths: []string{"../../config/crd/bases"}}); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config := rest.CopyConfig(w.cluster.Config)
	config.QPS = -1
	if w.client, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if w.raw, err = checkrequest.Keys(storedKeys); err != nil {
		return err
	}
	if err := w.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(32)
	for i, raw := range w.raw {
		group.Go(func() error { return w.issue(ctx, w.key(fmt.Sprintf("stored-%05d", i)), raw, nil) })
	}
	return group.Wait()
}

func (w *manyKeys) stop() error {
	var err error
	if w.cluster != nil {
		err = w.cluster.Stop()
	}
	if removed := os.RemoveAll(w.dir); err == nil {
		err = removed
	}
	return err
}

// key is an APIKey with what most of them have.
func (*manyKeys) key(name string) *v1alpha1.APIKey {
	return &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"team": "billing"}, Finalizers: []string{"bench.example/kept"}},
		Spec: v1alpha1.APIKeySpec{
			DisplayName: "Customer's key", Project: "billing", Owner: &v1alpha1.Owner{Name: "Billing team", Email: "billing@shop.example"},
			Scopes:     []v1alpha1.Scope{"budgets:read", "budgets:write", "reports:read"},
			AllowedIPs: []v1alpha1.IPBlock{"192.0.2.0/24", "203.0.113.0/24"},
			RateLimit:  &v1alpha1.RateLimit{Requests: 1_000_000_000, Period: "1h"},
		},
	}
}

// issue writes an APIKey and the status of one that is issued, as the controller
// would. acknowledged is told when the last write is.
func (w *manyKeys) issue(ctx context.Context, k *v1alpha1.APIKey, raw string, acknowledged *time.Time) error {
	if err := w.client.Create(ctx, k, client.FieldOwner("gitops")); err != nil {
		return err
	}
	now := metav1.Now()
	k.Status = v1alpha1.APIKeyStatus{
		ObservedGeneration: 1, State: v1alpha1.StateActive, Hint: "bk_live_0000", SecretName: k.Name, SecretPhase: v1alpha1.SecretPresent,
		Keys: []v1alpha1.KeyVersion{{Digest: "sha256:" + hashOf(raw), Hint: "bk_live_0000", Phase: v1alpha1.KeyCurrent, IssuedAt: now, DeliveredAt: &now}},
		Conditions: []metav1.Condition{
			{Type: "Ready", Status: metav1.ConditionTrue, ObservedGeneration: 1, LastTransitionTime: now, Reason: "Issued", Message: "the raw key is in Secret " + k.Name},
			{Type: "Propagated", Status: metav1.ConditionTrue, ObservedGeneration: 1, LastTransitionTime: now, Reason: "Seen", Message: "all auth servers have seen it"},
		},
	}
	err := w.client.Status().Update(ctx, k, client.FieldOwner("apikey-operator"))
	if acknowledged != nil {
		*acknowledged = time.Now()
	}
	return err
}

// authServer is the shipped program as an auth server.
type authServer struct {
	*exec.Cmd
	started            time.Time
	grpc, http, health string
}

// startAuthServer starts one with its shipped flags, a Lease and metrics included.
func (w *manyKeys) startAuthServer() (*authServer, error) {
	free, err := process.FreePorts(4)
	if err != nil {
		return nil, err
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", free[i]) }
	s := &authServer{grpc: at(0), http: at(1), health: at(2)}
	log, err := os.OpenFile(filepath.Join(w.dir, "authserver.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the program has its own
	s.Cmd = exec.Command(w.binary, "authserver", "--kubeconfig="+w.cluster.Kubeconfig, "--lease-namespace=shop", "--default-api-hosts=*",
		"--grpc-address="+s.grpc, "--http-address="+s.http, "--health-address="+s.health, "--metrics-address="+at(3))
	s.Stdout, s.Stderr = log, log
	s.started = time.Now()
	return s, s.Start()
}

// end ends it at once.
func (s *authServer) end() error {
	if err := s.Process.Kill(); err != nil {
		return err
	}
	_ = s.Wait() // was killed
	return nil
}

// asker asks over one connection that stays open: with a new one, or net/http's
// client, asking takes longer than what is measured.
type asker struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
}

// ask returns the status of the answer, 0 if there is none.
func (a *asker) ask(request []byte) int {
	if a.conn == nil {
		conn, err := net.DialTimeout("tcp", a.address, time.Second)
		if err != nil {
			return 0 // it doesn't listen yet
		}
		a.conn, a.in = conn, bufio.NewReader(conn)
	}
	if _, err := a.conn.Write(request); err != nil {
		a.close()
		return 0
	}
	response, err := http.ReadResponse(a.in, nil)
	if err != nil {
		a.close()
		return 0
	}
	if _, err = io.Copy(io.Discard, response.Body); err != nil {
		a.close()
	}
	_ = response.Body.Close() // was read
	return response.StatusCode
}

func (a *asker) close() {
	if a.conn != nil {
		_ = a.conn.Close() // whatever it has to say
		a.conn = nil
	}
}

// question is a request with a key over forward-auth.
func question(raw string) ([]byte, error) { return checkrequest.Request{Key: raw}.HTTP() }

var readyQuestion = []byte("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")

// percentile of what was measured, in milliseconds.
func percentile(all []time.Duration, percent int) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return float64(sorted[min(len(sorted)-1, len(sorted)*percent/100)].Microseconds()) / 1000
}
