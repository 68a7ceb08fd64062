package apikey

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

func (d *decision) revokedBySpec() bool { return d.Key.Spec.State == v1alpha1.DesiredRevoked }

func (d *decision) suspended() bool { return d.Key.Spec.State == v1alpha1.DesiredSuspended }

func (d *decision) expired() bool {
	end := d.end()
	return end != nil && !d.Now.Before(end.Time)
}

func (d *decision) expiredMessage() string {
	if d.Key.Spec.ExpiresAt == nil {
		return "status.effective.expiresAt, the API's default, has passed; requests are denied. Set a later spec.expiresAt to use the key again"
	}
	return "spec.expiresAt has passed; requests are denied. Set a later one to use the key again"
}

// standing is the state of a key, whatever else is to be said of it.
func (d *decision) standing() v1alpha1.KeyState {
	switch {
	case d.revokedBySpec():
		return v1alpha1.StateRevoked
	case d.expired():
		return v1alpha1.StateExpired
	case d.current() == nil:
		return v1alpha1.StatePending
	case d.suspended():
		return v1alpha1.StateSuspended
	default:
		return v1alpha1.StateActive
	}
}

func (d *decision) waiting(reason, message string, again time.Duration) Plan {
	p := d.settle(d.standing(), metav1.ConditionFalse, reason, message)
	if p.Again == 0 || again < p.Again {
		p.Again = again
	}
	return p
}

// settle is the end: what is so is said, and time is waited for.
func (d *decision) settle(state v1alpha1.KeyState, ready metav1.ConditionStatus, reason, message string) Plan {
	d.status.State = state
	d.ready(ready, reason, message)
	d.reportLimits()
	d.reportPropagation()
	d.reportRotation()
	d.reportUse()
	d.reportOutdated()
	return Plan{Step: Settle, Status: d.status, Again: d.nextDeadline()}
}

// nextDeadline is how long until time alone changes something.
func (d *decision) nextDeadline() time.Duration {
	n := alarm{now: d.Now}
	n.in(d.propagationDeadline())
	if d.revokedBySpec() {
		return n.soonest // the deadlines of a revoked key mean nothing any more
	}
	n.at(d.end())
	for _, v := range d.status.Keys {
		n.at(v.NotAfter)
	}
	n.at(d.status.NextRotationAt)
	n.at(d.deletionDue())
	d.useDeadlines(&n)
	return n.soonest
}

// alarm finds the soonest of several times to come.
type alarm struct {
	now     time.Time
	soonest time.Duration // zero: never
}

func (a *alarm) at(t *metav1.Time) {
	if t != nil {
		a.in(t.Sub(a.now))
	}
}

// in ignores what has passed.
func (a *alarm) in(d time.Duration) {
	if d > 0 && (a.soonest == 0 || d < a.soonest) {
		a.soonest = d
	}
}
