package presence_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/feed"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// cable is a connection to the API server that can be cut.
type cable struct {
	next http.RoundTripper

	mu   sync.Mutex
	live context.Context // nil while it is cut
	cut  context.CancelFunc
}

func (c *cable) plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live, c.cut = context.WithCancel(context.Background())
}

// pull ends what is under way, too.
func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut()
	c.live = nil
}

func (c *cable) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	live := c.live
	c.mu.Unlock()
	if live == nil {
		return nil, errors.New("the cable is pulled")
	}
	ctx, cancel := context.WithCancel(r.Context())
	context.AfterFunc(live, cancel)
	return c.next.RoundTrip(r.WithContext(ctx))
}

// site is an auth server and a controller at a real API server, each with a clock
// of its own.
type site struct {
	*testing.T
	scheme    *runtime.Scheme
	client    client.Client
	cable     cable
	namespace string

	serverClock, clock *clocktesting.FakeClock
	ring               *keyring.Ring
	reporter           *presence.Reporter
	synced             func() bool
	roster             *presence.Roster
	stop               func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := newGround(t)
	s.build(devcluster.For(t).Config)
	return s
}

// newGround is a site where no auth server is yet.
func newGround(t *testing.T) *site {
	t.Helper()
	now := time.Now()
	s := &site{T: t, scheme: runtime.NewScheme(), serverClock: clocktesting.NewFakeClock(now.Add(-time.Hour)), clock: clocktesting.NewFakeClock(now)}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		s.must(add(s.scheme))
	}
	var err error
	s.client, err = client.New(devcluster.For(t).Config, client.Options{Scheme: s.scheme})
	s.must(err)
	s.namespace, s.roster = s.newNamespace(), presence.NewRoster(s.clock)
	return s
}

func (s *site) newNamespace() string {
	s.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "presence-"}}
	s.must(s.client.Create(s.Context(), n))
	return n.Name
}

// build makes an auth server that has some access, and watches some namespaces or all.
func (s *site) build(config *rest.Config, namespaces ...string) {
	s.Helper()
	s.cable.plug()
	ours := rest.CopyConfig(config)
	ours.Wrap(func(next http.RoundTripper) http.RoundTripper { s.cable.next = next; return &s.cable })
	s.ring = keyring.New(keyring.HostPolicy{})
	f, err := feed.New(ours, s.scheme, s.ring, namespaces...)
	s.must(err)
	s.synced = f.HasSynced
	leases, err := coordinationclient.NewForConfig(ours)
	s.must(err)
	s.reporter = presence.NewReporter(presence.ReporterOptions{
		Identity: "server", Namespace: s.namespace, Leases: leases.Leases(s.namespace), Feed: f, Uses: s.ring.TakeUses, Clock: s.serverClock,
	}, prometheus.NewRegistry())
}

func (s *site) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.reporter.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		s.must(<-done)
	})
	s.Cleanup(s.stop)
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// step lets time pass. While a request is under way it stands still.
func (s *site) step(d time.Duration) {
	s.Helper()
	s.until("the server waits", s.serverClock.HasWaiters)
	s.serverClock.Step(d)
	s.clock.Step(d)
}

// until waits for what doesn't hang on our clocks.
func (s *site) until(what string, holds func() bool) {
	s.Helper()
	poll := func(context.Context) (bool, error) { return holds(), nil }
	if err := wait.PollUntilContextTimeout(context.Background(), 5*time.Millisecond, time.Minute, true, poll); err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// stepping is until where time passes.
func (s *site) stepping(what string, holds func() bool) {
	s.Helper()
	s.until(what, func() bool {
		if holds() {
			return true
		}
		if s.serverClock.HasWaiters() {
			s.step(200 * time.Millisecond)
		}
		return false
	})
}

// issue publishes a key and returns the resourceVersion of that.
func (s *site) issue(raw string) string {
	s.Helper()
	return s.issueIn(s.namespace, raw, v1alpha1.APIKeySpec{})
}

func (s *site) issueIn(namespace, raw string, spec v1alpha1.APIKeySpec) string {
	s.Helper()
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: raw}, Spec: spec}
	s.must(s.client.Create(s.Context(), k))
	k.Status.Keys = []v1alpha1.KeyVersion{{Digest: key.NewRaw(raw).Digest().String(), Phase: v1alpha1.KeyPending, IssuedAt: metav1.Now()}}
	s.must(s.client.Status().Update(s.Context(), k))
	return k.ResourceVersion
}

func (s *site) find(raw string) (keyring.Match, bool) {
	return s.ring.Find(keyring.DefaultAPI, key.NewRaw(raw).Digest())
}

func (s *site) known(raw string) bool {
	_, ok := s.find(raw)
	return ok
}

// look is what a controller does before it delivers a key.
func (s *site) look(revision string) presence.Spread {
	s.Helper()
	asked := s.clock.Now()
	var leases coordinationv1.LeaseList
	s.must(s.client.List(context.Background(), &leases, client.InNamespace(s.namespace), client.MatchingLabels(presence.Labels())))
	s.roster.ObserveLive(asked, &leases)
	return s.roster.Spread(s.namespace, revision)
}

// lookIn is a look at who has a change in another namespace.
func (s *site) lookIn(namespace, revision string) presence.Spread {
	s.Helper()
	s.look(revision)
	return s.roster.Spread(namespace, revision)
}

func TestReporterAndFeedThroughAnOutage(t *testing.T) {
	s := newSite(t)
	s.start()
	s.stepping("the server joins", s.reporter.Current)

	first := s.issue("first")
	if spread := s.look(first); spread.Live != 1 || spread.Seen == 1 && !s.known("first") {
		t.Errorf("right after: %+v", spread)
	}
	s.stepping("all have seen it", func() bool { return s.look(first).Seen == 1 })
	if !s.known("first") {
		t.Error("the server says that it has seen what it doesn't know")
	}

	s.cable.pull()
	second := s.issue("second")
	s.step(9 * time.Second)
	if spread := s.look(second); len(spread.Behind) != 1 || spread.Again <= 0 {
		t.Errorf("cut off: %+v, want one that is behind", spread)
	}
	s.step(time.Second)
	for range 5 {
		if s.reporter.Current() {
			t.Error("cut off for ten seconds it would still call the new key unknown")
		}
		s.step(time.Second)
	}
	if spread := s.look(second); spread.Live != 0 || len(spread.Silent) != 1 {
		t.Errorf("cut off for 15 seconds: %+v, want one that is silent", spread)
	}
	if !s.known("first") || s.known("second") {
		t.Error("it forgot what it knew, or the cable isn't cut")
	}

	s.cable.plug()
	s.step(time.Second)
	s.until("it is current again", func() bool {
		current := s.reporter.Current()
		if current && !s.known("second") {
			t.Fatal("it is current without the key that nobody waited for it with")
		}
		return current
	})
	s.stepping("it is seen again", func() bool {
		spread := s.look(second)
		return spread.Live == 1 && spread.Seen == 1 && len(spread.Silent) == 0
	})
	s.stop()
	if spread := s.look(second); spread.Live+len(spread.Silent) != 0 {
		t.Errorf("after it has left: %+v", spread)
	}
}

// What an auth server sees used comes to the controller.
func TestUsesComeToTheController(t *testing.T) {
	s := newSite(t)
	s.start()
	revision := s.issue("used")
	s.stepping("all have seen it", func() bool { return s.look(revision).Seen == 1 })
	digest, at := key.NewRaw("used").Digest().String(), s.clock.Now().Add(-time.Hour)
	m, _ := s.find("used")
	s.ring.MarkUsed(m.Version, at)
	s.stepping("it is told of", func() bool {
		s.look(revision)
		used, ok := s.roster.LastUsed(digest)
		return ok && used.Equal(at.Truncate(time.Minute))
	})
}

// Leases of auth servers that crashed go after a day, those of others never.
func TestSweeper(t *testing.T) {
	s := newSite(t)
	for _, server := range []string{"crashed", "alive"} {
		s.must(s.client.Create(t.Context(), presence.Report{Identity: server, Renewed: s.clock.Now()}.Lease(s.namespace)))
	}
	leader := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "apikey-operator-controller"}}
	s.must(s.client.Create(t.Context(), leader))
	sweeper := &presence.Sweeper{Roster: s.roster, Client: s.client, Namespace: s.namespace, Clock: s.clock}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sweeper.Start(ctx) }()
	left := func() int {
		var leases coordinationv1.LeaseList
		s.must(s.client.List(context.Background(), &leases, client.InNamespace(s.namespace)))
		return len(leases.Items)
	}
	s.look("1")
	for hour := 1; left() == 3; hour++ {
		if hour > 26 {
			t.Fatal("nothing is deleted after 26 hours")
		}
		alive := &coordinationv1.Lease{}
		s.must(s.client.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "apikey-operator-authserver-alive"}, alive))
		alive.Spec.RenewTime = &metav1.MicroTime{Time: s.clock.Now()}
		s.must(s.client.Update(t.Context(), alive))
		s.look("1")
		s.until("the sweeper waits", s.clock.HasWaiters)
		s.clock.Step(time.Hour)
		if hour == 25 {
			s.until("one is deleted", func() bool { return left() == 2 })
		} else if hour < 24 && left() != 3 {
			t.Errorf("one is deleted after %d hours", hour)
		}
	}
	var crashed coordinationv1.Lease
	err := s.client.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "apikey-operator-authserver-crashed"}, &crashed)
	if client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the Lease of the crashed server: %v, want it gone", err)
	}
	cancel()
	s.must(<-done)
}
