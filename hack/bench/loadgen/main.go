package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/hack/bench/closedloop"
)

// The doors of the auth server that can be asked at.
const extAuthz, forwardAuth = "ext_authz", "forward-auth"

// options are what is asked of whom.
type options struct {
	door     string
	want     int
	keys     int
	keysFile string
	sources  int
	request  checkrequest.Request
	run      closedloop.Config
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o := parse()
	err := measure(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func parse() *options {
	o := &options{}
	flag.StringVar(&o.door, "door", extAuthz, "what to ask at: "+extAuthz+" or "+forwardAuth)
	flag.IntVar(&o.want, "want", 200, "the status that every client shall get")
	flag.IntVar(&o.keys, "keys", 1, "how many keys of checkrequest.Keys are sent in turn; 0: none is sent")
	flag.StringVar(&o.keysFile, "keys-file", "", "a file with the keys to send in turn instead, one a line")
	flag.IntVar(&o.sources, "sources", 0, "how many addresses of 203.0.113.0/24 clients have, in turn, up to 254; 0: one, -source")
	flag.StringVar(&o.request.API, "api", "", "the API that the gateway names: <namespace>/<name> or default; empty: by host")
	flag.StringVar(&o.request.Scopes, "scopes", "", "the scopes that the gateway demands, separated by commas")
	flag.StringVar(&o.request.Method, "method", "", "the client's method")
	flag.StringVar(&o.request.Host, "host", "", "the client's host")
	flag.StringVar(&o.request.Path, "path", "", "the client's path")
	flag.StringVar(&o.request.Source, "source", "", "the client's address")
	flag.BoolVar(&o.request.Joined, "joined", false, "headers as a map, as Envoy sends them without encode_raw_headers")
	flag.StringVar(&o.run.Address, "address", "", "the server's address, on loopback")
	flag.IntVar(&o.run.Connections, "connections", 4, "connections of "+extAuthz+"; "+forwardAuth+" has one for each request in flight")
	flag.IntVar(&o.run.InFlight, "in-flight", 32, "requests in flight")
	flag.IntVar(&o.run.Requests, "requests", 0, "end after so many requests; 0: after -duration")
	flag.DurationVar(&o.run.Warmup, "warmup", time.Second, "for how long to ask before it is measured")
	flag.DurationVar(&o.run.Duration, "duration", 5*time.Second, "for how long to measure")
	flag.Parse()
	return o
}

func measure(ctx context.Context, o *options, out io.Writer) error {
	calls, err := o.calls()
	if err != nil {
		return err
	}
	o.run.Calls = calls
	ask := closedloop.GRPC
	if o.door == forwardAuth {
		ask = closedloop.HTTP
	}
	before := cpu()
	r, err := ask(ctx, o.run)
	if err != nil {
		return err
	}
	report, err := newReport(o, r, cpu()-before)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(report)
}
