package proxies

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// overTLS is a door whose recipe is edited as its users would to serve HTTPS.
func (d door) overTLS(t *testing.T) door {
	t.Helper()
	const host = "api.billoget.com"
	certificate, key, pool := selfSigned(t, host)
	d.tls = &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12}
	if d.part == parts.Nginx {
		return d.edited("listen 127.0.0.1:10080;", "listen 127.0.0.1:10080\n ssl;\n ssl_certificate "+certificate+";\n ssl_certificate_key "+key+";")
	}
	return d.edited("    - filters:\n", `    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - certificate_chain: {filename: `+certificate+`}
              private_key: {filename: `+key+`}
      filters:
`)
}

// selfSigned makes a certificate for a host, and returns its files and who trusts it.
func selfSigned(t *testing.T, host string) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("tls.crt", "CERTIFICATE", der), write("tls.key", "PRIVATE KEY", pkcs8), pool
}

func strict(api *keyring.API) { api.DenyPlainHTTP = true }

// What came over TLS passes where plain HTTP is denied, whatever the client says of
// it. That plain HTTP doesn't is among the denials.
func TestTLS(t *testing.T) {
	for _, d := range []door{envoyGRPC, envoyHTTP, nginx} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			s := run(t, d.overTLS(t))
			s.with(t, strict)
			good := request{fields: bearer(s.key("good"))}
			s.allowed(t, "over TLS", good)
			s.allowed(t, "over TLS, denied by the client", good.with("X-Forwarded-Proto: http", "X-Forwarded-Scheme: http", "X-Forwarded-Port: 80"))
			s.denied(t, "over TLS, without a key", request{}, missing)
		})
	}
}

// A client may write https where a proxy could take it for its own: into the request
// line, and over HTTP/2 into :scheme.
func TestSpoofedScheme(t *testing.T) {
	through(t, func(t *testing.T, s *system) {
		s.with(t, strict)
		good := request{fields: bearer(s.key("good"))}
		good.target = "https://api.billoget.com/api/public/budgets/7"
		s.stopped(t, "in the request line", good)
		s.stopped(t, "and in a header", good.with("X-Forwarded-Proto: https"))
		if s.door.part == parts.Nginx {
			return // the recipe has no HTTP/2
		}
		for _, row := range []struct {
			scheme string
			extra  []string
		}{{"https", nil}, {"https", []string{"x-forwarded-proto", "https"}}, {"http", []string{"x-forwarded-proto", "https"}}} {
			s.decided()
			before := s.upstream.requests.Load()
			s.exchangeHTTP2(t, append([]string{
				":method", "GET", ":scheme", row.scheme, ":path", "/api/public/budgets/7", ":authority", "api.billoget.com",
				"authorization", "Bearer " + rawOf("good"),
			}, row.extra...))
			if s.upstream.requests.Load() != before {
				t.Errorf("%+v: the upstream saw it", row)
			}
			if got := s.decided(); !slices.Equal(got, []auth.Reason{auth.PlainHTTP}) {
				t.Errorf("%+v: decided %q, want %q", row, got, auth.PlainHTTP)
			}
		}
	})
}

// The types of HTTP/2's frames that are of use here (RFC 9113, 6).
const (
	http2Headers  = 1
	http2Settings = 4
)

// exchangeHTTP2 sends one request over HTTP/2 without TLS, pseudo headers as they are,
// and waits for the response. No client of Go's would send such a :scheme.
func (s *system) exchangeHTTP2(t *testing.T, fields []string) {
	t.Helper()
	var block bytes.Buffer // literal fields, not indexed (RFC 7541, 6.2.2)
	for i := 0; i < len(fields); i += 2 {
		block.WriteByte(0)
		for _, text := range fields[i : i+2] {
			if len(text) > 126 {
				t.Fatalf("%q needs more than one byte for its length", text)
			}
			block.WriteByte(byte(len(text)))
			block.WriteString(text)
		}
	}
	frame := func(kind, flags byte, stream uint32, payload []byte) []byte {
		header := []byte{0, 0, byte(len(payload)), kind, flags}
		header[1] = byte(len(payload) >> 8)
		return append(binary.BigEndian.AppendUint32(header, stream), payload...)
	}
	connection := s.dial(t)
	defer func() { _ = connection.Close() }()
	const endStreamAndHeaders = 0x1 | 0x4
	if _, err := io.Copy(connection, io.MultiReader(
		strings.NewReader("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		bytes.NewReader(frame(http2Settings, 0, 0, nil)),
		bytes.NewReader(frame(http2Headers, endStreamAndHeaders, 1, block.Bytes())),
	)); err != nil {
		t.Fatal(err)
	}
	for {
		header := make([]byte, 9)
		if _, err := io.ReadFull(connection, header); err != nil {
			t.Fatalf("no response: %v", err)
		}
		length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		if _, err := io.CopyN(io.Discard, connection, length); err != nil {
			t.Fatal(err)
		}
		if header[3] == http2Headers {
			return
		}
	}
}
