package apikey

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// ready sets the Ready condition, and Stalled where only a person can mend it. With
// it goes the generation: a write that says nothing of Ready leaves both behind, so
// that nobody takes the old verdict for one on the new spec.
func (d *decision) ready(status metav1.ConditionStatus, reason, message string) {
	d.status.ObservedGeneration = d.Key.Generation
	d.set(v1alpha1.ConditionReady, status, reason, message)
	if status == metav1.ConditionFalse && stalls[reason] {
		d.set(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, message)
	} else {
		d.clear(v1alpha1.ConditionStalled)
	}
}

// stalls are the reasons that time alone doesn't mend. An API or a Secret that
// isn't there may be on its way, in the same kubectl apply.
var stalls = map[string]bool{
	v1alpha1.ReasonExpired:             true,
	v1alpha1.ReasonNamespaceNotAllowed: true,
	v1alpha1.ReasonInvalidEnvironment:  true,
	v1alpha1.ReasonInvalidAPI:          true,
	v1alpha1.ReasonInvalidTemplate:     true,
	v1alpha1.ReasonUnknownScope:        true,
	v1alpha1.ReasonLimitExceeded:       true,
	v1alpha1.ReasonSecretConflict:      true,
	v1alpha1.ReasonImportNotAllowed:    true,
	v1alpha1.ReasonWeakKey:             true,
	v1alpha1.ReasonDuplicateKey:        true,
}

// set sets a condition; its transition time changes only with its status.
func (d *decision) set(condition string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&d.status.Conditions, metav1.Condition{
		Type:               condition,
		Status:             status,
		ObservedGeneration: d.Key.Generation,
		LastTransitionTime: metav1.NewTime(d.Now).Rfc3339Copy(),
		Reason:             reason,
		Message:            message,
	})
}

func (d *decision) clear(condition string) {
	meta.RemoveStatusCondition(&d.status.Conditions, condition)
}

// exceeds reports whether an issued key doesn't keep to its API's limits: of one
// that isn't issued Ready tells.
func exceeds(s *v1alpha1.APIKeyStatus) bool {
	return meta.IsStatusConditionFalse(s.Conditions, v1alpha1.ConditionWithinLimits) && readyReason(s) != v1alpha1.ReasonLimitExceeded
}

// readyReason returns the reason of the Ready condition, or "".
func readyReason(s *v1alpha1.APIKeyStatus) string { return reasonOf(s, v1alpha1.ConditionReady) }

// reasonOf returns the reason of a condition, or "".
func reasonOf(s *v1alpha1.APIKeyStatus, condition string) string {
	if c := meta.FindStatusCondition(s.Conditions, condition); c != nil {
		return c.Reason
	}
	return ""
}
