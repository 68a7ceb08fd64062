package devcluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/process"
)

// controllers are those that do something in a cluster without nodes that the
// operator or its tests see. All of them would cost several times the CPU.
var controllers = []string{
	"garbage-collector-controller",
	"namespace-controller",
	"serviceaccount-controller",
	"clusterrole-aggregation-controller",
	"resourcequota-controller",
	"validatingadmissionpolicy-status-controller",
}

// startControllerManager runs it as an administrator. It listens nowhere.
func (c *Cluster) startControllerManager(file string) error {
	kubeconfig, err := c.KubeconfigFor("system:kube-controller-manager", "system:masters")
	if err != nil {
		return err
	}
	command, err := c.traced(parts.ControllerManager, file)
	if err != nil {
		return err
	}
	c.manager, err = process.Start(process.Options{Path: command, Log: c.logFile(parts.ControllerManager), Args: []string{
		"--kubeconfig=" + kubeconfig,
		"--controllers=" + strings.Join(controllers, ","),
		"--leader-elect=false",
		"--secure-port=0",
		// Tests create and delete in bursts that the default of 20 a second
		// would stretch.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	}})
	return err
}

// waitForControllerManager waits for its first visible deed.
func (c *Cluster) waitForControllerManager(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	accounts := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault)
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-c.manager.Exited():
			return false, c.manager.Err()
		default:
		}
		_, err := accounts.Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the controller manager: %w", err)
	}
	return nil
}
