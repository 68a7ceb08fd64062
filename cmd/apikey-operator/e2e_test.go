package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/hack/process"
	"github.com/apikey-operator/apikey-operator/hack/stack"
)

// The tests here are of the whole: the program as separate processes under its
// shipped roles, a real API server, real proxies. They share one stack and run
// one after the other.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	s := startStack(t, stack.Options{Dir: dir, Progress: t.Logf, Audit: true})
	w := &whole{Stack: s, raw: map[string]string{}}
	t.Cleanup(func() {
		if t.Failed() { // the folder goes with the test
			for _, name := range []string{"controller.log", "authserver-1.log", "authserver-2.log"} {
				t.Log(process.LogTail(filepath.Join(dir, name)))
			}
		}
	})
	for _, step := range []struct {
		name string
		test func(*testing.T, *whole)
	}{
		{"spec {} is a working key", testEmptySpec},
		{"edits are in force without a new key", testEdits},
		{"suspended, resumed", testSuspend},
		{"revoked for good", testRevoke},
		{"expires on the auth server's own clock", testExpire},
		{"deletion ends access before the Secret is collected", testDelete},
		{"a lost key is replaced and the old one accepted meanwhile", testLost},
		{"edits are in force while no controller runs", testNoController},
		{"an auth server that has just started isn't ready too early", testRestart},
		{"no request passes while the auth servers are down", testDown},
		{"a second controller takes over", testTakeOver},
		{"an auth server may read no Secret", testRoles},
		{"one bad object disturbs no other", testBadObjects},
		{"the four systems", testSeeds},
		{"the audit log names the source", testAudit},
		{"rotated without a denied request", testRotation},
		{"regenerated, the old key ends at once", testRegenerate},
		{"keys that exist already", testImport},
		{"a rotation waits for an auth server until it is known to be dead", testDeadServer},
		// The last two look at all before.
		{"no right that nobody uses", testRights},
		{"no raw key outside Secrets", testRadioactive},
	} {
		t.Run(step.name, func(t *testing.T) { step.test(t, w) })
	}
}

// startStack starts a stack that ends with the test. Without the parts that it takes
// the test is skipped.
func startStack(t testing.TB, o stack.Options) *stack.Stack {
	t.Helper()
	for _, p := range []parts.Part{parts.Envoy, parts.Nginx, parts.APIServer, parts.Etcd, parts.ControllerManager, parts.Kubectl} {
		parts.Need(t, p)
	}
	s, err := stack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// whole is the stack with every raw key that was seen.
type whole struct {
	*stack.Stack
	raw map[string]string
}

// apply applies a manifest.
func (w *whole) apply(t *testing.T, manifest string) {
	t.Helper()
	if _, err := w.Kubectl(t.Context(), manifest, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// create applies an APIKey of the namespace shop and returns its raw key.
func (w *whole) create(t *testing.T, name, spec string) string {
	t.Helper()
	w.apply(t, fmt.Sprintf("{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: %s, namespace: shop}, spec: %s}", name, spec))
	return w.key(t, name)
}

func (w *whole) key(t *testing.T, name string) string {
	t.Helper()
	raw, err := w.RawKey(t.Context(), "shop", name)
	if err != nil {
		t.Fatal(err)
	}
	w.raw[raw] = name
	return raw
}

func hashOf(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:])
}

// patch merges a spec into an APIKey.
func (w *whole) patch(t *testing.T, name, spec string) {
	t.Helper()
	if _, err := w.Kubectl(t.Context(), "", "patch", "apikey", "-n", "shop", name, "--type=merge", "-p", `{"spec":`+spec+`}`); err != nil {
		t.Fatal(err)
	}
}

// get reads a field of an APIKey.
func (w *whole) get(t *testing.T, name, jsonpath string) string {
	t.Helper()
	out, err := w.Kubectl(t.Context(), "", "get", "apikey", "-n", "shop", name, "-o", "jsonpath="+jsonpath)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask sends a request with a key of the default API through a proxy.
func (w *whole) ask(ctx context.Context, proxy, raw string) (stack.Answer, error) {
	return stack.Ask(ctx, proxy, stack.Request{Host: "anything.example", Path: "/some/path?x=1", Headers: stack.Bearer(raw)})
}

// want waits until a key gets a verdict through both proxies.
func (w *whole) want(t *testing.T, raw, verdict string) {
	t.Helper()
	for name, proxy := range map[string]string{"Envoy": w.Envoy, "nginx": w.Nginx} {
		got := ""
		err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			a, err := w.ask(ctx, proxy, raw)
			got = a.Verdict()
			return got == verdict, err
		})
		if err != nil {
			t.Fatalf("through %s: got %s, want %s (%v)", name, got, verdict, err)
		}
	}
}

// logs are everything that our programs and the cluster's have written.
func (w *whole) logs(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(w.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".log") {
			return err
		}
		content, err := os.ReadFile(path)
		out[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
