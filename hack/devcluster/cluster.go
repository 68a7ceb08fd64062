package devcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/process"
)

// startTimeout is per program. envtest's 20 s are too few on two cores that
// compile at the same time.
const startTimeout = 2 * time.Minute

// Options says what a cluster starts with.
type Options struct {
	// CRDPaths are files or directories with CustomResourceDefinitions, installed
	// before Start returns. One that doesn't exist is an error.
	CRDPaths []string
	// WebhookPaths are files or directories with webhook configurations. They are
	// pointed at Cluster.Webhooks, where the test then serves.
	WebhookPaths []string
	// AuditGroup is the group of users whose requests are told in AuditLog, in JSON.
	// Unset: nobody's.
	AuditGroup string
	// LogDir keeps the logs of the control plane. By default they go with the
	// cluster, and only a failed start shows their end.
	LogDir string
}

// Cluster is a running control plane.
type Cluster struct {
	// Config is the administrator's (group system:masters).
	Config *rest.Config
	// Kubeconfig is the path of a file with the same access. It goes with the cluster.
	Kubeconfig string
	// Webhooks says where webhooks are expected: LocalServingHost,
	// LocalServingPort and LocalServingCertDir.
	Webhooks envtest.WebhookInstallOptions

	dir      string
	logDir   string
	env      *envtest.Environment
	manager  *process.Process
	watchdog *watchdog

	// usersMu guards env's certificate authority, which counts serial numbers.
	usersMu sync.Mutex
	users   int

	stopOnce sync.Once
	stopErr  error
}

// Start runs a control plane until Stop. It fetches the programs if need be,
// which may take minutes the first time on a machine.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	files := map[parts.Part]string{}
	for _, p := range []parts.Part{parts.APIServer, parts.Etcd, parts.ControllerManager} {
		path, err := parts.Locate(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("development cluster: %w", err)
		}
		files[p] = path.File
	}
	dir, err := os.MkdirTemp("", "apikey-operator-cluster-")
	if err != nil {
		return nil, fmt.Errorf("development cluster: %w", err)
	}
	c := &Cluster{dir: dir, logDir: o.LogDir}
	if err := c.start(ctx, o, files); err != nil {
		return nil, errors.Join(fmt.Errorf("development cluster: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, o Options, files map[parts.Part]string) error {
	if c.logDir == "" {
		c.logDir = filepath.Join(c.dir, "log")
	}
	for _, d := range []string{c.logDir, c.path("bin"), c.path("pid"), c.path("etcd"), c.path("apiserver"), c.path("webhook")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	for p := range files {
		// A directory that the caller keeps has the logs of the last cluster.
		if err := os.RemoveAll(c.logFile(p)); err != nil {
			return err
		}
	}
	var err error
	if c.watchdog, err = startWatchdog(c.dir); err != nil {
		return err
	}
	if err := c.startControlPlane(o, files); err != nil {
		return err
	}
	// Its controllers learn of our kinds at once only if these are there first.
	if err := c.startControllerManager(files[parts.ControllerManager]); err != nil {
		return err
	}
	return c.waitForControllerManager(ctx)
}

// startControlPlane starts etcd and the API server and installs the CRDs.
func (c *Cluster) startControlPlane(o Options, files map[parts.Part]string) error {
	c.env = &envtest.Environment{
		UseExistingCluster:       new(bool), // never somebody's real one, whatever the environment says
		ControlPlaneStartTimeout: startTimeout,
		CRDInstallOptions:        envtest.CRDInstallOptions{Paths: o.CRDPaths, MaxTime: startTimeout},
		ErrorIfCRDPathMissing:    true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{
			Paths:               o.WebhookPaths,
			LocalServingCertDir: c.path("webhook"),
			MaxTime:             startTimeout,
		},
	}
	server := c.env.ControlPlane.GetAPIServer()
	// With a directory of our own it keeps its certificates when restarted.
	server.CertDir = c.path("apiserver")
	if o.AuditGroup != "" {
		if err := c.audit(server, o.AuditGroup); err != nil {
			return err
		}
	}
	c.env.ControlPlane.Etcd = &envtest.Etcd{DataDir: c.path("etcd")}

	etcdLog, err := c.log(parts.Etcd)
	if err != nil {
		return err
	}
	defer func() { _ = etcdLog.Close() }()
	serverLog, err := c.log(parts.APIServer)
	if err != nil {
		return err
	}
	defer func() { _ = serverLog.Close() }()
	c.env.ControlPlane.Etcd.Out, c.env.ControlPlane.Etcd.Err = etcdLog, etcdLog
	server.Out, server.Err = serverLog, serverLog

	if c.env.ControlPlane.Etcd.Path, err = c.traced(parts.Etcd, files[parts.Etcd]); err != nil {
		return err
	}
	if server.Path, err = c.traced(parts.APIServer, files[parts.APIServer]); err != nil {
		return err
	}
	if c.Config, err = c.env.Start(); err != nil {
		return fmt.Errorf("%w%s%s", err, process.LogTail(c.logFile(parts.Etcd)), process.LogTail(c.logFile(parts.APIServer)))
	}
	c.Webhooks = c.env.WebhookInstallOptions
	c.Kubeconfig = c.path("kubeconfig")
	return os.WriteFile(c.Kubeconfig, c.env.KubeConfig, 0o600)
}

// AuditLog is the file that Options.AuditGroup asks for.
func (c *Cluster) AuditLog() string { return filepath.Join(c.logDir, "audit.log") }

// audit has the API server tell of what a group asks, without what is in it.
func (c *Cluster) audit(server *envtest.APIServer, group string) error {
	policy := c.path("audit-policy")
	content := fmt.Sprintf(`{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata","userGroups":[%q]},{"level":"None"}]}`, group)
	if err := os.WriteFile(policy, []byte(content), 0o600); err != nil {
		return err
	}
	server.Configure().Set("audit-policy-file", policy).Set("audit-log-path", c.AuditLog()).Set("audit-log-mode", "blocking")
	return os.RemoveAll(c.AuditLog())
}

// ConfigFor returns access as a user with a client certificate. A service
// account is `system:serviceaccount:<namespace>:<name>`; its groups are added.
func (c *Cluster) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	u, err := c.addUser(user, groups)
	if err != nil {
		return nil, err
	}
	return u.Config(), nil
}

// KubeconfigFor writes the same access to a file, which goes with the cluster,
// and returns its path.
func (c *Cluster) KubeconfigFor(user string, groups ...string) (string, error) {
	u, err := c.addUser(user, groups)
	if err != nil {
		return "", err
	}
	content, err := u.KubeConfig()
	if err != nil {
		return "", fmt.Errorf("kubeconfig for %s: %w", user, err)
	}
	c.usersMu.Lock()
	c.users++
	file := c.path(fmt.Sprintf("kubeconfig-%d", c.users))
	c.usersMu.Unlock()
	return file, os.WriteFile(file, content, 0o600)
}

func (c *Cluster) addUser(name string, groups []string) (*envtest.AuthenticatedUser, error) {
	if account, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok {
		namespace, _, _ := strings.Cut(account, ":")
		groups = append([]string{"system:serviceaccounts", "system:serviceaccounts:" + namespace}, groups...)
	}
	c.usersMu.Lock()
	defer c.usersMu.Unlock()
	// The limits are those of the administrator's configuration.
	u, err := c.env.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: 1000, Burst: 2000})
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	return u, nil
}

// Stop ends all programs of the cluster and removes its files. It may be called
// more than once.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() {
		var errs []error
		if c.manager != nil {
			errs = append(errs, c.manager.Stop())
		}
		if c.env != nil {
			errs = append(errs, c.StopAPIServer(), c.env.Stop())
		}
		// The watchdog finishes off what didn't stop, and removes the directory.
		if c.watchdog != nil {
			errs = append(errs, c.watchdog.release())
		}
		errs = append(errs, os.RemoveAll(c.dir))
		if err := errors.Join(errs...); err != nil {
			c.stopErr = fmt.Errorf("stop the development cluster: %w", err)
		}
	})
	return c.stopErr
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }
