package protectedapi

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// observed is what a status is made of.
type observed struct {
	api      *v1alpha1.ProtectedAPI
	compiled *keyring.API
	lost     []keyring.HostVerdict
	attached int32
	now      time.Time
}

// status makes the status of a ProtectedAPI. It is a pure function.
func status(o observed) v1alpha1.ProtectedAPIStatus {
	s := *o.api.Status.DeepCopy()
	s.ObservedGeneration = o.api.Generation
	s.AttachedKeys = &o.attached
	for _, c := range []metav1.Condition{ready(o.compiled), credentialsRemoved(o.compiled)} {
		set(&s, o, c)
	}
	if c := ready(o.compiled); c.Status == metav1.ConditionFalse {
		c.Type, c.Status = v1alpha1.ConditionStalled, metav1.ConditionTrue
		set(&s, o, c)
	} else {
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionStalled)
	}
	if len(o.api.Spec.Hosts) == 0 {
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionHostsAccepted)
	} else {
		set(&s, o, hostsAccepted(o.lost))
	}
	return s
}

func set(s *v1alpha1.ProtectedAPIStatus, o observed, c metav1.Condition) {
	c.ObservedGeneration = o.api.Generation
	c.LastTransitionTime = metav1.NewTime(o.now).Rfc3339Copy()
	meta.SetStatusCondition(&s.Conditions, c)
}

func ready(api *keyring.API) metav1.Condition {
	c := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonAccepted, Message: "auth servers serve this API",
	}
	if api.Err == nil {
		return c
	}
	c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec
	if errors.As(api.Err, new(compile.SelectorError)) {
		c.Reason = v1alpha1.ReasonInvalidSelector
	}
	c.Message = api.Err.Error() + "; auth servers serve it as it was before, and those that never saw it so answer 503"
	if errors.Is(api.Err, compile.ErrLabelsUnknown) {
		c.Message = api.Err.Error() + "; until then nobody is let in: auth servers answer 503"
	}
	return c
}

func hostsAccepted(lost []keyring.HostVerdict) metav1.Condition {
	c := metav1.Condition{
		Type: v1alpha1.ConditionHostsAccepted, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonGranted, Message: "every host leads to this API",
	}
	if len(lost) == 0 {
		return c
	}
	c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonHostConflict
	var messages []string
	for _, l := range lost {
		if l.Winner != nil {
			messages = append(messages, fmt.Sprintf("%s is held by ProtectedAPI %s", l.Host, l.Winner))
			continue
		}
		c.Reason = v1alpha1.ReasonNotGranted
		messages = append(messages, fmt.Sprintf("%s is not granted to this namespace: ask the operator for --host-claims", l.Host))
	}
	c.Message = strings.Join(messages, "; ")
	return c
}

func credentialsRemoved(api *keyring.API) metav1.Condition {
	var kept []string
	for _, c := range api.Credentials {
		switch c.Place {
		case keyring.Query:
			kept = append(kept, "query parameter "+c.Name)
		case keyring.Cookie:
			kept = append(kept, "cookie "+c.Name)
		default:
		}
	}
	c := metav1.Condition{
		Type: v1alpha1.ConditionCredentialsRemoved, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonHeadersRemoved, Message: "credentials are read from headers, which the gateway removes",
	}
	if len(kept) > 0 {
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonQueryOrCookie
		c.Message = "the upstream sees raw keys sent as " + strings.Join(kept, ", ")
	}
	return c
}
