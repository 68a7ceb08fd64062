package presence

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{"../../config/crd/bases"}}))
}
