package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/process"
)

// The doors of the auth server, as loadgen and baseline call them.
const extAuthz, forwardAuth = "ext_authz", "forward-auth"

const (
	// readyTimeout holds the start with a million keys.
	readyTimeout = 10 * time.Minute
	pollEvery    = 50 * time.Millisecond
)

// lab runs the servers of one comparison.
type lab struct {
	*options
	cores cores
	dir   string // of logs and what else the servers write

	started []*process.Process
	n       int // programs that were started
}

// server is what can be asked.
type server struct {
	process *process.Process
	door    map[string]string // addresses
	metrics string
}

// end ends all servers, the last one first. They are ours, and ended by their process.
func (l *lab) end() error {
	var err error
	for i := len(l.started) - 1; i >= 0; i-- {
		err = errors.Join(err, l.started[i].Stop())
	}
	l.started = nil
	return err
}

// start starts a program on a core.
func (l *lab) start(core int, program string, args ...string) (*process.Process, error) {
	path, args := l.cores.command(core, filepath.Join(l.bin, program), args)
	l.n++
	p, err := process.Start(process.Options{
		Path: path, Args: args, Env: []string{"GOMAXPROCS=1"},
		Log: filepath.Join(l.dir, fmt.Sprintf("%s-%d.log", filepath.Base(program), l.n)),
	})
	if err != nil {
		return nil, err
	}
	l.started = append(l.started, p)
	return p, nil
}

// baseline starts the server that does nothing.
func (l *lab) baseline(ctx context.Context, door string) (*server, error) {
	ports, err := process.FreePorts(1)
	if err != nil {
		return nil, err
	}
	address := local(ports[0])
	p, err := l.start(l.cores.server, "bench/baseline", "-door", door, "-address", address)
	if err != nil {
		return nil, err
	}
	s := &server{process: p, door: map[string]string{door: address}}
	return s, s.until(ctx, func(ctx context.Context) bool {
		return l.once(ctx, s, question{door: door, want: http.StatusOK, keys: 1}) == nil
	})
}

// authServer starts the shipped binary, and waits until it knows its keys, and of
// others that they are nobody's.
func (l *lab) authServer(ctx context.Context, r *replay, flags ...string) (*server, error) {
	ports, err := process.FreePorts(4)
	if err != nil {
		return nil, err
	}
	s := &server{door: map[string]string{extAuthz: local(ports[0]), forwardAuth: local(ports[1])}, metrics: local(ports[3])}
	health := local(ports[2])
	args := append([]string{
		"authserver", "--kubeconfig=" + r.kubeconfig, "--trusted-callers=127.0.0.1/32", "--log-level=warn",
		"--grpc-address=" + s.door[extAuthz], "--http-address=" + s.door[forwardAuth], "--health-address=" + health,
		"--metrics-address=" + s.metrics,
	}, flags...) // of flags that are there twice the last one counts
	if s.process, err = l.start(l.cores.server, "apikey-operator", args...); err != nil {
		return nil, err
	}
	if err := s.until(ctx, func(ctx context.Context) bool { _, err := get(ctx, "http://"+health+"/readyz"); return err == nil }); err != nil {
		return nil, fmt.Errorf("waiting until the auth server is ready: %w", err)
	}
	unknown := question{door: extAuthz, want: http.StatusUnauthorized, unknown: true}
	return s, s.until(ctx, func(ctx context.Context) bool { return l.once(ctx, s, unknown) == nil })
}

// until waits until a server does something.
func (s *server) until(ctx context.Context, does func(context.Context) bool) error {
	return until(ctx, s.process, does)
}

func until(ctx context.Context, p *process.Process, does func(context.Context) bool) error {
	return wait.PollUntilContextTimeout(ctx, pollEvery, readyTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.Exited():
			return false, p.Err()
		default:
			return does(ctx), nil
		}
	})
}

// cpu is the time that a server has used, 0 where that can't be told.
func (s *server) cpu() time.Duration {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.PID()), "stat"))
	if err != nil {
		return 0
	}
	return usedCPU(string(stat))
}

// memory is what a server has in memory, now and at most so far, in bytes; 0 where that can't be told.
func (s *server) memory() (now, most int) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.PID()), "status"))
	if err != nil {
		return 0, 0
	}
	return kilobytes(string(status), "VmRSS") << 10, kilobytes(string(status), "VmHWM") << 10
}

func local(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// get returns what is at a URL. It returns an error if that isn't OK.
func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d", url, response.StatusCode)
	}
	return string(body), err
}
