package stack

import (
	"encoding/json"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Seen is what the upstream answers: the request as it reached it.
type Seen struct {
	Method, Host, Path string
	Headers            http.Header
}

// Upstream is an application without any authentication of its own.
type Upstream struct {
	Address string

	requests atomic.Int64
	server   *http.Server
}

func startUpstream() (*Upstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &Upstream{Address: l.Addr().String()}
	u.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Seen{Method: r.Method, Host: r.Host, Path: r.RequestURI, Headers: r.Header}) // the proxy hung up
	})}
	go func() { _ = u.server.Serve(l) }() // ends with stop
	return u, nil
}

// Requests is how many requests have reached the upstream.
func (u *Upstream) Requests() int64 { return u.requests.Load() }

func (u *Upstream) stop() error { return u.server.Close() }
