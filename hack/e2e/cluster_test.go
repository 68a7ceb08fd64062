//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/e2e/counts"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

// patience is how long anything but an overlap may take on a busy machine.
const patience = 2 * time.Minute

// cluster is where the tests run.
type cluster struct {
	client.Client
	config  *rest.Config
	pods    kubernetes.Interface
	kubectl string
}

func connect(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KUBECONFIG") == "" {
		t.Fatal("KUBECONFIG is unset: run this by `make test-e2e`")
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the cluster at %s", config.Host)
	config.WarningHandlerWithContext = rest.NoWarnings{} // they are for people
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := &cluster{config: config}
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	if c.pods, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	c.kubectl = parts.Need(t, parts.Kubectl)
	return c
}

// try runs kubectl in the repository's root and returns what it prints.
func (c *cluster) try(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.kubectl, args...)
	cmd.Dir = "../.."
	cmd.Stdin = strings.NewReader(stdin)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

// do is try where a failure ends the test.
func (c *cluster) do(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := c.try(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// until polls a condition; what it returns besides says how far things are.
func until(t *testing.T, what string, limit time.Duration, condition func() (done bool, now string)) {
	t.Helper()
	now := ""
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, limit, true, func(context.Context) (done bool, _ error) {
		done, now = condition()
		return done, nil
	})
	if err != nil {
		t.Fatalf("%s: not within %s; %s", what, limit, now)
	}
}

func (c *cluster) counts(t *testing.T, pod string) counts.Counts {
	t.Helper()
	answer, err := c.get(t.Context(), "shop", pod, "http", "8080", "/counts")
	if err != nil {
		t.Fatalf("the counts of %s: %v", pod, err)
	}
	var n counts.Counts
	if err := json.Unmarshal(answer, &n); err != nil {
		t.Fatalf("the counts of %s: %v in %s", pod, err, answer)
	}
	return n
}

func (c *cluster) apiKey(t *testing.T, name string) *v1alpha1.APIKey {
	t.Helper()
	key := &v1alpha1.APIKey{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, key); err != nil {
		t.Fatal(err)
	}
	return key
}

// describe helps with a failure on a machine that is gone when somebody reads of it.
func (c *cluster) describe(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp"},
		{"get", "apikeys,protectedapis", "-A", "-o", "yaml"},
		{"logs", "-n", systemNamespace, "-l", "app.kubernetes.io/name=apikey-operator", "--prefix", "--tail=40"},
		{"logs", "-n", "apis", "-l", "kind=proxy", "--prefix", "--tail=40"},
	} {
		out, err := c.try(ctx, "", args...)
		t.Logf("kubectl %s (%v)\n%s", strings.Join(args, " "), err, out)
	}
}
