package presence

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

const (
	sweepEvery = time.Hour
	// garbage is how long a Lease isn't renewed until it is deleted.
	garbage = 24 * time.Hour
)

// Sweeper deletes the Leases of auth servers that have crashed long ago. It runs on
// the leader only.
type Sweeper struct {
	Roster    *Roster
	Client    client.Client
	Namespace string
	Clock     clock.WithTicker
}

var _ manager.LeaderElectionRunnable = &Sweeper{}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Sweeper) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (s *Sweeper) Start(ctx context.Context) error {
	ticker := s.Clock.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		if err := s.sweep(ctx); err != nil {
			log.FromContext(ctx).Error(err, "deleting Leases of auth servers that are gone; tried again in an hour")
		}
	}
}

func (s *Sweeper) sweep(ctx context.Context) error {
	var leases coordinationv1.LeaseList
	if err := s.Client.List(ctx, &leases, client.InNamespace(s.Namespace), client.MatchingLabels(Labels())); err != nil {
		return err
	}
	s.Roster.Observe(leases.Items)
	for _, dead := range s.Roster.dead(garbage) {
		l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: dead.name}}
		err := s.Client.Delete(ctx, l, client.Preconditions{UID: &dead.uid, ResourceVersion: &dead.revision})
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) { // a conflict is one that lives after all
			return fmt.Errorf("lease %s: %w", dead.name, err)
		}
	}
	return nil
}
