package admission

import (
	"net/http"
	"time"
)

const (
	// answeredAtOnce is how many requests of one kind are answered at once. Each may
	// hold a body of 7 MB, and ask the API server.
	answeredAtOnce = 64
	// bodyWithin is how soon a request has to be here whole: the API server waits no
	// longer than that for the answer.
	bodyWithin = 5 * time.Second
)

// bounded bounds what callers cost, whom nobody knows. More than it has places for are
// refused at once, with which the API server fails closed.
type bounded struct {
	hook   http.Handler
	places chan struct{}
	within time.Duration
}

func newBounded(hook http.Handler, places int, within time.Duration) *bounded {
	return &bounded{hook: hook, places: make(chan struct{}, places), within: within}
}

// ServeHTTP implements http.Handler.
func (b *bounded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(b.within)); err != nil {
		http.Error(w, "no deadline can be set for the body: "+err.Error(), http.StatusInternalServerError)
		return
	}
	select {
	case b.places <- struct{}{}:
		defer func() { <-b.places }()
		b.hook.ServeHTTP(w, r)
	default:
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // else its body is waited for first
		}
		http.Error(w, "too many requests are being answered: try again", http.StatusServiceUnavailable)
	}
}
