package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// replay is a hack/bench/replay that runs.
type replay struct {
	kubeconfig, url string
	client          *http.Client
}

// replay starts one on the core of who asks: it has next to nothing to do there.
func (l *lab) replay(ctx context.Context, keys int) (*replay, error) {
	r := &replay{kubeconfig: filepath.Join(l.dir, fmt.Sprintf("kubeconfig-%d", l.n))}
	p, err := l.start(l.cores.client, "bench/replay", "-kubeconfig", r.kubeconfig, "-keys", strconv.Itoa(keys))
	if err != nil {
		return nil, err
	}
	serves := func(context.Context) bool { _, err := os.Stat(r.kubeconfig); return err == nil }
	if err := until(ctx, p, serves); err != nil {
		return nil, fmt.Errorf("waiting for the replay: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", r.kubeconfig)
	if err != nil {
		return nil, err
	}
	r.url = config.Host
	r.client, err = rest.HTTPClientFor(config)
	return r, err
}

// churn has so many keys change per second from now on.
func (r *replay) churn(ctx context.Context, rate int) error {
	return r.ask(ctx, http.MethodPost, "/replay/churn?rate="+strconv.Itoa(rate), nil)
}

// sent is how many changes it has sent to auth servers.
func (r *replay) sent(ctx context.Context) (int64, error) {
	var state struct{ Sent int64 }
	err := r.ask(ctx, http.MethodGet, "/replay/state", &state)
	return state.Sent, err
}

func (r *replay) ask(ctx context.Context, method, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, nil)
	if err != nil {
		return err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 300 {
		return fmt.Errorf("replay: %s %s: status %d", method, path, response.StatusCode)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}
