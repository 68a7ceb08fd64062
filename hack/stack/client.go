package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Request is what a client asks for.
type Request struct {
	Method, Host, Path string // GET, unless said otherwise
	Headers            http.Header
}

// Answer is what a client sees.
type Answer struct {
	Status  int
	Headers http.Header
	Body    string
}

// client doesn't follow redirects, of which there should be none.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Ask sends a request through a proxy.
func Ask(ctx context.Context, proxy string, q Request) (Answer, error) {
	method := q.Method
	if method == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+proxy+q.Path, nil)
	if err != nil {
		return Answer{}, err
	}
	r.Host = q.Host
	for name, values := range q.Headers {
		r.Header[name] = values
	}
	response, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, string(body)}, err
}

// Verdict is "allowed" and the name of the key as the upstream was told it, or
// the status and error code of a denial.
func (a Answer) Verdict() string {
	var seen Seen
	if a.Status == http.StatusOK && json.Unmarshal([]byte(a.Body), &seen) == nil && seen.Method != "" {
		return "allowed " + seen.Headers.Get("X-Apikey-Name")
	}
	var denial struct {
		Error     string
		AuthError bool // Stax.ai's own
	}
	if err := json.Unmarshal([]byte(a.Body), &denial); err != nil {
		return fmt.Sprintf("%d %q", a.Status, a.Body)
	}
	if denial.AuthError {
		return fmt.Sprintf("%d authError", a.Status)
	}
	return fmt.Sprintf("%d %s", a.Status, denial.Error)
}

// Bearer is the header of a key sent as a Bearer token.
func Bearer(raw string) http.Header { return http.Header{"Authorization": {"Bearer " + raw}} }
