package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/e2e/counts"
)

// callTimeout is longer than any call that is still of use.
const callTimeout = 5 * time.Second

func main() {
	c := caller{tally: counts.New()}
	listen := flag.String("listen", ":8080", "address of /counts")
	every := flag.Duration("every", 50*time.Millisecond, "time from one call to the next")
	parallel := flag.Int("parallel", 1, "how many call at once, each every -every")
	flag.StringVar(&c.file, "key", "/var/run/apikey/api-key", "file with the raw key")
	flag.StringVar(&c.url, "url", "", "what to call")
	flag.StringVar(&c.host, "host", "", "the call's Host header")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c.client = &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: *parallel}}
	for range *parallel {
		go c.run(ctx, *every)
	}
	err := c.serve(ctx, *listen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "caller:", err)
		os.Exit(1)
	}
}

type caller struct {
	file, url, host string
	client          *http.Client
	tally           *counts.Tally
}

// serve answers who asks for the counts, until the context ends.
func (c *caller) serve(ctx context.Context, address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.tally.Snapshot()) // the reader hung up
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: callTimeout}
	go func() {
		<-ctx.Done()
		_ = server.Close() // nothing here outlives the process
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// run calls until the context ends. A call that takes longer than the interval
// delays the next: an application doesn't overtake itself either.
func (c *caller) run(ctx context.Context, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			started := time.Now()
			key, err := os.ReadFile(c.file)
			status := 0
			if err == nil {
				status, err = c.call(ctx, string(key))
			}
			c.tally.Add(counts.Call{Key: string(key), Status: status, Err: err, Start: started, End: time.Now()})
		}
	}
}

func (c *caller) call(ctx context.Context, key string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return 0, err
	}
	request.Host = c.host
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	// Read to the end, so that the connection is used again.
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}
