package manifests

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"

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
