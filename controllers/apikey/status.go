package apikey

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// ready sets the Ready condition; its transition time changes only with its
// status.
func (d *decision) ready(status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&d.status.Conditions, metav1.Condition{
		Type:               v1alpha1.ConditionReady,
		Status:             status,
		ObservedGeneration: d.Key.Generation,
		LastTransitionTime: metav1.NewTime(d.Now).Rfc3339Copy(),
		Reason:             reason,
		Message:            message,
	})
}

// exceeds reports whether an issued key doesn't keep to its API's limits: of one
// that isn't issued Ready tells.
func exceeds(s *v1alpha1.APIKeyStatus) bool {
	return meta.IsStatusConditionFalse(s.Conditions, v1alpha1.ConditionWithinLimits) && readyReason(s) != v1alpha1.ReasonLimitExceeded
}

// readyReason returns the reason of the Ready condition, or "".
func readyReason(s *v1alpha1.APIKeyStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
}
