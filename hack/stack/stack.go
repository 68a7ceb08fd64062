package stack

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/process"
	"github.com/apikey-operator/apikey-operator/hack/proxies"
)

// systemNamespace is where the shipped manifests put the operator.
const systemNamespace = "apikey-operator-system"

// Options says what a stack starts with.
type Options struct {
	// Dir keeps the logs of everything. It must exist.
	Dir string
	// Progress is told what is being done, for people. It may be nil.
	Progress func(format string, args ...any)
	// AuthServerArgs are added to the auth servers' flags.
	AuthServerArgs []string
	// Audit keeps what the operator asks the API server for in Cluster.AuditLog.
	Audit bool
}

// Stack is everything, running.
type Stack struct {
	Options
	Cluster *devcluster.Cluster
	// Upstream is what the proxies protect.
	Upstream *Upstream
	// Controller and AuthServers are the operator's processes: Envoy asks the first
	// auth server, nginx the second.
	Controller  *Program
	AuthServers []*Program
	// Envoy and Nginx are "host:port" of the proxies.
	Envoy, Nginx string

	admission             *service
	root, binary, kubectl string
	stops                 []func() error
}

// Start runs a stack until Stop. The shipped manifests and samples are applied,
// and every process is ready.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	s := &Stack{Options: o}
	for _, step := range []func(context.Context) error{
		s.startCluster, s.build, s.apply, s.startOperator, s.applySamples, s.startProxies,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	return s, nil
}

// Stop ends everything in the reverse order. It may be called more than once.
func (s *Stack) Stop() error {
	var err error
	for i := len(s.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, s.stops[i]())
	}
	s.stops = nil
	return err
}

func (s *Stack) startCluster(ctx context.Context) error {
	s.Progress("starting etcd, kube-apiserver and kube-controller-manager")
	var err error
	if s.root, err = root(); err != nil {
		return err
	}
	kubectl, err := parts.Locate(ctx, parts.Kubectl)
	if err != nil {
		return err
	}
	s.kubectl = kubectl.File
	logs := filepath.Join(s.Dir, "cluster")
	o := devcluster.Options{LogDir: logs}
	if s.Audit {
		o.AuditGroup = "system:serviceaccounts:" + systemNamespace
	}
	if s.Cluster, err = devcluster.Start(ctx, o); err != nil {
		return err
	}
	s.stops = append(s.stops, s.Cluster.Stop)
	return nil
}

func (s *Stack) build(ctx context.Context) error {
	s.Progress("building apikey-operator")
	s.binary = filepath.Join(s.Dir, "apikey-operator")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "./cmd/apikey-operator")
	cmd.Dir = s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building apikey-operator: %w\n%s", err, out)
	}
	return nil
}

func (s *Stack) apply(ctx context.Context) error {
	s.Progress("kubectl apply -k config/default")
	if _, err := s.Kubectl(ctx, "", "apply", "--server-side", "-k", "config/default"); err != nil {
		return err
	}
	if _, err := s.Kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"); err != nil {
		return err
	}
	return s.openAdmission(ctx)
}

// openAdmission has the API server ask the processes that run here, since there is no
// network of Pods in which it would find the Service.
func (s *Stack) openAdmission(ctx context.Context) error {
	var err error
	if s.admission, err = startService(ctx); err != nil {
		return err
	}
	s.stops = append(s.stops, s.admission.stop)
	out, err := s.Kubectl(ctx, "", "get", "validatingwebhookconfiguration", "apikey-operator", "-o", `jsonpath={range .webhooks[*]}{.clientConfig.service.path} {end}`)
	if err != nil {
		return err
	}
	var patch []string
	for i, path := range strings.Fields(out) {
		patch = append(patch, fmt.Sprintf(`{"op":"replace","path":"/webhooks/%d/clientConfig","value":{"url":"https://localhost:%d%s"}}`, i, s.admission.port(), path))
	}
	_, err = s.Kubectl(ctx, "", "patch", "validatingwebhookconfiguration", "apikey-operator", "--type=json", "-p", "["+strings.Join(patch, ",")+"]")
	return err
}

// applySamples waits until admission is there, without which nothing is created.
func (s *Stack) applySamples(ctx context.Context) error {
	s.Progress("kubectl apply -k config/samples")
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, readyTimeout, true, func(ctx context.Context) (bool, error) {
		_, last = s.Kubectl(ctx, "", "apply", "-k", "config/samples")
		return last == nil || !strings.Contains(last.Error(), "failed calling webhook"), nil
	})
	return errors.Join(last, err)
}

func (s *Stack) startOperator(ctx context.Context) error {
	s.Progress("starting the controller and two auth servers, each under its shipped role")
	var err error
	if s.Controller, err = s.StartController("controller"); err != nil {
		return err
	}
	for _, name := range []string{"authserver-1", "authserver-2"} {
		p, err := s.StartAuthServer(name)
		if err != nil {
			return err
		}
		s.AuthServers = append(s.AuthServers, p)
	}
	for _, p := range append([]*Program{s.Controller}, s.AuthServers...) {
		if err := p.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// StartController starts a controller as the shipped service account.
func (s *Stack) StartController(name string) (*Program, error) {
	certificates := filepath.Join(s.Dir, name+"-certificates")
	if err := os.MkdirAll(certificates, 0o700); err != nil {
		return nil, err
	}
	free, err := process.FreePorts(1)
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", free[0])
	s.admission.add(address)
	return s.start(name, "controller", "--webhook-address="+address, "--webhook-cert-dir="+certificates,
		"--self-managed-certificates", "--webhook-names=localhost")
}

// StartAuthServer starts an auth server as the shipped service account. Its audit
// log is in Dir, <name>.audit.log.
func (s *Stack) StartAuthServer(name string) (*Program, error) {
	return s.start(name, "authserver", append([]string{
		"--identity=" + name, // also when it is started again
		"--audit-log=" + filepath.Join(s.Dir, name+".audit.log"),
		"--default-api-hosts=*", "--host-claims=apis=*.billoget.com,apis=api.stax.ai,apis=api.staxbill.com,apis=your-billstack.com",
	}, s.AuthServerArgs...)...)
}

func (s *Stack) start(name, role string, args ...string) (*Program, error) {
	account := "system:serviceaccount:" + systemNamespace + ":apikey-operator-" + role
	kubeconfig, err := s.Cluster.KubeconfigFor(account)
	if err != nil {
		return nil, err
	}
	p := &Program{
		binary: s.binary, log: filepath.Join(s.Dir, name+".log"),
		args: append([]string{role, "--kubeconfig=" + kubeconfig, "--lease-namespace=" + systemNamespace}, args...),
	}
	if err := p.chooseAddresses(role == "authserver"); err != nil {
		return nil, err
	}
	s.stops = append(s.stops, p.Stop)
	return p, p.Start()
}

// Ports of the recipes in config/samples/proxies, which are replaced by free ones.
const (
	recipeEnvoy, recipeNginx   = 10000, 10080
	recipeUpstream             = 8000
	recipeAuthGRPC, recipeAuth = 9001, 9002
)

func (s *Stack) startProxies(ctx context.Context) error {
	s.Progress("starting Envoy and nginx with the recipes in config/samples/proxies")
	var err error
	if s.Upstream, err = startUpstream(); err != nil {
		return err
	}
	s.stops = append(s.stops, s.Upstream.stop)
	free, err := process.FreePorts(2)
	if err != nil {
		return err
	}
	for _, p := range []struct {
		start  func(context.Context, string, proxies.Ports, string) (*proxies.Proxy, error)
		recipe string
		ports  proxies.Ports
	}{
		{proxies.StartEnvoy, "envoy.yaml", proxies.Ports{
			recipeEnvoy: free[0], recipeUpstream: port(s.Upstream.Address), recipeAuthGRPC: port(s.AuthServers[0].GRPC),
		}},
		{proxies.StartNginx, "nginx.conf", proxies.Ports{
			recipeNginx: free[1], recipeUpstream: port(s.Upstream.Address), recipeAuth: port(s.AuthServers[1].HTTP),
		}},
	} {
		proxy, err := p.start(ctx, filepath.Join(s.root, "config/samples/proxies", p.recipe), p.ports, s.Dir)
		if err != nil {
			return err
		}
		s.stops = append(s.stops, proxy.Stop)
	}
	s.Envoy, s.Nginx = fmt.Sprintf("127.0.0.1:%d", free[0]), fmt.Sprintf("127.0.0.1:%d", free[1])
	return nil
}

// port is the number in an address of ours.
func port(address string) int {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0 // no such port: starting the proxy says so
	}
	return int(addr.Port())
}

// Kubectl runs kubectl as administrator in the repository's root and returns what
// it prints.
func (s *Stack) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.kubectl, args...)
	cmd.Dir = s.root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.Cluster.Kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

// KubectlPath is the kubectl that Kubectl runs.
func (s *Stack) KubectlPath() string { return s.kubectl }

// RawKey waits until an APIKey has been issued, and reads its raw key as a
// workload would.
func (s *Stack) RawKey(ctx context.Context, namespace, name string) (string, error) {
	if _, err := s.Kubectl(ctx, "", "wait", "--for=jsonpath={.status.secretPhase}=Present", "--timeout=30s", "-n", namespace, "apikey", name); err != nil {
		return "", err
	}
	secret, err := s.Kubectl(ctx, "", "get", "apikey", "-n", namespace, name, "-o", "jsonpath={.status.secretName}")
	if err != nil {
		return "", err
	}
	encoded, err := s.Kubectl(ctx, "", "get", "secret", "-n", namespace, secret, "-o", `jsonpath={.data.api-key}`)
	if err != nil {
		return "", err
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	return string(raw), err
}

// root is the repository's root.
func root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the repository's root: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
