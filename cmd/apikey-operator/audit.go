package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn/audit"
)

// auditDrain is how long the last lines of the audit log may take.
const auditDrain = 5 * time.Second

// newAuditLog opens the sink that --audit-log names, if it names one. What it
// returns besides the log writes the last lines and closes.
func newAuditLog(c *config, ring *keyring.Ring, reg prometheus.Registerer) (*audit.Log, func(context.Context) error, error) {
	var out io.Writer
	closeOut := func() error { return nil }
	switch c.auditLog {
	case "":
		return nil, func(context.Context) error { return nil }, nil
	case "-":
		out = os.Stdout // our own log is on stderr
	default:
		file, err := audit.OpenFile(c.auditLog)
		if err != nil {
			return nil, nil, fmt.Errorf("--audit-log: %w", err)
		}
		out, closeOut = file, file.Close
	}
	sink := audit.NewSink(out, reg, c.logger)
	stop := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditDrain)
		defer cancel()
		if err := sink.Close(ctx); err != nil {
			return err
		}
		return closeOut()
	}
	return audit.New(sink, ring.Find), stop, nil
}
