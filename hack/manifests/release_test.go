package manifests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/hack/authority"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// installation is a cluster of its own, since charts and manifests bring the CRDs.
// Only the API server is there: nothing waits for Pods.
type installation struct {
	client.Client
	cluster  *devcluster.Cluster
	manifest string
}

func newInstallation(t *testing.T, o devcluster.Options) *installation {
	t.Helper()
	parts.Need(t, parts.Helm)
	devcluster.For(t) // skips where there is none
	cluster, err := devcluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(cluster.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &installation{Client: c, cluster: cluster, manifest: kustomize(t, "default")}
}

func (i *installation) helm(t *testing.T, args ...string) {
	t.Helper()
	if _, err := run(t, "", parts.Need(t, parts.Helm), append(args, "--kubeconfig", i.cluster.Kubeconfig)...); err != nil {
		t.Fatal(err)
	}
}

func (i *installation) apply(t *testing.T, objects ...*unstructured.Unstructured) {
	t.Helper()
	if _, err := run(t, render(t, objects...), parts.Need(t, parts.Kubectl), "apply", "--server-side", "-f", "-", "--kubeconfig", i.cluster.Kubeconfig); err != nil {
		t.Fatal(err)
	}
}

// wantLeft demands that of the manifest only these are there, once all is deleted that
// is being deleted.
func (i *installation) wantLeft(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, "what is left is "+strings.Join(want, ", "), func() (bool, string) {
		var left []string
		for _, o := range parse(t, i.manifest) {
			if i.get(t, o) != "" {
				left = append(left, id(o))
			}
		}
		slices.Sort(left)
		return slices.Equal(left, want), strings.Join(left, ", ")
	})
}

// get returns an object as the API server has it, in text; nothing, if it hasn't.
func (i *installation) get(t *testing.T, like client.Object) string {
	t.Helper()
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(like.GetObjectKind().GroupVersionKind())
	err := i.Get(t.Context(), client.ObjectKeyFromObject(like), o)
	if apierrors.IsNotFound(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return render(t, o)
}

// The kinds, which outlive what brought them.
var kinds = []string{"CustomResourceDefinition apikeys.apikey-operator.dev", "CustomResourceDefinition protectedapis.apikey-operator.dev"}

// wantNotImported demands what docs/install.md says of kinds that kubectl has installed:
// they are in a release's way, unless it takes them or leaves them alone.
func (i *installation) wantNotImported(t *testing.T, release []string) {
	t.Helper()
	install := append([]string{"install", "--dry-run=server", "--kubeconfig", i.cluster.Kubeconfig}, release...)
	for what, row := range map[string]struct {
		args []string
		want string
	}{
		"as it is":       {nil, "cannot be imported"},
		"taken over":     {[]string{"--take-ownership", "--force-conflicts"}, ""},
		"without a kind": {[]string{"--set", "crds.enabled=false"}, ""},
	} {
		_, err := run(t, "", parts.Need(t, parts.Helm), append(slices.Clone(install), row.args...)...)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", what, err, row.want)
		}
	}
}

// A chart's life: it takes over what kubectl applied, is upgraded, and goes, and so does
// the manifest, and no key is lost on the way.
func TestReleases(t *testing.T) {
	i := newInstallation(t, devcluster.Options{})
	i.apply(t, only(parse(t, i.manifest), "CustomResourceDefinition")...)
	key := object(t, "APIKey", `{}`)
	key.SetNamespace("default")
	eventually(t, "an APIKey can be created", func() (bool, string) {
		err := i.Create(t.Context(), key)
		return err == nil, fmt.Sprint(err)
	})

	release := []string{"apikey-operator", chart, "--namespace", system}
	i.wantNotImported(t, release)

	// What kubectl applied it owns, until it is changed.
	i.apply(t, parse(t, i.manifest)...)
	i.helm(t, append([]string{"install", "--take-ownership", "--force-conflicts"}, release...)...)
	certificates := issued{i.Client, authority.New(t).PEM}
	certificates.write(t)
	i.helm(t, append([]string{"upgrade", "--force-conflicts", "--set", "wrongKeyLimit=10"}, release...)...)
	certificates.wantKept(t, 5)
	for _, o := range only(parse(t, i.manifest), "Deployment") {
		if got := i.get(t, o); strings.Contains(got, "--wrong-key-limit=10") != (o.GetName() == "apikey-operator-authserver") {
			t.Errorf("the upgrade didn't reach the auth server, and only it: %s", got)
		}
	}

	// Another one beside it, of the namespaced mode.
	i.helm(t, "install", "keys", chart, "--namespace", "shop-keys", "--create-namespace", "--values", chart+"/ci/namespaced.yaml", "--set", "namespaces={shop-keys}")
	i.helm(t, "uninstall", "keys", "--namespace", "shop-keys")

	i.helm(t, "uninstall", "apikey-operator", "--namespace", system)
	i.wantLeft(t, append(slices.Clone(kinds), "Namespace "+system)...)
	i.helm(t, append([]string{"install"}, release...)...)
	i.helm(t, "uninstall", "apikey-operator", "--namespace", system)

	// One that has admission stays when the whole cluster's goes.
	i.helm(t, "install", "keys", chart, "--namespace", "shop-keys", "--values", chart+"/ci/provided.yaml", "--set", "crds.enabled=false,namespaces={shop-keys}")
	i.apply(t, parse(t, i.manifest)...)
	shell(t, i.cluster, commands(t, "install.md", "To take the operator away and keep the keys"))
	i.wantLeft(t, slices.Clone(kinds)...)
	issued{Client: i.Client}.configuration(t, "apikey-operator-shop-keys")
	if i.get(t, key) == "" {
		t.Error("the key is gone")
	}
	shell(t, i.cluster, commands(t, "install.md", "To take away the keys as well"))
	i.wantLeft(t)
	i.helm(t, append([]string{"install", "--create-namespace", "--set", "crds.keep=false"}, release...)...)
	i.helm(t, "uninstall", "apikey-operator", "--namespace", system)
	i.wantLeft(t, "Namespace "+system)
}
