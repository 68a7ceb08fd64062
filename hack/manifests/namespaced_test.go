package manifests

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/hack/authority"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/process"
	"github.com/apikey-operator/apikey-operator/hack/rights"
)

// tenant is an install of the namespaced mode: the chart's Roles, and the programs that
// run under them.
type tenant struct {
	*installation
	// namespace is the operator's, and of is what it is for.
	namespace, of string
	binary, dir   string
}

// start runs one of the programs as the chart's service account.
func (n *tenant) start(t *testing.T, role string, args ...string) {
	t.Helper()
	kubeconfig, err := n.cluster.KubeconfigFor("system:serviceaccount:" + n.namespace + ":apikey-operator-" + role)
	if err != nil {
		t.Fatal(err)
	}
	ports, err := process.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	health := fmt.Sprintf("127.0.0.1:%d", ports[0])
	args = append([]string{role, "--kubeconfig=" + kubeconfig, "--lease-namespace=" + n.namespace, "--namespaces=" + n.of, "--health-address=" + health, "--metrics-address="}, args...)
	log := filepath.Join(n.dir, n.namespace+"-"+role+".log")
	p, err := process.Start(process.Options{Path: n.binary, Args: args, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	eventually(t, role+" is ready", func() (bool, string) {
		response, err := http.Get("http://" + health + "/readyz")
		if err != nil {
			return false, err.Error() + process.LogTail(log)
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK, response.Status + process.LogTail(log)
	})
}

// issues demands that an APIKey gets its Secret.
func (n *tenant) issues(t *testing.T) {
	t.Helper()
	key := object(t, "APIKey", `{}`)
	key.SetNamespace(n.of)
	if err := n.Create(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a key in "+n.of, func() (bool, string) {
		s := &corev1.Secret{}
		err := n.Get(t.Context(), client.ObjectKeyFromObject(key), s)
		return err == nil && len(s.Data["api-key"]) > 0, fmt.Sprint(err)
	})
}

// Two installs for a namespace each run under the chart's Roles and no ClusterRole, one
// with admission: each issues keys, and is refused nothing that it asks for.
func TestNamespacedModeNeedsNoMore(t *testing.T) {
	i := newInstallation(t, devcluster.Options{AuditGroup: "system:serviceaccounts"})
	dir := t.TempDir()
	binary := filepath.Join(dir, "apikey-operator")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/apikey-operator").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	i.apply(t, only(parse(t, i.manifest), "CustomResourceDefinition")...)
	shop, apis := &tenant{i, "shop-keys", "shop", binary, dir}, &tenant{i, "apis-keys", "apis", binary, dir}
	for _, n := range []*tenant{shop, apis} {
		if err := i.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.of}}); err != nil {
			t.Fatal(err)
		}
	}
	chartArgs := func(n *tenant, args ...string) []string {
		return append([]string{"install", "keys", chart, "--namespace", n.namespace, "--create-namespace", "--set", "crds.enabled=false,namespaces={" + n.of + "}"}, args...)
	}

	i.helm(t, chartArgs(shop)...)
	shop.start(t, "controller", "--self-managed-certificates", "--webhook-cert-dir="+t.TempDir())
	shop.start(t, "authserver", loopback(t)...)
	shop.issues(t)
	eventually(t, "a certificate for auth servers", func() (bool, string) {
		s := &corev1.Secret{}
		err := i.Get(t.Context(), client.ObjectKey{Namespace: shop.namespace, Name: "apikey-operator-authserver-tls"}, s)
		return err == nil && len(s.Data) == 4, fmt.Sprint(err, len(s.Data))
	})

	ca := authority.New(t)
	authority.Write(t, filepath.Join(dir, "ca.crt"), ca.PEM)
	i.helm(t, chartArgs(apis, "--set", "certificates.source=provided", "--set-file", "certificates.caBundle="+filepath.Join(dir, "ca.crt"))...)
	apis.admit(t, ca)
	apis.start(t, "authserver", loopback(t)...)
	apis.issues(t)
	apis.refuses(t)

	for _, n := range []*tenant{shop, apis} {
		n.wantNothingRefused(t)
	}
}

// loopback are the arguments of an auth server's doors.
func loopback(t *testing.T) []string {
	t.Helper()
	ports, err := process.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	return []string{fmt.Sprintf("--grpc-address=127.0.0.1:%d", ports[0]), fmt.Sprintf("--http-address=127.0.0.1:%d", ports[1])}
}

// admit starts a controller with admission, and has the API server find it without a
// network of Pods.
func (n *tenant) admit(t *testing.T, ca *authority.Authority) {
	t.Helper()
	ports, err := process.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	certificates := t.TempDir()
	ca.IssueTo(t, certificates, "localhost")
	n.start(t, "controller", fmt.Sprintf("--webhook-address=127.0.0.1:%d", ports[0]), "--webhook-cert-dir="+certificates)
	v := issued{Client: n.Client}.configuration(t, "apikey-operator-"+n.namespace)
	for i := range v.Webhooks {
		at := &v.Webhooks[i].ClientConfig
		if string(at.CABundle) != string(ca.PEM) {
			t.Errorf("the CA bundle is %q", at.CABundle)
		}
		url := fmt.Sprintf("https://localhost:%d%s", ports[0], *at.Service.Path)
		at.Service, at.URL = nil, &url
	}
	if err := n.Update(t.Context(), v); err != nil {
		t.Fatal(err)
	}
}

// refuses demands that whoever may write APIKeys may not grant what they open.
func (n *tenant) refuses(t *testing.T) {
	t.Helper()
	config, err := n.cluster.ConfigFor("jane")
	if err != nil {
		t.Fatal(err)
	}
	jane, err := client.New(rest.CopyConfig(config), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	role := parse(t, fmt.Sprintf(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"request","namespace":%q},"rules":[{"apiGroups":["apikey-operator.dev"],"resources":["apikeys"],"verbs":["create"]}]}`, n.of))
	binding := parse(t, fmt.Sprintf(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"request","namespace":%q},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"request"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"jane"}]}`, n.of))
	n.apply(t, append(role, binding...)...)
	key := object(t, "APIKey", `{}`)
	key.SetNamespace(n.of)
	key.SetName("janes")
	eventually(t, "admission refuses", func() (bool, string) {
		err := jane.Create(t.Context(), key.DeepCopy(), client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "admission webhook") && strings.Contains(err.Error(), "issue"), fmt.Sprint(err)
	})
}

// wantNothingRefused demands that the programs weren't refused anything, and says what
// they didn't ask for.
func (n *tenant) wantNothingRefused(t *testing.T) {
	t.Helper()
	for _, account := range []string{"apikey-operator-controller", "apikey-operator-authserver"} {
		log, err := os.Open(n.cluster.AuditLog())
		if err != nil {
			t.Fatal(err)
		}
		asked, err := rights.Asked(log, "system:serviceaccount:"+n.namespace+":"+account)
		_ = log.Close() // read only
		if err != nil || len(asked) < 3 {
			t.Errorf("%s in %s asked %d times, %v: this test looks at too little", account, n.namespace, len(asked), err)
		}
		for _, q := range asked {
			if q.Status == http.StatusForbidden {
				t.Errorf("%s in %s was refused %s", account, n.namespace, q)
			}
		}
	}
}
