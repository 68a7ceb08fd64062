package apikey

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// reportsFresh is how recent the report of every auth server must be for what it
// doesn't tell of to be unused; they report every five seconds.
const reportsFresh = 15 * time.Second

// observeServers reads what auth servers report, and, where a key waits for them to
// be delivered, who accepts it.
func (r *Reconciler) observeServers(ctx context.Context, o *Observed, s *secrets) error {
	namespace, published := o.Key.Namespace, s.known.published
	if s.hand = s.known.hand; s.hand.raw.IsZero() {
		s.hand, published = again(o.Key, s.given, o.Given.Hint), s.known.revision
	}
	if err := r.readLeases(ctx); err != nil {
		return err
	}
	if !s.hand.raw.IsZero() {
		// A server that joins writes its Lease before it lists: one whose Lease isn't
		// there yet will list what is published now. The cache may be behind, so what
		// it says is confirmed before a key is delivered on it.
		if everyone(r.Roster.Spread(namespace, published)) {
			if err := r.confirmLeases(ctx); err != nil {
				return err
			}
		}
		o.Hand = Hand{Digest: s.hand.raw.Digest().String(), Spread: r.Roster.Spread(namespace, published), Waited: o.Now.Sub(s.hand.at)}
		if took := s.known.took; !s.known.hand.raw.IsZero() {
			o.Hand.Waited = o.Now.Sub(took) // whatever became of the clock
		}
	}
	o.Spread, o.ChangedAt = r.Roster.Spread(namespace, s.known.revision), s.known.changedAt
	o.Use = Use{Last: map[string]time.Time{}, Known: r.Roster.Covers(namespace, o.Now.Add(-reportsFresh))}
	for _, v := range o.Key.Status.Keys {
		if last, ok := r.Roster.LastUsed(v.Digest); ok {
			o.Use.Last[v.Digest] = last
		}
	}
	return nil
}

// readLeases brings the roster up to date from the cache.
func (r *Reconciler) readLeases(ctx context.Context) error {
	leases, err := r.leases(ctx, r.Client)
	if err == nil {
		r.Roster.Observe(leases.Items)
	}
	return err
}

// confirmLeases brings it up to date from the API server.
func (r *Reconciler) confirmLeases(ctx context.Context) error {
	asked := r.Clock.Now()
	leases, err := r.leases(ctx, r.Live)
	if err == nil {
		r.Roster.ObserveLive(asked, leases)
	}
	return err
}

func (r *Reconciler) leases(ctx context.Context, from client.Reader) (*coordinationv1.LeaseList, error) {
	leases := &coordinationv1.LeaseList{}
	return leases, from.List(ctx, leases, client.InNamespace(r.LeaseNamespace), client.MatchingLabels(presence.Labels()))
}

// again is a pending key that was lost with a controller's memory, and whose raw
// key is still where it was imported from.
func again(k *v1alpha1.APIKey, given key.Raw, hint string) issued {
	if given.IsZero() {
		return issued{}
	}
	i := pendingIn(k.Status.Keys, given.Digest().String())
	if i < 0 {
		return issued{}
	}
	return issued{raw: given, hint: hint, at: k.Status.Keys[i].IssuedAt.Time}
}

// waits says for whom an APIKey with that status waits.
func waits(s v1alpha1.APIKeyStatus) patience {
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionPropagated)
	switch awaiting := reasonOf(&s, v1alpha1.ConditionRotationPending) == v1alpha1.ReasonAwaitingAuthServers; {
	case c != nil && c.Reason == v1alpha1.ReasonNoAuthServers:
		return forAny
	case awaiting, c != nil && c.Status != metav1.ConditionTrue:
		return forAll
	default:
		return forNobody
	}
}
