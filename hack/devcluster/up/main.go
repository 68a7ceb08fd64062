package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

func main() {
	dir := flag.String("dir", ".dev", "where the kubeconfig and the logs go")
	crds := flag.String("crds", "config/crd/bases", "directory with CustomResourceDefinitions to install, if it exists")
	flag.Parse()
	if err := up(*dir, *crds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func up(dir, crds string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	options := devcluster.Options{LogDir: filepath.Join(dir, "log")}
	if _, err := os.Stat(crds); err == nil {
		options.CRDPaths = []string{crds}
	}
	cluster, err := devcluster.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := cluster.Stop(); err == nil {
			err = stopErr
		}
	}()

	content, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		return err
	}
	kubeconfig, err := filepath.Abs(filepath.Join(dir, "kubeconfig"))
	if err != nil {
		return err
	}
	// Written anew, so that a file from before doesn't keep its mode.
	if err := os.RemoveAll(kubeconfig); err != nil {
		return err
	}
	if err := os.WriteFile(kubeconfig, content, 0o600); err != nil {
		return err
	}
	defer func() { _ = os.Remove(kubeconfig) }()

	fmt.Printf("\nThe control plane runs at %s, its logs are in %s. Ctrl-C ends it.\n\n", cluster.Config.Host, options.LogDir)
	fmt.Printf("export KUBECONFIG=%s\n", kubeconfig)
	if kubectl, err := parts.Locate(ctx, parts.Kubectl); err == nil {
		fmt.Printf("alias kubectl=%s\n", kubectl.File)
	}
	<-ctx.Done()
	// A second Ctrl-C doesn't wait; the cluster ends by itself then.
	stop()
	fmt.Println("\nstopping …")
	return nil
}
