package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	door := flag.String("door", extAuthz, "the server: "+extAuthz+" or "+forwardAuth)
	address := flag.String("address", "127.0.0.1:0", "address to serve, on loopback")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *door, *address)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "baseline:", err)
		os.Exit(1)
	}
}

// run serves until the context ends. It prints the address first.
func run(ctx context.Context, door, address string) error {
	if a, err := netip.ParseAddrPort(address); err != nil || !a.Addr().IsLoopback() {
		return fmt.Errorf("-address %q: want <IP>:<port> of loopback", address)
	}
	serve, err := serverOf(door)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return serve(ctx, listener)
}
