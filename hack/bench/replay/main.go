package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

// options are the flags.
type options struct {
	address, kubeconfig string
	keys, churn         int
}

func main() {
	var o options
	flag.StringVar(&o.address, "address", "127.0.0.1:0", "address to serve, on loopback")
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "file that is written, once this serves, for who wants to ask")
	flag.IntVar(&o.keys, "keys", 10_000, fmt.Sprintf("how many keys of checkrequest.Keys have an APIKey, 1 to %d", checkrequest.MaxKeys))
	flag.IntVar(&o.churn, "churn", 0, "how many APIKeys change per second, until POST /replay/churn?rate=<number> says otherwise")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, o options) error {
	if a, err := netip.ParseAddrPort(o.address); err != nil || !a.Addr().IsLoopback() {
		return fmt.Errorf("-address %q: want <IP>:<port> of loopback", o.address)
	}
	if o.kubeconfig == "" {
		return errors.New("-kubeconfig: required, a file to write")
	}
	s, err := newStore(o.keys)
	if err != nil {
		return fmt.Errorf("-keys: %w", err)
	}
	if err := s.setRate(o.churn); err != nil {
		return fmt.Errorf("-churn: %w", err)
	}
	h, err := handler(s)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.address)
	if err != nil {
		return err
	}
	ip := listener.Addr().(*net.TCPAddr).IP
	certificate, private, err := cert.GenerateSelfSignedCertKey(ip.String(), []net.IP{ip}, nil)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}},
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // nothing here outlives the process
	go s.run(ctx)
	if err := writeKubeconfig(o.kubeconfig, listener.Addr().String(), certificate); err != nil {
		return err
	}
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// writeKubeconfig writes it at once: who waits for the file reads all of it.
func writeKubeconfig(path, address string, ca []byte) error {
	const name = "replay"
	c := clientcmdapi.NewConfig()
	c.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + address, CertificateAuthorityData: ca}
	c.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	c.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	if err := clientcmd.WriteToFile(*c, path+".new"); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
