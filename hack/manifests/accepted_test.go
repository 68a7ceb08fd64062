package manifests

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// cluster is the package's, once the namespaces are there that manifests are for, and
// the kinds of cert-manager.
var cluster struct {
	once sync.Once
	client.Client
	err error
}

// connect returns a client of the cluster.
func connect(t *testing.T) client.Client {
	t.Helper()
	schemas := filepath.Join(filepath.Dir(parts.Need(t, parts.GatewaySchemas)), parts.SchemaDir)
	ours := devcluster.For(t)
	cluster.once.Do(func() {
		paths := []string{schemas + "/cert-manager-certificates.yaml", schemas + "/cert-manager-issuers.yaml"}
		if _, cluster.err = envtest.InstallCRDs(ours.Config, envtest.CRDInstallOptions{Paths: paths, ErrorIfPathMissing: true, MaxTime: time.Minute}); cluster.err != nil {
			return
		}
		if cluster.Client, cluster.err = client.New(ours.Config, client.Options{}); cluster.err != nil {
			return
		}
		for _, name := range []string{system, "shop", "apis"} {
			n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
			if name == system {
				n.Labels = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
			}
			cluster.err = errors.Join(cluster.err, cluster.Create(context.WithoutCancel(t.Context()), n))
		}
	})
	if cluster.err != nil {
		t.Fatal(cluster.err)
	}
	return cluster.Client
}

// kubectl runs it as the cluster's administrator.
func kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	return run(t, stdin, parts.Need(t, parts.Kubectl), append([]string{"--kubeconfig", devcluster.For(t).Kubeconfig}, args...)...)
}

// dryRun has the API server say what it thinks of a manifest, an unknown field included.
func dryRun(t *testing.T, text string) error {
	t.Helper()
	_, err := kubectl(t, text, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-")
	return err
}

// The API server takes each object as it is, and not with a field too many.
func TestTheAPIServerTakesEveryManifest(t *testing.T) {
	connect(t)
	take := func(name, text string) {
		t.Run(name, func(t *testing.T) {
			if len(parse(t, text)) == 0 {
				t.Fatal("there is nothing in it")
			}
			if err := dryRun(t, text); err != nil {
				t.Error(err)
			}
		})
	}
	for name, b := range builds {
		take(name, kustomize(t, b.folder, b.components...))
	}
	for _, file := range valuesFiles(t) {
		take("chart, "+filepath.Base(file), mustTemplate(t, withValues(file)...))
	}
	for _, o := range parse(t, kustomize(t, "default", components...)) {
		// These hold whatever one likes.
		if free := []string{"CustomResourceDefinition", "Secret"}; slices.Contains(free, o.GetKind()) {
			continue
		}
		o.Object["misspelt"] = "field"
		if err := dryRun(t, render(t, o)); err == nil || !strings.Contains(err.Error(), "misspelt") {
			t.Errorf("%s with a field that isn't there: got %v", id(o), err)
		}
	}
}

// elsewhere is what tests hold against its own schemas in other packages.
var elsewhere = map[string]string{
	"chart":            "rendered above, with each file of values",
	"components":       "patches and additions, built above",
	"samples/gateways": "kinds of Envoy Gateway, Istio, Traefik and ingress-nginx: hack/gateways",
	"samples/gitops":   "kinds of Argo CD, Flux, External Secrets and Reloader: hack/gateways; its folder keys is built above",
	"samples/proxies":  "configuration of proxies: webhook/authn/proxies runs it",
}

// Every manifest of config is in a build, or among the few that are tested elsewhere.
func TestEveryManifestIsTested(t *testing.T) {
	built := map[string]bool{}
	for _, b := range builds {
		for _, o := range parse(t, kustomize(t, b.folder, b.components...)) {
			built[o.GetKind()+" "+o.GetName()] = true
		}
	}
	err := filepath.WalkDir(config, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(config, path)
		if err != nil {
			return err
		}
		if elsewhere[filepath.ToSlash(name)] != "" {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".yaml" || d.Name() == "kustomization.yaml" {
			return nil
		}
		for _, o := range parse(t, read(t, path)) {
			if !built[o.GetKind()+" "+o.GetName()] {
				t.Errorf("%s: %s is in no kustomization", name, id(o))
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	folders, err := filepath.Glob(config + "/components/*")
	if err != nil || len(folders) != len(components) {
		t.Errorf("the components are %q, %v: all of them belong into these tests", folders, err)
	}
}

// Our Pods are admitted where Pod Security enforces `restricted`.
func TestPodsAreRestricted(t *testing.T) {
	c := connect(t)
	texts := map[string]string{}
	for name, b := range builds {
		if b.folder == "default" {
			texts[name] = kustomize(t, b.folder, b.components...)
		}
	}
	for _, file := range valuesFiles(t) {
		texts["chart, "+filepath.Base(file)] = mustTemplate(t, withValues(file)...)
	}
	accounts := render(t, only(parse(t, texts["install.yaml"]), "ServiceAccount")...)
	if _, err := kubectl(t, accounts, "apply", "--server-side", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		deployments := only(parse(t, text), "Deployment")
		if len(deployments) != 2 {
			t.Errorf("%s: there are %d Deployments", name, len(deployments))
		}
		for _, d := range deployments {
			if err := c.Create(t.Context(), podOf(t, d), client.DryRunAll); err != nil {
				t.Errorf("%s: %s: %v", name, d.GetName(), err)
			}
			lax := podOf(t, d)
			lax.Spec.Containers[0].SecurityContext.Capabilities = nil
			if err := c.Create(t.Context(), lax, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "restricted") {
				t.Errorf("%s: %s with capabilities: got %v", name, d.GetName(), err)
			}
		}
	}
}

// podOf is a Pod as a Deployment's ReplicaSet creates it.
func podOf(t *testing.T, d *unstructured.Unstructured) *corev1.Pod {
	t.Helper()
	template, found, err := unstructured.NestedMap(d.Object, "spec", "template")
	if err != nil || !found {
		t.Fatalf("%s has no template: %v", id(d), err)
	}
	var typed corev1.PodTemplateSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(template, &typed, true); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: typed.ObjectMeta, Spec: typed.Spec}
	pod.Namespace, pod.GenerateName = system, d.GetName()+"-"
	return pod
}
