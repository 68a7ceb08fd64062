package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/apikey-operator/apikey-operator/hack/authority"
	"github.com/apikey-operator/apikey-operator/hack/process"
)

// doors serves both doors with TLS, in the way that the auth server does.
type doors struct {
	dir        string
	grpc, http string
	ca         *authority.Authority
}

func serveDoors(t *testing.T, f func(dir string) tlsFiles) *doors {
	t.Helper()
	ports, err := process.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	d := &doors{dir: t.TempDir(), ca: authority.New(t)}
	d.grpc, d.http = "127.0.0.1:"+strconv.Itoa(ports[0]), "127.0.0.1:"+strconv.Itoa(ports[1])
	d.ca.IssueTo(t, d.dir, "authserver")
	files := f(d.dir)
	if err := files.check(); err != nil {
		t.Fatal(err)
	}
	served := &certificate{cert: files.cert, key: files.key}
	config := serverTLS(files, served)
	ctx, cancel := context.WithCancel(t.Context())
	log := slog.New(slog.DiscardHandler)
	ended := make(chan error, 3)
	go func() { ended <- served.run(ctx) }()
	go func() { ended <- serveGRPC(ctx, log, "grpc", d.grpc, grpc.NewServer(grpcOptions(config)...)) }()
	go func() {
		ended <- serveHTTP(ctx, log, "http", d.http, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, r.Proto) }))
	}()
	t.Cleanup(func() {
		cancel()
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	for _, address := range []string{d.grpc, d.http} {
		within(t, "the listener at "+address, func() bool {
			c, err := net.Dial("tcp", address)
			if err == nil {
				_ = c.Close()
			}
			return err == nil && served.ready()
		})
	}
	return d
}

func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}

func withCertificate(dir string) tlsFiles {
	return tlsFiles{cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key")}
}

// handshake connects as a client would, and says what became of it. TLS 1.3 has the
// client finish first, so that a refusal is seen by reading.
func (d *doors) handshake(address string, c *tls.Config) (tls.ConnectionState, error) {
	if c.RootCAs == nil {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(d.ca.PEM)
	}
	c.ServerName, c.NextProtos = "authserver", []string{"h2"}
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return tls.ConnectionState{}, err
	}
	// Both servers of HTTP/2 speak after the client's preface.
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		return tls.ConnectionState{}, err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

func TestTLSVersions(t *testing.T) {
	d := serveDoors(t, withCertificate)
	for _, tc := range []struct {
		name    string
		version uint16
		refused bool
	}{
		{"TLS 1.0", tls.VersionTLS10, true},
		{"TLS 1.1", tls.VersionTLS11, true},
		{"TLS 1.2", tls.VersionTLS12, false},
		{"TLS 1.3", tls.VersionTLS13, false},
	} {
		for door, address := range map[string]string{"gRPC": d.grpc, "HTTP": d.http} {
			_, err := d.handshake(address, &tls.Config{MinVersion: tc.version, MaxVersion: tc.version})
			if (err != nil) != tc.refused {
				t.Errorf("%s at the %s door: got error %v, want refused %v", tc.name, door, err, tc.refused)
			}
		}
	}
	if response, err := http.Get("http://" + d.http); err == nil {
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("plain text at a listener with TLS: got status %d, want 400", response.StatusCode)
		}
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	d := serveDoors(t, withCertificate)
	serial := func(address string) string {
		state, err := d.handshake(address, &tls.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].SerialNumber.String()
	}
	first := serial(d.grpc)
	if other := serial(d.http); other != first {
		t.Errorf("the doors have different certificates: %s and %s", first, other)
	}
	authority.Write(t, filepath.Join(d.dir, "tls.crt"), []byte("being written"))
	d.ca.IssueTo(t, d.dir, "authserver")
	within(t, "the new certificate at both doors", func() bool { return serial(d.grpc) != first && serial(d.http) != first })

	second := serial(d.grpc)
	if err := os.Remove(filepath.Join(d.dir, "tls.key")); err != nil {
		t.Fatal(err)
	}
	authority.Write(t, filepath.Join(d.dir, "tls.crt"), []byte("no certificate"))
	if got := serial(d.grpc); got != second {
		t.Errorf("with files that can't be read certificate %s is served, want %s as before", got, second)
	}
}

func TestClientCertificates(t *testing.T) {
	clients, others := authority.New(t), authority.New(t)
	d := serveDoors(t, func(dir string) tlsFiles {
		f := withCertificate(dir)
		f.clientCA, f.clientNames = filepath.Join(dir, "clients.crt"), []string{"gateway", "spiffe://cluster/gateway"}
		authority.Write(t, f.clientCA, clients.PEM)
		return f
	})
	issued := func(ca *authority.Authority, names ...string) *tls.Config {
		certificate, key := ca.Issue(t, names...)
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }}
	}
	refused := func(name string, c *tls.Config, want bool) {
		t.Helper()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for door, address := range map[string]string{"gRPC": d.grpc, "HTTP": d.http} {
				c.MinVersion, c.MaxVersion = version, version
				if _, err := d.handshake(address, c); (err != nil) != want {
					t.Errorf("%s at the %s door with %s: got error %v, want refused %v", name, door, tls.VersionName(version), err, want)
				}
			}
		}
	}
	refused("the gateway's", issued(clients, "gateway"), false)
	refused("the gateway's, by URI", issued(clients, "spiffe://cluster/gateway"), false)
	refused("one of several names", issued(clients, "other", "gateway"), false)
	refused("none", &tls.Config{}, true)
	refused("another authority's", issued(others, "gateway"), true)
	refused("another name", issued(clients, "someone"), true)
	refused("a name that only looks like it", issued(clients, "gateway.evil"), true)
	refused("no name", issued(clients), true)

	authority.Write(t, filepath.Join(d.dir, "clients.crt"), others.PEM)
	refused("the gateway's, of a CA that was taken out", issued(clients, "gateway"), true)
	refused("the gateway's, of the CA that was put in", issued(others, "gateway"), false)
	authority.Write(t, filepath.Join(d.dir, "clients.crt"), []byte("no certificate"))
	refused("whosever, with a file of CAs that can't be read", issued(others, "gateway"), true)
}

func TestTLSFlagsThatAreWrongAreNamed(t *testing.T) {
	dir := t.TempDir()
	authority.New(t).IssueTo(t, dir, "authserver")
	crt, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for _, tc := range []struct {
		name, says string
		flags      []string
	}{
		{"a certificate without key", "--tls-private-key-file: required", []string{"--tls-cert-file=" + crt}},
		{"a key without certificate", "--tls-cert-file: required", []string{"--tls-private-key-file=" + key}},
		{"a certificate that isn't there", "--tls-cert-file, --tls-private-key-file: open /nonexistent", []string{"--tls-cert-file=/nonexistent", "--tls-private-key-file=" + key}},
		{"a key of something else", "--tls-cert-file, --tls-private-key-file: ", []string{"--tls-cert-file=" + crt, "--tls-private-key-file=" + crt}},
		{"client certificates without TLS", "--client-ca-file: needs --tls-cert-file", []string{"--client-ca-file=" + crt}},
		{"a client CA that is none", "--client-ca-file " + key + ": holds no certificate", []string{"--tls-cert-file=" + crt, "--tls-private-key-file=" + key, "--client-ca-file=" + key}},
		{"client names without a client CA", "--client-names: needs --client-ca-file", []string{"--tls-cert-file=" + crt, "--tls-private-key-file=" + key, "--client-names=gateway"}},
		{"admission without a folder", "--webhook-cert-dir: required", []string{"--webhook-address=:9443"}},
		{"self-managed certificates without a folder", "--webhook-cert-dir: required", []string{"--self-managed-certificates"}},
		{"admission without a port", "--webhook-address: ", []string{"--webhook-address=localhost", "--webhook-cert-dir=" + dir}},
		{"admission on port 0", "--webhook-address :0: the port must be", []string{"--webhook-address=:0", "--webhook-cert-dir=" + dir}},
		{"a CA to be injected without rights on the cluster", "--self-managed-certificates: can't inject", []string{
			"--namespaces=shop", "--webhook-address=:9443", "--webhook-cert-dir=" + dir, "--self-managed-certificates",
		}},
		{"an address for a name", `--webhook-names "127.0.0.1": must be a DNS name`, []string{"--webhook-names=127.0.0.1"}},
		{"a namespace that is none", `--namespaces "Shop": `, []string{"--namespaces=Shop"}},
		{"a limit below zero", "--wrong-key-limit -1: must be from 0 to", []string{"--wrong-key-limit=-1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := complete(t, tc.flags...)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v: got error %v, want one that says %q", tc.flags, err, tc.says)
			}
		})
	}
	if _, err := complete(t, "--tls-cert-file="+crt, "--tls-private-key-file="+key, "--grpc-address=:9001", "--http-address=:9002"); err != nil {
		t.Errorf("with TLS, on all addresses: %v", err)
	}
}
