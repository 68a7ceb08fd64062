package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/stack"
)

func main() {
	once := flag.Bool("once", false, "end after the table")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := demo(ctx, stop, *once)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nmake run:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, stop func(), once bool) (err error) {
	dir, err := filepath.Abs(".dev")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	started := time.Now()
	progress := func(format string, args ...any) {
		fmt.Printf("[%3.0f s] %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
	}
	s, err := stack.Start(ctx, stack.Options{Dir: dir, Progress: progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()

	progress("sending requests through Envoy and nginx")
	results, err := send(ctx, s)
	if err != nil {
		return err
	}
	text, different := table(results)
	fmt.Print("\n", text)
	if once {
		if different > 0 {
			return fmt.Errorf("%d rows are not as expected", different)
		}
		return nil
	}
	if err := printCommands(s, dir); err != nil {
		return err
	}
	<-ctx.Done()
	stop() // a second Ctrl-C doesn't wait
	fmt.Println("\nstopping …")
	return nil
}

// printCommands shows how to try it by hand.
func printCommands(s *stack.Stack, dir string) error {
	// The other one is that of `make devcluster`, which may be running as well.
	kubeconfig := filepath.Join(dir, "run.kubeconfig")
	content, err := os.ReadFile(s.Cluster.Kubeconfig)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(kubeconfig); err != nil { // a file from before keeps its mode
		return err
	}
	if err := os.WriteFile(kubeconfig, content, 0o600); err != nil {
		return err
	}
	fmt.Printf(`
Try it by hand, in another terminal:

  export KUBECONFIG=%s
  alias kubectl=%s

  kubectl get apikeys,protectedapis -A
  KEY=$(kubectl get secret -n shop shopify-api-key -o jsonpath='{.data.api-key}' | base64 -d)
  curl -i -H 'Host: api.billoget.com' -H "Authorization: Bearer $KEY" http://%s/api/public/budgets    # Envoy
  curl -i -H 'Host: api.billoget.com' -H "Authorization: Bearer $KEY" http://%s/api/public/budgets    # nginx

  edit() { kubectl patch apikey -n shop shopify --type=merge -p "{\"spec\":$1}"; }
  edit '{"state":"Suspended"}'                    # and curl again
  edit '{"state":"Active"}'
  edit '{"rotation":{"trigger":"today"}}'         # a new key in the Secret, the old one for an hour more
  edit '{"state":"Revoked"}'                      # for good

Logs are in %s. Ctrl-C ends it all.
`, kubeconfig, s.KubectlPath(), s.Envoy, s.Nginx, dir)
	return nil
}
