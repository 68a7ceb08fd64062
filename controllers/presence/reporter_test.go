package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
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

func (b *booth) Moved() <-chan struct{} { return b.moved }

func (b *booth) Relist() {
	b.do(func() {
		b.position = ""
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

func TestAServerJoinsBeforeItLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		b.wantCurrent(false)
		stop := b.run()
		b.want("0s create", "0s relist", "0s feed starts")
		b.wantCurrent(false)
		b.at(time.Second)
		b.move("100")
		b.wantCurrent(true) // before anybody is told, for whoever asked is waiting for it
		b.want("1s update 100")
		stop()
		b.want("1s delete")
		b.wantCurrent(false)
	})
}

func TestRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		stop := b.run()
		b.move("100")
		b.at(200 * time.Millisecond)
		b.want("0s create", "0s relist", "0s feed starts", "200ms update 100")

		b.at(11 * time.Second) // idle
		b.want("5.2s update 100", "10.2s update 100")
		b.move("101") // at once
		b.want("11s update 101")
		for i := range 100 { // ten a second
			b.at(11*time.Second + time.Duration(i)*10*time.Millisecond)
			b.move(strconv.Itoa(102 + i))
		}
		b.want("11.2s update 121", "11.4s update 141", "11.6s update 161", "11.8s update 181")
		b.at(12 * time.Second)
		b.want("12s update 201")

		// Uses alone are told of with the next renewal, or with a position.
		b.do(func() { b.uses.add(false, 3, 7) })
		b.at(17 * time.Second)
		b.want("17s update 201 8@3m0s")
		b.do(func() { b.uses.add(true, 4, 7) })
		b.at(18 * time.Second)
		b.move("300")
		b.want("18s update 300 8@4m0s")
		stop()
	})
}

// A server that can't renew its Lease stops to say that keys are nobody's before it
// isn't waited for, and joins again when it can.
func TestFencing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		stop := b.run()
		b.move("100")
		b.at(time.Second)
		b.do(func() { b.log, b.fails = nil, errors.New("unreachable") })
		b.at(10*time.Second + 199*time.Millisecond)
		b.wantCurrent(true)
		b.want("5.2s update 100", "6.2s update 100", "7.2s update 100", "8.2s update 100", "9.2s update 100")
		b.at(10*time.Second + 200*time.Millisecond)
		b.wantCurrent(false)
		b.at(11 * time.Second)
		b.want("10.2s update") // joins: without a position
		b.do(func() { b.fails = nil })
		b.at(11*time.Second + 200*time.Millisecond)
		b.want("11.2s update", "11.2s relist")
		b.wantCurrent(false)
		b.at(20 * time.Second) // the list takes long
		b.want("16.2s update")
		b.wantCurrent(false)
		b.move("200")
		b.wantCurrent(true)
		b.want("20s update 200")
		if n := testutil.ToFloat64(b.errors); n != 6 {
			t.Errorf("%v errors are counted, want 6", n)
		}
		stop()
	})
}

// If the first write fails, known keys work all the same.
func TestAServerThatCannotJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		b.fails = apierrors.NewForbidden(resource, "a", errors.New("no such role"))
		stop := b.run()
		b.want("0s create", "0s feed starts")
		b.move("100")
		b.wantCurrent(false)
		b.at(150 * time.Second)
		b.wantCurrent(false)
		if n := testutil.ToFloat64(b.errors); n != 151 {
			t.Errorf("%v errors are counted, want 151", n)
		}
		if len(b.said) != 3 || !strings.Contains(b.said[0], "no such role") { // at once, after 1 and 2 minutes
			t.Errorf("the log says %d times: %q", len(b.said), b.said)
		}
		b.do(func() { b.log, b.fails = nil, nil })
		b.at(151 * time.Second)
		b.want("2m31s create", "2m31s relist")
		b.move("200")
		b.wantCurrent(true)
		if len(b.said) != 4 || !strings.Contains(b.said[3], "written again") {
			t.Errorf("the log says %q", b.said)
		}
		stop()
	})
}

func TestLeasesThatOthersChange(t *testing.T) {
	tests := map[string]struct {
		change  func(b *booth)
		want    []string
		current bool
	}{
		"edited": {
			func(b *booth) { b.store(b.lease) },
			[]string{"5.2s update 100", "5.2s get", "5.2s update 100"}, true,
		},
		// Nobody waited for it since it is gone.
		"deleted": {
			func(b *booth) { b.lease = nil },
			[]string{"5.2s update 100", "5.2s create", "5.2s relist"}, false,
		},
		"an attempt seemed to fail": {
			func(b *booth) { b.fails = errors.New("connection lost") },
			[]string{"5.2s update 100", "6.2s update 100", "6.2s get", "6.2s update 100"}, true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBooth(t)
				stop := b.run()
				b.move("100")
				b.at(time.Second)
				b.do(func() {
					b.log = nil
					tt.change(b)
				})
				b.at(6 * time.Second)
				b.do(func() {
					if b.fails != nil {
						b.fails = nil
						b.store(b.lease) // it did arrive
					}
				})
				b.at(7 * time.Second)
				b.want(tt.want...)
				b.wantCurrent(tt.current)
				stop()
			})
		})
	}
}

// A machine that was suspended has a monotonic clock that knows nothing of it, and
// one whose clock is set back a wall clock that knows as little.
func TestBothClocksCount(t *testing.T) {
	now := time.Now()
	until := now.Add(fencedAfter)
	for name, tt := range map[string]struct {
		at   time.Time
		want bool
	}{
		"now":       {now, true},
		"in time":   {now.Add(fencedAfter - 1), true},
		"late":      {now.Add(fencedAfter), false},
		"by a wall": {now.Round(0).Add(fencedAfter), false},
	} {
		r := &Reporter{}
		r.until.Store(&until)
		if got := r.waitedFor(tt.at); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestAServerThatCannotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		b.Leases = stuck{b}
		stop := b.run()
		stop()
		if took := time.Since(b.began); took != leaveTimeout {
			t.Errorf("it took %v, want %v", took, leaveTimeout)
		}
	})
}

// stuck answers no Delete.
type stuck struct{ *booth }

func (stuck) Delete(ctx context.Context, _ string, _ metav1.DeleteOptions) error {
	<-ctx.Done()
	return ctx.Err()
}
