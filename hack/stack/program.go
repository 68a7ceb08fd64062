package stack

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/process"
)

// readyTimeout is how long a program may take until it is ready.
const readyTimeout = time.Minute

// Program is a process of the operator.
type Program struct {
	// Health, Metrics, GRPC and HTTP are "host:port"; the last two are an auth
	// server's only.
	Health, Metrics, GRPC, HTTP string

	binary, log string
	args        []string
	process     *process.Process
}

func (p *Program) chooseAddresses(authserver bool) error {
	ports, err := process.FreePorts(4)
	if err != nil {
		return err
	}
	flags := []struct {
		flag    string
		address *string
	}{{"--health-address", &p.Health}, {"--metrics-address", &p.Metrics}, {"--grpc-address", &p.GRPC}, {"--http-address", &p.HTTP}}
	if !authserver {
		flags = flags[:2]
	}
	for i, f := range flags {
		*f.address = fmt.Sprintf("127.0.0.1:%d", ports[i])
		p.args = append(p.args, f.flag+"="+*f.address)
	}
	return nil
}

// Start starts the program, again after Stop or Kill, on the same addresses.
func (p *Program) Start() error {
	started, err := process.Start(process.Options{Path: p.binary, Args: p.args, Log: p.log})
	p.process = started
	return err
}

// Stop ends the program as Kubernetes would.
func (p *Program) Stop() error {
	if p.process == nil {
		return nil
	}
	return p.process.Stop()
}

// Kill ends the program as a crash would.
func (p *Program) Kill() error { return p.process.Kill() }

// WaitReady waits until /readyz says so.
func (p *Program) WaitReady(ctx context.Context) error {
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, readyTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.process.Exited():
			return false, p.process.Err()
		default:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Health+"/readyz", nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil // it doesn't listen yet
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK, nil
	})
}
