package apikey

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// checkout is a Git repository with the samples, and a remote that it is pushed to.
type checkout struct {
	*world
	dir, remote string
	env         []string
}

// newCheckout makes one whose keys are of the world's namespace.
func (w *world) newCheckout() checkout {
	w.Helper()
	kubectl := parts.Need(w.T, parts.Kubectl)
	if _, err := exec.LookPath("git"); err != nil {
		w.Skip(err)
	}
	home := w.TempDir()
	c := checkout{world: w, dir: filepath.Join(home, "deploy"), remote: filepath.Join(home, "remote")}
	c.env = append(os.Environ(), "HOME="+home, "KUBECONFIG="+devcluster.For(w.T).Kubeconfig,
		"PATH="+filepath.Dir(kubectl)+string(filepath.ListSeparator)+os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=pipeline", "GIT_AUTHOR_EMAIL=pipeline@example.com", "GIT_COMMITTER_NAME=pipeline", "GIT_COMMITTER_EMAIL=pipeline@example.com")
	const samples = "../../config/samples/gitops"
	w.must(os.MkdirAll(filepath.Join(c.dir, "keys"), 0o755))
	for _, name := range []string{"rotate.sh", "keys/kustomization.yaml", "keys/apikey.yaml", "keys/rotation.yaml"} {
		content, err := os.ReadFile(filepath.Join(samples, name))
		w.must(err)
		for _, old := range []string{"namespace: shop", "namespace=shop"} {
			content = bytes.ReplaceAll(content, []byte(old), []byte(strings.TrimSuffix(old, "shop")+w.namespace))
		}
		w.must(os.WriteFile(filepath.Join(c.dir, name), content, 0o644))
	}
	c.run("git", "init", "--quiet", "--bare", "--initial-branch=main", c.remote)
	c.run("git", "init", "--quiet", "--initial-branch=main")
	c.run("git", "remote", "add", "origin", c.remote)
	c.run("git", "add", ".")
	c.run("git", "commit", "--quiet", "--message", "Keys")
	c.run("git", "push", "--quiet", "--set-upstream", "origin", "main")
	return c
}

func (c checkout) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.Context(), name, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

func (c checkout) run(name string, args ...string) string {
	c.Helper()
	out, err := c.command(name, args...).CombinedOutput()
	if err != nil {
		c.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// sync applies what was pushed, as Flux does.
func (c checkout) sync() {
	c.Helper()
	pushed := filepath.Join(c.TempDir(), "pushed")
	c.run("git", "clone", "--quiet", c.remote, pushed)
	u := &unstructured.Unstructured{}
	c.must(yaml.Unmarshal([]byte(c.run("kubectl", "kustomize", filepath.Join(pushed, "keys"))), &u.Object))
	c.applies(u, flux, client.ForceOwnership)
}

// TestRotationPipeline runs config/samples/gitops/rotate.sh: its commit rotates, and it
// ends when the new key is in the Secret and all auth servers know of it.
func TestRotationPipeline(t *testing.T) {
	w := newWorld(t)
	c, r := w.newCheckout(), w.controller()
	c.sync()
	w.with(r, "storefront")
	w.report("a", w.revision())
	w.with(r, "storefront")
	first := w.raw("storefront")

	said := &transcript{}
	script, done := c.command("sh", "rotate.sh", "2026-12"), make(chan error, 1)
	script.Stdout, script.Stderr = said, said
	w.must(script.Start())
	go func() { done <- script.Wait() }()
	ended := func() bool { return len(done) > 0 }
	commits := func() bool {
		return strings.Contains(c.run("git", "-C", c.remote, "log", "--format=%s", "main"), "Rotate storefront: 2026-12")
	}
	w.eventually("the commit is pushed, or the script has failed", func() bool { return commits() || ended() })

	c.sync()
	w.with(r, "storefront")
	w.want("storefront", "Active | True Issued | Present storefront | Pending, Current")
	if w.raw("storefront") != first || ended() {
		t.Fatalf("it doesn't wait for the auth server: ended=%v\n%s", ended(), said.String())
	}
	w.report("a", w.revision())
	w.with(r, "storefront")
	w.want("storefront", "Active | True Issued | Present storefront | Current, Retiring 24h")
	w.wantCondition("storefront", v1alpha1.ConditionPropagated, "False Propagating")
	if ended() {
		t.Fatalf("it doesn't wait for Propagated\n%s", said.String())
	}
	w.report("a", w.revision())
	w.with(r, "storefront")
	w.eventually("the script has ended", ended)
	if err := <-done; err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if triggers := w.key("storefront").Status.ObservedTriggers; strings.Join(triggers, " ") != "2026-11 2026-12" || w.raw("storefront") == first {
		t.Errorf("observedTriggers are %q; the key is another: %v", triggers, w.raw("storefront") != first)
	}
}
