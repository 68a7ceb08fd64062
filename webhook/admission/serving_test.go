package admission

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serveOn serves a hook on a listener of loopback, with HTTP/2 or 1.
func serveOn(t *testing.T, hook http.Handler, two bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(hook)
	s.EnableHTTP2 = two
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// answer is the code and the text that a request gets.
type answer struct {
	Code int
	Text string
}

func post(t *testing.T, s *httptest.Server, body io.Reader) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return answer{response.StatusCode, strings.TrimSpace(string(text))}
}

// reading answers with the body, or why there is none.
func reading(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		http.Error(w, "too late", http.StatusBadRequest)
		return
	}
	_, _ = w.Write(body)
}

var protocols = map[string]bool{"HTTP/1": false, "HTTP/2": true}

// silent is a body that never comes.
func silent(t *testing.T) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	return r
}

func TestFewAreAnsweredAtOnce(t *testing.T) {
	for name, two := range protocols {
		t.Run(name, func(t *testing.T) {
			in, out := make(chan struct{}), make(chan struct{})
			s := serveOn(t, newBounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				in <- struct{}{}
				<-out
				reading(w, r)
			}), 2, time.Minute), two)
			answers := make(chan answer)
			for range 2 {
				go func() { answers <- post(t, s, strings.NewReader("review")) }()
				<-in
			}
			refused := answer{http.StatusServiceUnavailable, "too many requests are being answered: try again"}
			got := []answer{post(t, s, strings.NewReader("review")), post(t, s, silent(t))}
			close(out)
			got = append(got, <-answers, <-answers)
			go func() { <-in }()
			got = append(got, post(t, s, strings.NewReader("next")))
			if diff := cmp.Diff([]answer{refused, refused, {200, "review"}, {200, "review"}, {200, "next"}}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whoever sends slowly doesn't keep a place.
func TestABodyComesInTime(t *testing.T) {
	for name, two := range protocols {
		t.Run(name, func(t *testing.T) {
			s := serveOn(t, newBounded(http.HandlerFunc(reading), 1, 50*time.Millisecond), two)
			got := []answer{post(t, s, silent(t)), post(t, s, strings.NewReader("review"))}
			if diff := cmp.Diff([]answer{{400, "too late"}, {200, "review"}}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNothingIsAnsweredWithoutADeadline(t *testing.T) {
	w := httptest.NewRecorder() // which has none
	newBounded(http.HandlerFunc(reading), 1, time.Minute).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("review")))
	got := answer{w.Code, strings.TrimSpace(w.Body.String())}
	if want := (answer{500, "no deadline can be set for the body: feature not supported"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Both kinds are served so, each by itself.
func TestAllThatIsServedIsBounded(t *testing.T) {
	hooks := handlers{}
	(&Validators{}).Register(hooks, newScheme(t))
	for _, path := range []string{APIKeyPath, ProtectedAPIPath} {
		b, ok := hooks[path].(*bounded)
		if !ok || cap(b.places) != 64 || b.within != 5*time.Second {
			t.Errorf("%s is served by %+v", path, hooks[path])
		}
	}
	if len(hooks) != 2 || hooks[APIKeyPath] == hooks[ProtectedAPIPath] {
		t.Errorf("served is %v", hooks)
	}
}

type handlers map[string]http.Handler

// Register implements Server.
func (h handlers) Register(path string, hook http.Handler) { h[path] = hook }
