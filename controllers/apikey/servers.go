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

// observeServers reads what auth servers report. Where a key waits for them to be
// delivered that is read live: a server that joins writes its Lease before it
// lists, so that one whose Lease isn't there yet will list what is published now.
func (r *Reconciler) observeServers(ctx context.Context, o *Observed, s *secrets) error {
	c := s.known
	published := c.published
	if s.hand = c.hand; s.hand.raw.IsZero() {
		s.hand, published = again(o.Key, s.given, o.Given.Hint), c.revision
	}
	reader := r.Live
	if s.hand.raw.IsZero() {
		reader = r.Client
	}
	var leases coordinationv1.LeaseList
	if err := reader.List(ctx, &leases, client.InNamespace(r.LeaseNamespace), client.MatchingLabels(presence.Labels())); err != nil {
		return err
	}
	r.Roster.Observe(leases.Items)
	if !s.hand.raw.IsZero() {
		o.Hand = Hand{Digest: s.hand.raw.Digest().String(), Spread: r.Roster.Spread(published)}
	}
	o.Spread, o.ChangedAt = r.Roster.Spread(c.revision), c.changedAt
	o.Use = Use{Last: map[string]time.Time{}, Known: r.Roster.Covers(o.Now.Add(-reportsFresh))}
	for _, v := range o.Key.Status.Keys {
		if last, ok := r.Roster.LastUsed(v.Digest); ok {
			o.Use.Last[v.Digest] = last
		}
	}
	return nil
}

// again is a pending key that was lost with a controller's memory, and whose raw
// key is still where it was imported from.
func again(k *v1alpha1.APIKey, given key.Raw, hint string) issued {
	if given.IsZero() {
		return issued{}
	}
	digest := given.Digest().String()
	for _, v := range k.Status.Keys {
		if v.Digest == digest && v.Phase == v1alpha1.KeyPending {
			return issued{raw: given, hint: hint, at: v.IssuedAt.Time}
		}
	}
	return issued{}
}

// waits reports whether an APIKey is to be looked at again when auth servers have
// seen more.
func waits(s v1alpha1.APIKeyStatus) bool {
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionPropagated)
	rotation := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionRotationPending)
	return rotation || c != nil && c.Status != metav1.ConditionTrue
}
