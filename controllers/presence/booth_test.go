package presence

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

var resource = schema.GroupResource{Resource: "leases"}

// booth is an auth server that reports, in a bubble whose time runs only while
// nobody has anything to do. It is the Leases and the feed of its Reporter, too.
type booth struct {
	*testing.T
	*Reporter
	began time.Time

	mu    sync.Mutex // guards what follows
	uses  queue
	lease *coordinationv1.Lease // as it is in the API server; nil is none
	fails error                 // what every request ends with
	log   []string              // requests, and what is done to the feed
	said  []string              // log lines

	position string
	in       map[string]string // positions of namespaces; nil if it reads them all at once
	moved    chan struct{}
}

func newBooth(t *testing.T) *booth {
	b := &booth{T: t, began: time.Now(), moved: make(chan struct{}, 1)}
	b.Reporter = NewReporter(ReporterOptions{
		Identity: "a", Namespace: "system", Leases: b, Feed: b, Uses: b.take, Clock: clock.RealClock{},
	}, prometheus.NewRegistry())
	return b
}

// run lets it report until the test is over.
func (b *booth) run() (stop func()) {
	logger := funcr.New(func(_, args string) { b.do(func() { b.said = append(b.said, args) }) }, funcr.Options{})
	ctx, cancel := context.WithCancel(ctrl.LoggerInto(b.Context(), logger))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Reporter.Run(ctx); err != nil {
			b.Error(err)
		}
	}()
	synctest.Wait()
	return func() {
		cancel()
		<-done
	}
}

// do changes something.
func (b *booth) do(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// at lets time pass until so long after the beginning.
func (b *booth) at(d time.Duration) {
	<-time.After(time.Until(b.began.Add(d)))
	synctest.Wait()
}

func (b *booth) note(what string) {
	b.log = append(b.log, fmt.Sprintf("%v %s", time.Since(b.began), what))
}

// want demands what has happened since the last time.
func (b *booth) want(log ...string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.log, log) {
		b.Errorf("happened:\n%q\nwant:\n%q", b.log, log)
	}
	b.log = nil
}

func (b *booth) wantCurrent(want bool) {
	b.Helper()
	if got := b.Current(); got != want {
		b.Errorf("after %v it is current: %v, want %v", time.Since(b.began), got, want)
	}
}

func (b *booth) move(position string) {
	b.do(func() { b.position = position })
	select {
	case b.moved <- struct{}{}:
	default:
	}
	synctest.Wait()
}

func (b *booth) Start(ctx context.Context) error {
	b.do(func() { b.note("feed starts") })
	<-ctx.Done()
	return nil
}

func (b *booth) Position() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.position
}

func (b *booth) Positions() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.in)
}

func (b *booth) Moved() <-chan struct{} { return b.moved }

func (b *booth) Relist() {
	b.do(func() {
		b.position = ""
		for namespace := range b.in {
			b.in[namespace] = ""
		}
		b.note("relist")
	})
}

func (b *booth) take(n int) []keyring.Use {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.uses.take(n)
}

func (b *booth) write(verb string, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := Read(l)
	what := verb + " " + r.Seen
	if r.SeenIn != nil {
		what += " (" + encodePositions(r.SeenIn) + ")"
	}
	for _, u := range r.Used {
		what += fmt.Sprintf(" %s@%v", strings.TrimLeft(u.Beginning, "0"), u.At.Sub(start))
	}
	b.note(strings.TrimSpace(what))
	if b.fails != nil {
		return nil, b.fails
	}
	switch {
	case verb == "create" && b.lease != nil:
		return nil, apierrors.NewAlreadyExists(resource, l.Name)
	case verb == "update" && b.lease == nil:
		return nil, apierrors.NewNotFound(resource, l.Name)
	case verb == "update" && b.lease.ResourceVersion != l.ResourceVersion:
		return nil, apierrors.NewConflict(resource, l.Name, nil)
	}
	b.store(l)
	return b.lease.DeepCopy(), nil
}

func (b *booth) store(l *coordinationv1.Lease) {
	l = l.DeepCopy()
	revision := 1
	if b.lease != nil {
		revision, _ = strconv.Atoi(b.lease.ResourceVersion)
	}
	l.ResourceVersion = strconv.Itoa(revision + 1)
	b.lease = l
}

func (b *booth) Create(_ context.Context, l *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	return b.write("create", l)
}

func (b *booth) Update(_ context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	return b.write("update", l)
}

func (b *booth) Get(_ context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note("get")
	if b.lease == nil {
		return nil, apierrors.NewNotFound(resource, name)
	}
	return b.lease.DeepCopy(), b.fails
}

func (b *booth) Delete(ctx context.Context, _ string, _ metav1.DeleteOptions) error {
	b.do(func() {
		b.note("delete")
		b.lease = nil
	})
	return ctx.Err()
}
