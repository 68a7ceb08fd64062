package manifests

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apikey-operator/apikey-operator/hack/authority"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// commands are the lines of shell below a heading, or a text, of a page of docs.
func commands(t *testing.T, page, below string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../docs/"+page), below)
	_, rest, block := strings.Cut(rest, "```sh\n")
	script, _, ends := strings.Cut(rest, "```\n")
	if !found || !block || !ends {
		t.Fatalf("docs/%s has no commands below %q", page, below)
	}
	return script
}

// documented is a folder with what `make dist` puts beside each other, and the
// kustomization of docs/install.md.
func documented(t *testing.T) string {
	t.Helper()
	_, rest, block := strings.Cut(read(t, "../../docs/install.md"), "```yaml\n")
	text, _, ends := strings.Cut(rest, "```\n")
	if !block || !ends {
		t.Fatal("docs/install.md has no kustomization")
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "components"), os.DirFS(config+"/components")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"install.yaml": kustomize(t, "default"), "kustomization.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The kustomization of docs/install.md sets what it names, adds the component, and
// changes nothing else; the other components work as the one does.
func TestTheKustomization(t *testing.T) {
	dir, kubectl := documented(t), parts.Need(t, parts.Kubectl)
	file := filepath.Join(dir, "kustomization.yaml")
	example := read(t, file)
	for _, component := range components {
		text := strings.Replace(example, "[components/autoscaling]", "[components/"+component+"]", 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := run(t, "", kubectl, "kustomize", dir)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.NewReplacer(
			"name: TRUSTED_CALLERS\n          value: 127.0.0.0/8,::1\n", "name: TRUSTED_CALLERS\n          value: 10.244.0.0/16\n",
			"name: HOST_CLAIMS\n          value: \"\"\n", "name: HOST_CLAIMS\n          value: shop=*.shop.example,apis=api.example\n",
		).Replace(kustomize(t, "default", component))
		if n := strings.Count(want, "10.244.0.0/16") + strings.Count(want, "shop=*.shop.example"); n != 3 {
			t.Fatalf("%s: %d values were set: this test looks at too little", component, n)
		}
		// A patch reorders the environment, which no variable minds.
		anyOrder := cmpopts.SortSlices(func(a, b any) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
		if diff := cmp.Diff(byID(t, want), byID(t, got), anyOrder); diff != "" {
			t.Errorf("%s: the kustomization of docs/install.md isn't what is meant (-want +got):\n%s", component, diff)
		}
	}
}

// byID are objects by what they are.
func byID(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	objects := map[string]map[string]any{}
	for _, o := range parse(t, text) {
		objects[id(o)] = o.Object
	}
	return objects
}

// What `kubectl set env` has set is in the way of an upgrade, as docs/install.md says,
// and the kustomization takes it over.
func TestFromSetEnvToAKustomization(t *testing.T) {
	connect(t)
	const deployment = "deployment/apikey-operator-authserver"
	callers := func() string {
		t.Helper()
		out, err := kubectl(t, "", "get", "-n", system, deployment, "-o", `jsonpath={.spec.template.spec.containers[0].env[?(@.name=="TRUSTED_CALLERS")].value}`)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	dir := documented(t)
	text := render(t, only(parse(t, kustomize(t, "default")), "Deployment")...)
	built, err := kubectl(t, "", "kustomize", dir)
	if err != nil {
		t.Fatal(err)
	}
	mine := render(t, only(parse(t, built), "Deployment")...)
	for _, step := range []struct {
		what, stdin   string
		args          []string
		conflict      bool
		wantedCallers string
	}{
		{"install", text, []string{"apply", "--server-side", "-f", "-"}, false, "127.0.0.0/8,::1"},
		{"set env", "", []string{"set", "env", "-n", system, deployment, "TRUSTED_CALLERS=10.0.0.0/8"}, false, "10.0.0.0/8"},
		{"upgrade", text, []string{"apply", "--server-side", "-f", "-"}, true, "10.0.0.0/8"},
		{"a kustomization", mine, []string{"apply", "--server-side", "-f", "-"}, true, "10.0.0.0/8"},
		{"the same by force", mine, []string{"apply", "--server-side", "--force-conflicts", "-f", "-"}, false, "10.244.0.0/16"},
		{"upgrade after that", mine, []string{"apply", "--server-side", "-f", "-"}, false, "10.244.0.0/16"},
	} {
		_, err := kubectl(t, step.stdin, step.args...)
		if step.conflict != (err != nil && strings.Contains(err.Error(), "conflict")) || !step.conflict && err != nil {
			t.Errorf("%s: got %v, want a conflict: %v", step.what, err, step.conflict)
		}
		if got := callers(); got != step.wantedCallers {
			t.Errorf("%s: TRUSTED_CALLERS is %s, want %s", step.what, got, step.wantedCallers)
		}
	}
	if _, err := kubectl(t, mine, "delete", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// What docs/install.md takes out for another CA is its certificate, and nothing else.
func TestAnotherCA(t *testing.T) {
	i := issued{connect(t), authority.New(t).PEM}
	text := render(t, only(parse(t, kustomize(t, "default")), "Secret", "ValidatingWebhookConfiguration")...)
	if _, err := kubectl(t, text, "apply", "--server-side", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	i.write(t)
	shell(t, devcluster.For(t), commands(t, "install.md", "To have another CA"))
	for name, want := range map[string]string{
		"apikey-operator-authserver-tls": "ca.key tls.crt tls.key ",
		"apikey-operator-webhook-tls":    "ca.crt ca.key tls.crt tls.key ",
	} {
		got, err := kubectl(t, "", "get", "secret", name, "-n", system, "-o", `go-template={{range $key, $_ := .data}}{{$key}} {{end}}`)
		if err != nil || got != want {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, want)
		}
	}
	if _, err := kubectl(t, text, "delete", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// shell runs commands on a cluster.
func shell(t *testing.T, on *devcluster.Cluster, script string) {
	t.Helper()
	dir := filepath.Dir(parts.Need(t, parts.Kubectl))
	if _, err := run(t, "export KUBECONFIG="+on.Kubeconfig+" PATH="+dir+":$PATH\n"+script, "sh", "-eu"); err != nil {
		t.Fatal(err)
	}
}

// What docs/gateways.md copies is the CA's certificate, and nothing else.
func TestTheCopyOfTheCA(t *testing.T) {
	i := issued{connect(t), authority.New(t).PEM}
	text := render(t, only(parse(t, kustomize(t, "default")), "Secret", "ValidatingWebhookConfiguration")...)
	if _, err := kubectl(t, text, "apply", "--server-side", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	i.write(t)
	copying := commands(t, "gateways.md", "A copy of the CA")
	shell(t, devcluster.For(t), copying)
	shell(t, devcluster.For(t), copying) // again, when it was renewed
	got, err := kubectl(t, "", "get", "secret", "apikey-operator-ca", "-n", "apis", "-o", "jsonpath={.data}")
	if want := `{"ca.crt":"` + base64.StdEncoding.EncodeToString(i.ca) + `"}`; err != nil || got != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	if _, err := kubectl(t, text, "delete", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}
