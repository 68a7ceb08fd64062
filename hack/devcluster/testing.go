package devcluster

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// shared is the one cluster of a test package.
var shared struct {
	options Options
	start   sync.Once
	cluster *Cluster
	err     error
}

// Run is what a package's TestMain returns to os.Exit. The cluster is started by
// the first test that asks For it, so that the others need none.
func Run(m *testing.M, o Options) int {
	shared.options = o
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// For returns the package's cluster. Where the programs can't be had the test is
// skipped, see parts.Need.
func For(t testing.TB) *Cluster {
	t.Helper()
	for _, p := range []parts.Part{parts.APIServer, parts.Etcd, parts.ControllerManager} {
		parts.Need(t, p)
	}
	shared.start.Do(func() {
		// It outlives the test that happens to be the first.
		shared.cluster, shared.err = Start(context.WithoutCancel(t.Context()), shared.options)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}
