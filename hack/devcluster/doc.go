// Package devcluster runs a real Kubernetes control plane on loopback: etcd and
// kube-apiserver through controller-runtime's envtest, and beside them
// kube-controller-manager, so that garbage collection and the deletion of
// namespaces are real. There are no nodes: Pods stay Pending.
//
// RBAC is on. The administrator's configuration is in Cluster.Config;
// Cluster.ConfigFor gives one for any other user or service account.
//
// A test package starts one cluster for all its tests:
//
//	func TestMain(m *testing.M) {
//		os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{"../config/crd/bases"}}))
//	}
//
//	func TestX(t *testing.T) {
//		cluster := devcluster.For(t)
//		…
//	}
//
// Whatever ends the process that started a cluster, a panic or SIGKILL included,
// ends the cluster.
package devcluster
