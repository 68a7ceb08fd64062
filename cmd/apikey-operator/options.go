package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// roles are the parts of the program that run.
type roles struct{ controller, authserver bool }

// options are the flags as given.
type options struct {
	kubeconfig, logLevel, logFormat string
	grpcAddress, httpAddress        string
	healthAddress, metricsAddress   string
	allowPlaintext                  bool
	leaderElect                     bool
	leaseNamespace                  string
	defaultAPIHosts, hostClaims     []string
	trustedCallers, trustedProxies  []string
	auditLog, identity              string
	tls                             tlsFiles
	webhookAddress, webhookCertDir  string
	webhookConfiguration            string
	webhookNames                    []string
	selfManagedCertificates         bool
	namespaces                      []string
	wrongKeyLimit                   int
}

// config is what the flags mean.
type config struct {
	rest                          *rest.Config
	logger                        *slog.Logger
	grpcAddress, httpAddress      string
	healthAddress, metricsAddress string
	leaderElect                   bool
	leaseNamespace                string
	hosts                         keyring.HostPolicy
	trustedCallers                []netip.Prefix
	trustedProxies                []netip.Prefix
	auditLog                      string
	identity                      string
	tls                           tlsFiles
	webhook                       webhookConfig
	selfManagedCertificates       bool
	namespaces                    []string // none: all
	wrongKeyLimit                 int
}

// webhookConfig is where admission listens, and with which files.
type webhookConfig struct {
	host          string
	port          int // 0: no admission
	certDir       string
	configuration string
	names         []string
}

func (o *options) bind(f *pflag.FlagSet, r roles) {
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file; unset: the Pod's own service account, or KUBECONFIG and ~/.kube/config")
	f.StringVar(&o.healthAddress, "health-address", "127.0.0.1:8081", "address of /healthz and /readyz, in plain text")
	f.StringVar(&o.metricsAddress, "metrics-address", "127.0.0.1:8080", "address of /metrics, in plain text: it names no key")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "json", "json or text")
	f.BoolVar(&o.allowPlaintext, "allow-plaintext", false, "allow --grpc-address and --http-address without TLS on other addresses than loopback")
	f.StringSliceVar(&o.namespaces, "namespaces", nil, "the only namespaces whose APIKeys and ProtectedAPIs count, so that Roles in these are enough; unset: all, which takes ClusterRoles. The same for controller and auth servers")
	f.StringSliceVar(&o.hostClaims, "host-claims", nil, "hosts that the ProtectedAPIs of a namespace may answer for, as <namespace>=<host>, <namespace>=*.<domain> or <namespace>=*; may be repeated")
	f.StringVar(&o.leaseNamespace, "lease-namespace", "", "namespace of the Leases: the leader's, and those by which auth servers report to the controller; unset: the Pod's own, or default")
	if r.controller {
		f.BoolVar(&o.leaderElect, "leader-elect", true, "act only as long as this is the leader")
		f.StringVar(&o.webhookAddress, "webhook-address", "", "address of admission, always with TLS; unset: no admission")
		f.StringVar(&o.webhookCertDir, "webhook-cert-dir", "", "folder with the certificate of admission, tls.crt and tls.key, which are read again when they change; with --self-managed-certificates they are written there")
		f.StringVar(&o.webhookConfiguration, "webhook-configuration", "apikey-operator", "name of the ValidatingWebhookConfiguration that --self-managed-certificates injects the CA into")
		f.StringSliceVar(&o.webhookNames, "webhook-names", nil, "further DNS names of the certificate of admission, with --self-managed-certificates, from its next renewal on")
		f.BoolVar(&o.selfManagedCertificates, "self-managed-certificates", false, "issue and renew the certificates of admission and of auth servers, in Secrets of --lease-namespace; else somebody else does, such as cert-manager")
	}
	if r.authserver {
		f.StringVar(&o.grpcAddress, "grpc-address", "127.0.0.1:9001", "address of Envoy's ext_authz over gRPC")
		f.StringVar(&o.httpAddress, "http-address", "127.0.0.1:9002", "address of forward-auth over HTTP")
		f.StringSliceVar(&o.defaultAPIHosts, "default-api-hosts", nil, "hosts for which keys of the default API are accepted where the gateway names no API: <host>, *.<domain> or *; never those that --host-claims covers")
		f.StringSliceVar(&o.trustedCallers, "trusted-callers", []string{"127.0.0.0/8", "::1"}, "addresses or CIDR blocks of the gateways that may ask, and whose forwarded headers are believed")
		f.StringSliceVar(&o.trustedProxies, "trusted-proxies", nil, "addresses or CIDR blocks of proxies in front of the gateway, believed when they name the client in X-Forwarded-For")
		f.StringVar(&o.identity, "identity", "", "name of this auth server in its Lease, which no other one may have: in a Pod the Pod's; unset: the host's name and something random")
		f.StringVar(&o.tls.cert, "tls-cert-file", "", "certificate of --grpc-address and --http-address in PEM, with its chain; read again when it changes; unset: plain text")
		f.StringVar(&o.tls.key, "tls-private-key-file", "", "private key of --tls-cert-file in PEM")
		f.StringVar(&o.tls.clientCA, "client-ca-file", "", "CAs in PEM of which whoever asks must show a certificate; unset: nobody must")
		f.StringSliceVar(&o.tls.clientNames, "client-names", nil, "DNS names or URIs of which that certificate must have one; unset: any will do")
		f.IntVar(&o.wrongKeyLimit, "wrong-key-limit", 60, "wrong keys per minute from one client address, before it is told 429 instead of 401; a valid key is let through all the same; 0: no limit")
		f.StringVar(&o.auditLog, "audit-log", "", "file that the audit log is appended to, or - for stdout; unset: none")
	}
}

// complete checks the flags and says which of them is wrong.
func (o *options) complete(r roles) (*config, error) {
	c := &config{
		grpcAddress: o.grpcAddress, httpAddress: o.httpAddress,
		healthAddress: o.healthAddress, metricsAddress: o.metricsAddress,
		leaderElect: o.leaderElect, leaseNamespace: leaseNamespace(o.leaseNamespace),
		auditLog: o.auditLog, identity: o.identity, tls: o.tls, wrongKeyLimit: o.wrongKeyLimit,
	}
	if err := o.checkListeners(); err != nil {
		return nil, err
	}
	if err := o.completeController(c); err != nil {
		return nil, err
	}
	var err error
	if c.logger, err = o.newLogger(); err != nil {
		return nil, err
	}
	if c.trustedCallers, err = parseBlocks("--trusted-callers", o.trustedCallers); err != nil {
		return nil, err
	}
	if c.trustedProxies, err = parseBlocks("--trusted-proxies", o.trustedProxies); err != nil {
		return nil, err
	}
	if r.authserver && len(c.trustedCallers) == 0 {
		return nil, fmt.Errorf("--trusted-callers: is empty, so that every request would be denied")
	}
	if problems := validation.IsDNS1123Label(o.identity); o.identity != "" && len(problems) > 0 {
		return nil, fmt.Errorf("--identity %s: %s", o.identity, strings.Join(problems, "; "))
	}
	for _, claim := range o.hostClaims {
		g, err := keyring.ParseGrant(claim)
		if err != nil {
			return nil, fmt.Errorf("--host-claims: %w", err)
		}
		c.hosts.Grants = append(c.hosts.Grants, g)
	}
	for _, host := range o.defaultAPIHosts {
		p, err := keyring.ParseHostPattern(host)
		if err != nil {
			return nil, fmt.Errorf("--default-api-hosts: %w", err)
		}
		c.hosts.DefaultHosts = append(c.hosts.DefaultHosts, p)
	}
	c.rest, err = restConfig(o.kubeconfig)
	return c, err
}

// checkListeners says which of the auth server's listeners nobody may have.
func (o *options) checkListeners() error {
	if err := o.tls.check(); err != nil {
		return err
	}
	for _, l := range []struct{ flag, address string }{{"--grpc-address", o.grpcAddress}, {"--http-address", o.httpAddress}} {
		if l.address != "" && o.tls.cert == "" && !o.allowPlaintext && !loopback(l.address) {
			return fmt.Errorf("%s %s: is plain text and not on loopback; give --tls-cert-file, a loopback address, or --allow-plaintext if the network in between is private", l.flag, l.address)
		}
	}
	if o.wrongKeyLimit < 0 || o.wrongKeyLimit > maxWrongKeys {
		return fmt.Errorf("--wrong-key-limit %d: must be from 0 to %d", o.wrongKeyLimit, maxWrongKeys)
	}
	return nil
}

// maxWrongKeys is a limit that nobody would notice.
const maxWrongKeys = 1_000_000

// completeController checks what is of the write side, and of both.
func (o *options) completeController(c *config) error {
	for _, n := range o.namespaces {
		if problems := validation.IsDNS1123Label(n); len(problems) > 0 {
			return fmt.Errorf("--namespaces %q: %s", n, strings.Join(problems, "; "))
		}
	}
	c.namespaces = slices.Compact(slices.Sorted(slices.Values(o.namespaces)))
	if n := len(c.namespaces); n > presence.MaxNamespaces {
		return fmt.Errorf("--namespaces: %d are more than %d; watch all namespaces instead, with ClusterRoles", n, presence.MaxNamespaces)
	}
	for _, n := range o.webhookNames {
		if problems := validation.IsDNS1123Subdomain(n); len(problems) > 0 || net.ParseIP(n) != nil {
			return fmt.Errorf("--webhook-names %q: must be a DNS name, and no address", n)
		}
	}
	c.selfManagedCertificates = o.selfManagedCertificates
	c.webhook = webhookConfig{certDir: o.webhookCertDir, configuration: o.webhookConfiguration, names: o.webhookNames}
	if o.webhookCertDir == "" && (o.webhookAddress != "" || o.selfManagedCertificates) {
		return errors.New("--webhook-cert-dir: required with --webhook-address, and with --self-managed-certificates")
	}
	if o.webhookAddress == "" {
		c.webhook.configuration = ""
		return nil
	}
	host, port, err := net.SplitHostPort(o.webhookAddress)
	if err != nil {
		return fmt.Errorf("--webhook-address: %w", err)
	}
	if c.webhook.port, err = strconv.Atoi(port); err != nil || c.webhook.port < 1 || c.webhook.port > 65535 {
		return fmt.Errorf("--webhook-address %s: the port must be a number from 1 to 65535", o.webhookAddress)
	}
	c.webhook.host = host
	if o.selfManagedCertificates && len(c.namespaces) > 0 {
		return errors.New("--self-managed-certificates: can't inject the CA of admission with --namespaces, which has no rights on the cluster; unset --webhook-address, or bring a certificate")
	}
	return nil
}

func (o *options) newLogger() (*slog.Logger, error) {
	// No other levels: far below debug client-go would log the bodies of Secrets.
	level, known := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[o.logLevel]
	if !known {
		return nil, fmt.Errorf("--log-level %s: must be debug, info, warn or error", o.logLevel)
	}
	handler := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, handler)), nil
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, handler)), nil
	default:
		return nil, fmt.Errorf("--log-format %s: must be json or text", o.logFormat)
	}
}

// parseBlocks reads addresses and CIDR blocks; one that holds every address
// would believe everybody, and is refused.
func parseBlocks(flag string, in []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(in))
	for _, s := range in {
		p, err := auth.ParseBlock(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("%s %s: must be an IP address or a CIDR block", flag, s)
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("%s %s: holds every address; name those of the proxies", flag, s)
		}
		out = append(out, p)
	}
	return out, nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	c.UserAgent = "apikey-operator/" + version
	c.QPS = -1 // the API server's priority and fairness decides (KEP-1040)
	return c, nil
}

// leaseNamespace is the flag's, else the Pod's own, else default.
func leaseNamespace(flag string) string {
	if flag != "" {
		return flag
	}
	b, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return "default"
	}
	return strings.TrimSpace(string(b))
}
