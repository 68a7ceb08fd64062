package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// tlsFiles are what a listener is served with. All of them are read again when they
// change.
type tlsFiles struct {
	cert, key string
	// clientCA has whoever connects show a certificate of one of its CAs, with one of
	// clientNames, if there are any, as DNS name or URI.
	clientCA    string
	clientNames []string
}

// check says which of the flags is missing or can't be read.
func (f tlsFiles) check() error {
	switch {
	case f.cert == "" && f.key != "":
		return errors.New("--tls-cert-file: required with --tls-private-key-file")
	case f.cert != "" && f.key == "":
		return errors.New("--tls-private-key-file: required with --tls-cert-file")
	case f.clientCA != "" && f.cert == "":
		return errors.New("--client-ca-file: needs --tls-cert-file: without TLS no client shows a certificate")
	case len(f.clientNames) > 0 && f.clientCA == "":
		return errors.New("--client-names: needs --client-ca-file: without it no client shows a certificate")
	case f.cert == "":
		return nil
	}
	if _, err := tls.LoadX509KeyPair(f.cert, f.key); err != nil {
		return fmt.Errorf("--tls-cert-file, --tls-private-key-file: %w", err)
	}
	if f.clientCA == "" {
		return nil
	}
	_, err := f.clientCAs()
	return err
}

// clientCAs are read for each handshake: those are few, and a CA that was taken out
// counts no more.
func (f tlsFiles) clientCAs() (*x509.CertPool, error) {
	content, err := os.ReadFile(f.clientCA)
	if err != nil {
		return nil, fmt.Errorf("--client-ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("--client-ca-file %s: holds no certificate in PEM", f.clientCA)
	}
	return pool, nil
}

// serverTLS returns how to serve with a certificate, and who must connect.
func serverTLS(f tlsFiles, c *certificate) *tls.Config {
	base := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
		NextProtos:     []string{"h2", "http/1.1"},
	}
	if f.clientCA == "" {
		return base
	}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := f.clientCAs()
		if err != nil {
			return nil, err
		}
		own := base.Clone()
		own.GetConfigForClient = nil
		own.ClientCAs, own.ClientAuth = pool, tls.RequireAndVerifyClientCert
		own.SessionTicketsDisabled = true // who comes again shows the certificate again
		own.VerifyConnection = f.verifyName
		return own, nil
	}
	return base
}

func (f tlsFiles) verifyName(s tls.ConnectionState) error {
	if len(f.clientNames) == 0 {
		return nil
	}
	client := s.PeerCertificates[0] // there is one: it is required
	names := slices.Clone(client.DNSNames)
	for _, uri := range client.URIs {
		names = append(names, uri.String())
	}
	if !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(f.clientNames, n) }) {
		return fmt.Errorf("the client's certificate has none of --client-names, but %q", names)
	}
	return nil
}

// certificate is one that files hold, now or later.
type certificate struct {
	cert, key string
	watcher   atomic.Pointer[certwatcher.CertWatcher]
}

var errNoCertificate = errors.New("there is no certificate yet")

// get implements tls.Config.GetCertificate.
func (c *certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	w := c.watcher.Load()
	if w == nil {
		return nil, errNoCertificate
	}
	return w.GetCertificate(hello)
}

// ready reports whether there is a certificate.
func (c *certificate) ready() bool { return c.watcher.Load() != nil }

// run waits for the files and reads them again whenever they change.
func (c *certificate) run(ctx context.Context) error {
	var w *certwatcher.CertWatcher
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(context.Context) (bool, error) {
		var err error
		w, err = certwatcher.New(c.cert, c.key)
		return err == nil, nil // not there yet, or being written
	})
	if err != nil {
		return nil //nolint:nilerr // told to stop before there was one
	}
	c.watcher.Store(w)
	return w.Start(ctx)
}
