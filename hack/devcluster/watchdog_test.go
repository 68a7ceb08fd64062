package devcluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

// crash makes the test binary start a cluster and then be killed.
const crash = "DEVCLUSTER_TEST_CRASH"

func TestNothingIsLeftAfterACrash(t *testing.T) {
	if os.Getenv(crash) != "" {
		cluster := devcluster.For(t)
		fmt.Printf("\n%s %s %s\n", crash, filepath.Dir(cluster.Kubeconfig), strings.TrimPrefix(cluster.Config.Host, "https://"))
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	devcluster.For(t) // skips where there is no control plane

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), crash+"=1")
	out, err := cmd.Output()
	if err == nil {
		t.Fatal("the process that was to be killed ended well")
	}
	var dir, address string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == crash {
			dir, address = fields[1], strings.TrimSuffix(fields[2], "/")
		}
	}
	if dir == "" {
		t.Fatalf("no cluster was started: %s", out)
	}
	eventually(t, "the processes and files of the killed process's cluster go", func(ctx context.Context) (bool, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return false, conn.Close()
		}
		_, err = os.Stat(dir)
		return os.IsNotExist(err), nil
	})
	// The directory is in the command line of each process, the watchdog included.
	if _, err := exec.LookPath("pgrep"); err != nil {
		t.Skip("no pgrep to look for processes with")
	}
	eventually(t, "no process of the cluster is left", func(ctx context.Context) (bool, error) {
		var exit *exec.ExitError
		err := exec.CommandContext(ctx, "pgrep", "-f", dir).Run()
		return errors.As(err, &exit) && exit.ExitCode() == 1, nil
	})
}
