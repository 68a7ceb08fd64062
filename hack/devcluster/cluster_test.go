package devcluster_test

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

func TestMain(m *testing.M) {
	os.Exit(devcluster.Run(m, devcluster.Options{}))
}

func clientFor(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// newNamespace makes a namespace that goes with the test.
func newNamespace(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	namespaces := client.CoreV1().Namespaces()
	n, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "devcluster-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := namespaces.Delete(context.Background(), n.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return n.Name
}

// eventually fails the test if done doesn't become true.
func eventually(t *testing.T, what string, done func(context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, done); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestGarbageCollection(t *testing.T) {
	client := clientFor(t, devcluster.For(t).Config)
	configMaps := client.CoreV1().ConfigMaps(newNamespace(t, client))
	owner, err := configMaps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = configMaps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name:            "owned",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := configMaps.Delete(t.Context(), owner.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the owned ConfigMap goes after its owner", func(ctx context.Context) (bool, error) {
		_, err := configMaps.Get(ctx, "owned", metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

func TestNamespaceDeletion(t *testing.T) {
	client := clientFor(t, devcluster.For(t).Config)
	name := newNamespace(t, client)
	if err := client.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace goes", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

func TestRBAC(t *testing.T) {
	cluster := devcluster.For(t)
	admin := clientFor(t, cluster.Config)
	namespace := newNamespace(t, admin)
	const account = "reader"
	user := "system:serviceaccount:" + namespace + ":" + account

	// Through the file, so that both ways to get access are seen to work.
	kubeconfig, err := cluster.KubeconfigFor(user)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	reader := clientFor(t, config)

	if _, err := reader.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Fatalf("an account without a role lists Secrets: got %v, want Forbidden", err)
	}
	_, err = admin.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the role view lets the account list ConfigMaps", func(ctx context.Context) (bool, error) {
		_, err := reader.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
		return err == nil, nil
	})
	if _, err := reader.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Fatalf("an account with the role view lists Secrets: got %v, want Forbidden", err)
	}
}

func TestAPIServerRestarts(t *testing.T) {
	cluster := devcluster.For(t)
	config, err := cluster.ConfigFor("somebody", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	client := clientFor(t, config)
	namespace := newNamespace(t, client)

	if err := cluster.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
	if startErr := cluster.StartAPIServer(); startErr != nil {
		t.Fatal(startErr)
	}
	if err == nil {
		t.Error("a stopped API server answers")
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{}); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}
