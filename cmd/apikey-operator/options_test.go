package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

const kubeconfig = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
users: [{name: u, user: {token: t}}]
`

// complete parses flags as the command line of `all` does.
func complete(t *testing.T, flags ...string) (*config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	o, r := &options{}, roles{controller: true, authserver: true}
	set := pflag.NewFlagSet("all", pflag.ContinueOnError)
	o.bind(set, r)
	if err := set.Parse(append([]string{"--kubeconfig=" + file}, flags...)); err != nil {
		t.Fatal(err)
	}
	return o.complete(r)
}

func TestFlagsThatAreWrongAreNamed(t *testing.T) {
	for _, tc := range []struct {
		name, flag string
		says       string
	}{
		{"plain text beyond loopback", "--grpc-address=0.0.0.0:9001", "--grpc-address 0.0.0.0:9001: is plain text and not on loopback"},
		{"plain text on every address", "--http-address=:9002", "--http-address :9002: is plain text and not on loopback"},
		{"an address without a port", "--grpc-address=127.0.0.1", "--grpc-address 127.0.0.1"},
		{"every caller trusted", "--trusted-callers=0.0.0.0/0", "--trusted-callers 0.0.0.0/0: holds every address"},
		{"every IPv6 caller trusted", "--trusted-callers=::/0", "--trusted-callers ::/0: holds every address"},
		{"no name", "--identity=Not_a_name", "--identity Not_a_name: "},
		{"no caller trusted", "--trusted-callers=", "--trusted-callers: is empty"},
		{"every proxy trusted", "--trusted-proxies=0.0.0.0/0", "--trusted-proxies 0.0.0.0/0: holds every address"},
		{"a proxy that is no address", "--trusted-proxies=lb.example", "--trusted-proxies lb.example: must be an IP address or a CIDR block"},
		{"a claim without a namespace", "--host-claims=api.example.com", "--host-claims: host claim \"api.example.com\": must be <namespace>=<host pattern>"},
		{"a claim of a host that is none", "--host-claims=shop=a..b", "--host-claims: host claim \"shop=a..b\""},
		{"a default host that is none", "--default-api-hosts=http://x", "--default-api-hosts: host pattern \"http://x\""},
		{"an unknown log level", "--log-level=loud", "--log-level loud: must be debug, info, warn or error"},
		{"a log level at which client-go logs Secrets", "--log-level=debug-4", "--log-level debug-4: must be debug, info, warn or error"},
		{"an unknown log format", "--log-format=xml", "--log-format xml: must be json or text"},
		{"a kubeconfig that isn't there", "--kubeconfig=/nonexistent", "--kubeconfig: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := complete(t, tc.flag)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got error %v, want one that says %q", tc.flag, err, tc.says)
			}
		})
	}
}

func TestFlagsMeanWhatTheySay(t *testing.T) {
	c, err := complete(t,
		"--grpc-address=0.0.0.0:9001", "--http-address=[::1]:9002", "--allow-plaintext",
		"--trusted-callers=10.0.0.0/8,192.0.2.7", "--trusted-proxies=::ffff:198.51.100.0/120",
		"--host-claims=shop=*.Example.com,apis=api.example.com", "--host-claims=ops=*", "--default-api-hosts=*",
		"--lease-namespace=ops")
	if err != nil {
		t.Fatal(err)
	}
	wantHosts := keyring.HostPolicy{
		Grants:       []keyring.Grant{{Namespace: "shop", Pattern: "*.example.com"}, {Namespace: "apis", Pattern: "api.example.com"}, {Namespace: "ops", Pattern: "*"}},
		DefaultHosts: []string{"*"},
	}
	if !reflect.DeepEqual(c.hosts, wantHosts) {
		t.Errorf("hosts are %+v, want %+v", c.hosts, wantHosts)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")}; !reflect.DeepEqual(c.trustedCallers, want) {
		t.Errorf("trusted callers are %v, want %v", c.trustedCallers, want)
	}
	if c.leaseNamespace != "ops" {
		t.Errorf("Leases are in %q, want ops", c.leaseNamespace)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}; !reflect.DeepEqual(c.trustedProxies, want) {
		t.Errorf("trusted proxies are %v, want %v", c.trustedProxies, want)
	}
}

func TestDefaults(t *testing.T) {
	c, err := complete(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.hosts.DefaultHosts)+len(c.hosts.Grants)+len(c.trustedProxies) != 0 {
		t.Errorf("hosts %+v or proxies %v are trusted without being asked to", c.hosts, c.trustedProxies)
	}
	if c.leaseNamespace != "default" {
		t.Errorf("outside a Pod, Leases are in %q, want default", c.leaseNamespace)
	}
	for _, address := range []string{c.grpcAddress, c.httpAddress, c.metricsAddress, c.healthAddress} {
		if !loopback(address) {
			t.Errorf("%s is not on loopback", address)
		}
	}
	if want := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}; !reflect.DeepEqual(c.trustedCallers, want) {
		t.Errorf("trusted callers are %v, want loopback only", c.trustedCallers)
	}
}
