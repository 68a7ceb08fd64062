package apikey

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// rule is a row: what is there, and the whole plan that follows from it.
type rule struct {
	name string
	spec []edit
	// The status before: keys in the notation; secret, state and ready default to
	// those of a settled key if there are any keys, and of a new one otherwise.
	keys, secret, state, ready string
	target, previous           Held
	problem, refused           *Problem
	hand                       string // the key in our hands
	want                       outcome
}

type edit func(*v1alpha1.APIKeySpec)

var (
	suspended edit = func(s *v1alpha1.APIKeySpec) { s.State = v1alpha1.DesiredSuspended }
	revoked   edit = func(s *v1alpha1.APIKeySpec) { s.State = v1alpha1.DesiredRevoked }
	renamed   edit = func(s *v1alpha1.APIKeySpec) { s.Secret = &v1alpha1.SecretTemplate{Name: "new"} }
)

func expires(in time.Duration) edit {
	return func(s *v1alpha1.APIKeySpec) { s.ExpiresAt = at(in) }
}

var (
	foreign = Held{Ownership: Foreign}
	former  = Held{Ownership: Former}
	noKey   = Held{Ownership: Ours}
	refusal403,
	noAPI = &Problem{v1alpha1.ReasonWriteFailed, "refused"}, &Problem{v1alpha1.ReasonAPINotFound, "no API"}
)

// holds is a Secret of ours that is as it should be.
func holds(name string) Held {
	return Held{Ownership: Ours, Digest: digestOf(name), UpToDate: true, IssuedAt: earlier.Time}
}

func outdated(h Held) Held {
	h.UpToDate = false
	return h
}

func adoptable(h Held) Held {
	h.Adoptable = true
	return h
}

func terminating(h Held) Held {
	h.Terminating = true
	return h
}

const generation = 7

func (r rule) observed(t *testing.T) Observed {
	t.Helper()
	k := &v1alpha1.APIKey{}
	k.Name, k.Generation = "key", generation
	for _, e := range r.spec {
		e(&k.Spec)
	}
	s := &k.Status
	s.Keys = versions(t, r.keys)
	state, ready, phase, name := r.state, r.ready, v1alpha1.SecretPhase(""), ""
	switch current := strings.Contains(r.keys, string(v1alpha1.KeyCurrent)); {
	case current && strings.Contains(r.keys, string(v1alpha1.KeyPending)):
		state, ready, phase, name = or(state, "Active"), or(ready, "False Issuing"), v1alpha1.SecretPresent, "key"
	case current:
		state, ready, phase, name = or(state, "Active"), or(ready, "True Issued"), v1alpha1.SecretPresent, "key"
	case r.keys != "":
		state, ready, phase = or(state, "Pending"), or(ready, "False Issuing"), v1alpha1.SecretNone
	}
	if r.secret != "" {
		name = r.secret
	}
	s.State, s.SecretPhase, s.SecretName = v1alpha1.KeyState(state), phase, name
	if ready != "" {
		setReady(s, ready)
	}
	o := Observed{
		Key: k, Target: r.target, Previous: r.previous, Problem: r.problem, Refused: r.refused, Hint: "ak_hint", Now: start,
	}
	if r.hand != "" {
		o.Hand = Hand{Digest: digestOf(r.hand).String()}
	}
	return o
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// setReady puts a condition of the day before.
func setReady(s *v1alpha1.APIKeyStatus, statusAndReason string) {
	c := metav1.Condition{Type: v1alpha1.ConditionReady, LastTransitionTime: earlier, Message: "before"}
	c.Status = metav1.ConditionFalse
	c.Reason = statusAndReason[len("False "):]
	if statusAndReason[0] == 'T' {
		c.Status, c.Reason = metav1.ConditionTrue, statusAndReason[len("True "):]
	}
	meta.SetStatusCondition(&s.Conditions, c)
}

// check demands the whole plan, and what holds for every plan.
func (r rule) check(t *testing.T) {
	o := r.observed(t)
	before := o.Key.DeepCopy()
	p := Decide(o)
	if got := outcomeOf(p); got != r.want {
		t.Errorf("\n got %+v\nwant %+v", got, r.want)
	}
	if diff := cmp.Diff(before, o.Key); diff != "" {
		t.Errorf("the APIKey that was read has changed:\n%s", diff)
	}
	if judged := readyOf(p.Status) != readyOf(before.Status); (p.Step == Settle || judged) && p.Status.ObservedGeneration != generation {
		t.Errorf("observedGeneration %d, want %d", p.Status.ObservedGeneration, generation)
	}
	for _, v := range p.Status.Keys {
		if v.IssuedAt != earlier || v.Hint == "" {
			t.Errorf("version %v has lost its hint or time of issue", v)
		}
	}
	if p.Step == Settle {
		r.checkSettled(t, o, p)
	}
}

// checkSettled demands that a settled plan says so to people, and settles.
func (r rule) checkSettled(t *testing.T, o Observed, p Plan) {
	c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Message == "" || c.Message == "before" || c.ObservedGeneration != generation {
		t.Fatalf("Ready says too little: %+v", c)
	}
	was := meta.FindStatusCondition(o.Key.Status.Conditions, v1alpha1.ConditionReady)
	changed := was == nil || was.Status != c.Status
	if since := c.LastTransitionTime; changed != since.Time.Equal(start) {
		t.Errorf("Ready changed=%v, but lastTransitionTime is %v before now", changed, start.Sub(since.Time))
	}
	if p.Again < 0 {
		t.Errorf("look again in %v", p.Again)
	}
	if o.Refused != nil {
		return // it is told once
	}
	settled := p.settles(o)
	o.Key = o.Key.DeepCopy()
	o.Key.Status = p.Status
	if !settled { // what is accepted has changed, and that is yet to be said
		p = Decide(o)
		o.Key.Status = p.Status
	}
	if diff := cmp.Diff(p, Decide(o)); diff != "" {
		t.Errorf("decided again, it is another plan (-first +second):\n%s", diff)
	}
}

func check(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, r.check)
	}
}
