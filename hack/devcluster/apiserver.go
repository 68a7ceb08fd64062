package devcluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/process"
)

// stopTimeout is how long a killed API server may take to be gone.
const stopTimeout = 20 * time.Second

// StopAPIServer ends only the API server: every access fails until
// StartAPIServer brings it back at the same address, with the same data.
//
// It is killed: asked to stop, it would wait up to a minute for clients that
// watch, and it has no state of its own to lose.
func (c *Cluster) StopAPIServer() error {
	pid, err := c.processID(parts.APIServer)
	if errors.Is(err, os.ErrNotExist) {
		return nil // never started
	}
	if err != nil {
		return fmt.Errorf("stop the API server: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill the API server: %w", err)
	}
	// envtest complains of a process that is gone until it has noticed itself.
	var last error
	until := wait.Backoff{Duration: 10 * time.Millisecond, Steps: int(stopTimeout / (10 * time.Millisecond))}
	err = wait.ExponentialBackoff(until, func() (bool, error) {
		last = c.env.ControlPlane.APIServer.Stop()
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("stop the API server: %w", last)
	}
	return os.Remove(c.processFile(parts.APIServer))
}

// StartAPIServer ends what StopAPIServer began.
func (c *Cluster) StartAPIServer() error {
	log, err := c.log(parts.APIServer)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	server := c.env.ControlPlane.APIServer
	server.Out, server.Err = log, log
	if err := server.Start(); err != nil {
		return fmt.Errorf("start the API server: %w%s", err, process.LogTail(c.logFile(parts.APIServer)))
	}
	return nil
}

// processID reads what the tracer noted.
func (c *Cluster) processID(p parts.Part) (int, error) {
	content, err := os.ReadFile(c.processFile(p))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}
