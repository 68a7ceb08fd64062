package presence

import (
	"context"
	"maps"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

const (
	// renewEvery is how often the Lease is renewed, and retryAfter how soon again if
	// that failed.
	renewEvery = 5 * time.Second
	retryAfter = time.Second
	// coalesced is the least between two writes, however the position moves.
	coalesced = 200 * time.Millisecond
	// fencedAfter is how long after the start of its last renewal a server answers
	// for keys that it doesn't know. It is shorter than LeaseDuration, which begins
	// later, by more than clocks run differently.
	fencedAfter = 10 * time.Second
	// writeTimeout leaves room for more than one attempt before that.
	writeTimeout = 3 * time.Second
	leaveTimeout = 2 * time.Second
	// sayAgain is how often a failure that lasts is logged.
	sayAgain = time.Minute
)

// Feed is what reads APIKeys into a keyring.
type Feed interface {
	// Start reads until the context ends.
	Start(context.Context) error
	// Position is the resourceVersion up to which everything is in the keyring, ""
	// if that isn't known.
	Position() string
	// Positions are those of each namespace, of a feed that reads only some, and reads
	// them one by one; else nil. Position is then the least of them.
	Positions() map[string]string
	// Moved has a value when the position has moved.
	Moved() <-chan struct{}
	// Relist lists anew: from its return on there is no position until the list is in.
	Relist()
}

// Leases are the Leases of a namespace.
type Leases interface {
	Create(context.Context, *coordinationv1.Lease, metav1.CreateOptions) (*coordinationv1.Lease, error)
	Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error)
	Update(context.Context, *coordinationv1.Lease, metav1.UpdateOptions) (*coordinationv1.Lease, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
}

// ReporterOptions say what a Reporter reports, and where.
type ReporterOptions struct {
	Identity  string // see NewIdentity
	Namespace string
	Leases    Leases // of the namespace
	Feed      Feed
	// Uses returns up to n uses of key versions that are news.
	Uses  func(n int) []keyring.Use
	Clock clock.Clock
}

// Reporter holds the Lease of an auth server, and knows whether the server may say
// that a key is nobody's.
type Reporter struct {
	ReporterOptions
	errors prometheus.Counter

	// until is when the server is fenced if no renewal succeeds before; nil is now.
	until atomic.Pointer[time.Time]

	// What follows belongs to the goroutine that writes.
	revision      string    // of the Lease as it was written last, "" for none
	tried, logged time.Time // when the last attempt and the last error in the log were
	failed, said  bool      // the last attempt did; the log ends with an error
	seen          string    // the position that was written last, and
	seenIn        map[string]string
	window        window
}

// NewReporter returns a Reporter, and registers its metrics.
func NewReporter(o ReporterOptions, registry prometheus.Registerer) *Reporter {
	r := &Reporter{ReporterOptions: o, errors: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "apikey_operator_lease_errors_total",
		Help: "Attempts to write the auth server's Lease that failed. After ten seconds without success, unknown keys are answered with 503.",
	})}
	registry.MustRegister(r.errors)
	return r
}

// Current reports whether the keyring has every key that anybody may have been
// given: the server is waited for, and has listed since it is.
func (r *Reporter) Current() bool {
	// In this order: report lists anew before it moves the end.
	return r.waitedFor(r.Clock.Now()) && r.Feed.Position() != ""
}

// waitedFor reports whether a controller waits for this server, by both clocks of
// the machine: one stands still while it is suspended, the other may be set back.
func (r *Reporter) waitedFor(at time.Time) bool {
	until := r.until.Load()
	return until != nil && at.Before(*until) && at.Round(0).Before(until.Round(0))
}

// Run writes the Lease, only then starts the feed, and reports until the context
// ends. If the Lease can't be written the feed starts all the same, for known keys
// must work.
func (r *Reporter) Run(ctx context.Context) error {
	r.report(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.Feed.Start(ctx) })
	group.Go(func() error {
		r.renew(ctx)
		r.leave(ctx)
		return nil
	})
	return group.Wait()
}

func (r *Reporter) renew(ctx context.Context) {
	for ctx.Err() == nil {
		wait := r.due(r.Clock.Now())
		if wait <= 0 {
			r.report(ctx)
			continue
		}
		timer := r.Clock.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-r.Feed.Moved(): // which may be due earlier
		case <-timer.C():
		}
		timer.Stop()
	}
}

// due is how long until the next attempt. Uses alone wait for the next renewal.
func (r *Reporter) due(now time.Time) time.Duration {
	after := renewEvery
	switch {
	case r.failed:
		after = retryAfter
	case r.Feed.Position() != r.seen, !maps.Equal(r.Feed.Positions(), r.seenIn):
		after = coalesced
	}
	return r.tried.Add(after).Sub(now)
}

// report writes the Lease once. A server that wasn't waited for, or may not have
// been, joins: what was published meanwhile it may have missed for good.
func (r *Reporter) report(ctx context.Context) {
	start := r.Clock.Now() // before anything is sent
	r.tried = start
	joins := !r.waitedFor(start)
	r.window.fill(r.Uses)
	// In this order, so that the one isn't above the others.
	seen, seenIn := r.Feed.Position(), r.Feed.Positions()
	report := Report{Identity: r.Identity, Renewed: start, Seen: seen, SeenIn: seenIn, Used: r.window.uses()}
	if joins {
		report.joining()
	}
	lost, err := r.put(ctx, &report)
	if err != nil {
		r.fail(ctx, start, err)
		return
	}
	if r.said {
		log.FromContext(ctx).Info("the Lease is written again", "lease", namePrefix+r.Identity)
	}
	r.failed, r.said, r.seen, r.seenIn = false, false, report.Seen, report.SeenIn
	r.window.wrote()
	if joins || lost || !r.waitedFor(r.Clock.Now()) {
		r.Feed.Relist()
	}
	until := start.Add(fencedAfter)
	r.until.Store(&until)
}

// put creates or updates the Lease, whatever became of it. It reports whether the
// Lease was lost: it is then written without a position.
func (r *Reporter) put(ctx context.Context, report *Report) (lost bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for range 3 {
		var lease *coordinationv1.Lease
		if r.revision == "" {
			lost = true
			report.joining()
			lease, err = r.Leases.Create(ctx, report.Lease(r.Namespace), metav1.CreateOptions{})
		} else {
			lease = report.Lease(r.Namespace)
			lease.ResourceVersion = r.revision
			lease, err = r.Leases.Update(ctx, lease, metav1.UpdateOptions{})
		}
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			// Somebody else's edit, or an attempt of ours that seemed to fail.
			lease, err = r.Leases.Get(ctx, namePrefix+r.Identity, metav1.GetOptions{})
			if err == nil {
				r.revision = lease.ResourceVersion
				continue
			}
		}
		switch {
		case err == nil:
			r.revision = lease.ResourceVersion
			return lost, nil
		case apierrors.IsNotFound(err):
			r.revision = ""
		default:
			return lost, err
		}
	}
	return lost, err
}

// fail counts a failure, and says so once and then every minute.
func (r *Reporter) fail(ctx context.Context, now time.Time, err error) {
	r.failed = true
	if ctx.Err() != nil {
		return // told to stop
	}
	r.errors.Inc()
	if r.logged.IsZero() || now.Sub(r.logged) >= sayAgain {
		r.logged, r.said = now, true
		log.FromContext(ctx).Error(err, "writing the Lease; without it, keys that aren't known here are answered with 503, and rotations don't wait for this server",
			"namespace", r.Namespace, "lease", namePrefix+r.Identity)
	}
}

// leave tells what was used since the last report, and takes the Lease away, as well
// as can be: nobody shall wait for a server that has gone.
func (r *Reporter) leave(ctx context.Context) {
	r.until.Store(nil)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	var err error
	if r.window.fill(r.Uses); r.revision != "" && r.window.news() {
		_, err = r.put(ctx, &Report{Identity: r.Identity, Renewed: r.Clock.Now(), Seen: r.seen, SeenIn: r.seenIn, Used: r.window.uses()})
	}
	if err != nil {
		log.FromContext(ctx).Info("what was used last couldn't be told", "lease", namePrefix+r.Identity, "error", err.Error())
	}
	err = r.Leases.Delete(ctx, namePrefix+r.Identity, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		log.FromContext(ctx).Info("the Lease couldn't be deleted; it is waited for another 15 seconds", "lease", namePrefix+r.Identity, "error", err.Error())
	}
}
