package proxies

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/process"
)

// startTimeout is how long a proxy may take until it listens.
const startTimeout = 30 * time.Second

// Ports are the ports of a recipe and those to use instead. It must hold every
// port of the recipe.
type Ports map[int]int

// Proxy is a running proxy.
type Proxy struct {
	process *process.Process
	dir     string
}

// StartEnvoy runs Envoy with a recipe until Stop. It is listening when StartEnvoy
// returns. Its output goes to a file of the recipe's name in logDir.
func StartEnvoy(ctx context.Context, recipe string, ports Ports, logDir string) (*Proxy, error) {
	return start(ctx, parts.Envoy, recipe, ports, logDir, func(_, config string) []string {
		return []string{"--config-path", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"}
	})
}

// StartNginx runs nginx with a recipe until Stop, as StartEnvoy does.
func StartNginx(ctx context.Context, recipe string, ports Ports, logDir string) (*Proxy, error) {
	return start(ctx, parts.Nginx, recipe, ports, logDir, func(dir, config string) []string {
		// One process: no workers could be left behind, and none changes its user.
		return []string{"-p", dir, "-e", "stderr", "-c", config, "-g", "daemon off; master_process off;"}
	})
}

func start(ctx context.Context, p parts.Part, file string, ports Ports, logDir string, args func(dir, config string) []string) (*Proxy, error) {
	program, err := parts.Locate(ctx, p)
	if err != nil {
		return nil, err
	}
	r, err := readRecipe(file, ports)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "apikey-operator-"+string(p)+"-")
	if err != nil {
		return nil, err
	}
	proxy := &Proxy{dir: dir}
	config := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(config, []byte(r.text), 0o600); err != nil {
		return nil, errors.Join(err, proxy.Stop())
	}
	proxy.process, err = process.Start(process.Options{
		Path: program.File,
		Args: args(dir, config),
		Log:  filepath.Join(logDir, filepath.Base(file)+".log"),
	})
	if err != nil {
		return nil, errors.Join(err, proxy.Stop())
	}
	for _, address := range r.listeners {
		if err := proxy.waitFor(ctx, address); err != nil {
			return nil, errors.Join(err, proxy.Stop())
		}
	}
	return proxy, nil
}

// Stop ends the proxy and removes what it wrote, but not its log.
func (p *Proxy) Stop() error {
	var err error
	if p.process != nil {
		err = p.process.Stop()
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// waitFor waits until the proxy listens on an address.
func (p *Proxy) waitFor(ctx context.Context, address string) error {
	var dialer net.Dialer
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.process.Exited():
			return false, p.process.Err()
		default:
		}
		connection, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return false, nil //nolint:nilerr // it doesn't listen yet
		}
		return true, connection.Close()
	})
	if err != nil {
		return fmt.Errorf("waiting for a proxy on %s: %w", address, err)
	}
	return nil
}
