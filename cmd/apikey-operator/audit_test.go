package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestAuditLogThatCannotBeOpenedIsNamed(t *testing.T) {
	dir := t.TempDir()
	for path, says := range map[string]string{
		dir:                                "--audit-log: " + dir + " is not a regular file",
		filepath.Join(dir, "missing", "a"): "--audit-log: open " + filepath.Join(dir, "missing", "a") + ": no such file or directory",
	} {
		c, err := complete(t, "--audit-log="+path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := newAuditLog(c, keyring.New(c.hosts), prometheus.NewRegistry()); err == nil || err.Error() != says {
			t.Errorf("%s: got error %v, want %q", path, err, says)
		}
	}
}

func TestNoAuditLogByDefault(t *testing.T) {
	c, err := complete(t)
	if err != nil {
		t.Fatal(err)
	}
	log, stop, err := newAuditLog(c, keyring.New(c.hosts), prometheus.NewRegistry())
	if log != nil || err != nil || stop(t.Context()) != nil {
		t.Errorf("got %v, %v, want none", log, err)
	}
}

// What was logged is in the file once it was stopped.
func TestAuditLogFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	c, err := complete(t, "--audit-log="+file)
	if err != nil {
		t.Fatal(err)
	}
	ring := keyring.New(c.hosts)
	log, stop, err := newAuditLog(c, ring, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	door := log.Door("nginx", &auth.Authenticator{Ring: ring, Synced: func() bool { return false }, Current: func() bool { return false }, TrustedCallers: c.trustedCallers})
	door.Authenticate(&auth.Request{Caller: netip.MustParseAddr("127.0.0.1"), Method: "GET", Host: "a.dev", Path: "/", Time: time.Now()})
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(file)
	if err != nil || strings.Count(string(line), "\n") != 1 || !strings.Contains(string(line), `"reason":"not_synced","status":503,"door":"nginx"`) {
		t.Errorf("the file holds %q (%v), want one line", line, err)
	}
}
