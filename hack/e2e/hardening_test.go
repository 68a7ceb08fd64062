//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/hack/rights"
)

// testRestricted: the namespace enforces it, the Pods say it, and the kernel agrees.
func testRestricted(t *testing.T, w *workloads) {
	w.wantEnforced(t)
	for _, p := range w.operatorPods(t, "") {
		if problems := unrestricted(p); len(problems) != 0 {
			t.Errorf("%s: %s", p.Name, strings.Join(problems, "; "))
		}
	}
	w.wantNoSecrets(t)
	if os.Getenv("E2E_NODE") == "" {
		t.Log("not on a node of run.sh: no look into the running containers")
		return
	}
	for _, component := range []string{"controller", "authserver"} {
		w.lookInto(t, w.operatorPods(t, component)[0])
	}
}

// wantEnforced has a Pod that isn't restricted refused.
func (w *workloads) wantEnforced(t *testing.T) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.system, Name: "unrestricted"}}
	pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "localhost/none:1"}}
	if err := w.Create(t.Context(), pod, client.DryRunAll); !apierrors.IsForbidden(err) || !strings.Contains(fmt.Sprint(err), `"restricted`) {
		t.Errorf("a Pod without a securityContext in %s: got %v, want it refused by Pod Security restricted", w.system, err)
	}
}

// unrestricted is what of Pod Security's restricted, and beyond it, a Pod lacks.
func unrestricted(p corev1.Pod) (problems []string) {
	want := func(ok bool, what string) {
		if !ok {
			problems = append(problems, "it lacks "+what)
		}
	}
	s := p.Spec.SecurityContext
	want(s != nil && s.RunAsNonRoot != nil && *s.RunAsNonRoot, "runAsNonRoot")
	want(s != nil && s.SeccompProfile != nil && s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "seccomp RuntimeDefault")
	want(!p.Spec.HostNetwork && !p.Spec.HostPID && !p.Spec.HostIPC, "namespaces of its own")
	for _, c := range append(p.Spec.InitContainers, p.Spec.Containers...) {
		s := c.SecurityContext
		if s == nil {
			s = &corev1.SecurityContext{}
		}
		want(s.ReadOnlyRootFilesystem != nil && *s.ReadOnlyRootFilesystem, c.Name+": readOnlyRootFilesystem")
		want(s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation, c.Name+": allowPrivilegeEscalation: false")
		want(s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(s.Capabilities.Add) == 0, c.Name+": capabilities dropped")
		want(s.RunAsNonRoot == nil || *s.RunAsNonRoot, c.Name+": runAsNonRoot")
		want(s.Privileged == nil || !*s.Privileged, c.Name+": no privileges")
	}
	for _, v := range p.Spec.Volumes {
		want(v.HostPath == nil, v.Name+": no path of the node")
	}
	return problems
}

// wantNoSecrets asks with a token of the auth servers' service account.
func (w *workloads) wantNoSecrets(t *testing.T) {
	t.Helper()
	account := "system:serviceaccount:" + w.system + ":" + authServer
	for _, verb := range []string{"get", "list", "watch"} {
		for _, where := range []string{"--all-namespaces", "--namespace=" + w.system, "--namespace=shop"} {
			answer, err := w.try(t.Context(), "", "auth", "can-i", verb, "secrets", where, "--as="+account)
			if err == nil || strings.TrimSpace(answer) != "" {
				t.Errorf("kubectl auth can-i %s secrets %s: got %q, want no", verb, where, answer)
			}
		}
	}
	token, err := w.pods.CoreV1().ServiceAccounts(w.system).CreateToken(t.Context(), authServer, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(w.config)
	config.BearerToken = token.Status.Token
	its, err := client.New(config, client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	w.probes = map[rights.Request]bool{{Verb: "list", Resource: "secrets", Namespace: "shop", Status: http.StatusForbidden}: true}
	if err := its.List(t.Context(), &corev1.SecretList{}, client.InNamespace("shop")); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), account) {
		t.Errorf("listing Secrets with the auth server's token: got %v, want it forbidden", err)
	}
	for _, name := range []client.ObjectKey{{Namespace: "shop", Name: "before"}, {Namespace: w.system, Name: authServer + "-tls"}} {
		w.probes[rights.Request{Verb: "get", Resource: "secrets", Namespace: name.Namespace, Name: name.Name, Status: http.StatusForbidden}] = true
		if err := its.Get(t.Context(), name, &corev1.Secret{}); !apierrors.IsForbidden(err) {
			t.Errorf("reading Secret %s with the auth server's token: got %v, want it forbidden", name, err)
		}
	}
}

// lookInto looks at a container's process and files from the node.
func (w *workloads) lookInto(t *testing.T, p corev1.Pod) {
	t.Helper()
	id := p.Status.ContainerStatuses[0].ContainerID
	id = id[strings.LastIndex(id, "/")+1:]
	status := w.inNode(t, "", `for d in /proc/[0-9]*; do if grep -q `+id+` $d/cgroup 2>/dev/null; then cat $d/status; fi; done`)
	fields := map[string]string{}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if _, twice := fields[name]; twice {
			t.Errorf("%s has more than one process", p.Name)
			break
		}
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	for name, want := range map[string]string{
		"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532", "NoNewPrivs": "1", "Seccomp": "2",
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "CapAmb": "0000000000000000",
	} {
		if fields[name] != want {
			t.Errorf("%s: the process has %s %q, want %q", p.Name, name, fields[name], want)
		}
	}
	t.Logf("%s: uid %s, NoNewPrivs %s, CapEff %s, Seccomp %s, resident %s", p.Name, fields["Uid"], fields["NoNewPrivs"], fields["CapEff"], fields["Seccomp"], fields["VmRSS"])

	// Which files hold a line of a private key.
	holding := func(pem []byte) []string {
		lines := strings.Split(strings.TrimSpace(string(pem)), "\n")
		if len(lines) < 3 {
			t.Fatal("there is no private key to look for")
		}
		return strings.Fields(w.inNode(t, lines[1]+"\n", `
			line=$(mktemp) && cat >$line
			for d in /proc/[0-9]*; do if grep -q `+id+` $d/cgroup 2>/dev/null; then root=$d/root; fi; done
			for f in $root/*; do case ${f##*/} in proc|sys|dev) ;; *) grep -rlF -f $line $f ;; esac; done; rm $line`))
	}
	webhook, auth := w.secret(t, w.system, "apikey-operator-webhook-tls").Data, w.secret(t, w.system, authServer+"-tls").Data
	for name, key := range map[string][]byte{"the webhook's CA": webhook["ca.key"], "the auth server's CA": auth["ca.key"]} {
		if files := holding(key); len(files) != 0 {
			t.Errorf("%s has the private key of %s in %s", p.Name, name, files)
		}
	}
	own, others := auth["tls.key"], webhook["tls.key"]
	if p.Spec.ServiceAccountName != authServer {
		own, others = others, own
	}
	if len(holding(own)) == 0 {
		t.Errorf("%s has no private key of its own: this test looks at the wrong files", p.Name)
	}
	if files := holding(others); len(files) != 0 {
		t.Errorf("%s has another's private key in %s", p.Name, files)
	}
}

// inNode runs a script in the node's namespaces.
func (w *workloads) inNode(t *testing.T, stdin, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", os.Getenv("E2E_NODE")+"/in-node.sh", "sh", "-c", script)
	cmd.Stdin = strings.NewReader(stdin)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil && out.Len() == 0 && problem.Len() != 0 {
		t.Fatalf("in the node: %v: %s", err, problem.String())
	}
	return out.String()
}
