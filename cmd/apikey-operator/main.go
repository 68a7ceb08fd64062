package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is stamped by the linker.
var version = "dev"

func main() {
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "apikey-operator:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "apikey-operator",
		Short:         "API keys as Kubernetes resources",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("say which part to run: all, controller or authserver (see --help)")
		},
	}
	root.AddCommand(
		roleCommand("controller", "Issue keys: the write side", roles{controller: true}),
		roleCommand("authserver", "Authenticate traffic: the read side", roles{authserver: true}),
		roleCommand("all", "Both in one process", roles{controller: true, authserver: true}),
	)
	return root
}

func roleCommand(name, short string, r roles) *cobra.Command {
	o := &options{}
	c := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := o.complete(r)
			if err != nil {
				return err
			}
			tuneMemory(c.Context(), config.logger, r)
			return run(c.Context(), r, config)
		},
	}
	o.bind(c.Flags(), r)
	return c
}
