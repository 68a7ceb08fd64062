package apikey

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
)

// setStatus stores a status, and looks at what becomes of every key version.
func (m *model) setStatus(s v1alpha1.APIKeyStatus) {
	for _, old := range m.key.Status.Keys {
		m.checkSuccessor(old, s.Keys)
	}
	m.checkDefaults(s)
	m.key.Status = *s.DeepCopy()
	m.version++
}

func (m *model) checkSuccessor(old v1alpha1.KeyVersion, keys []v1alpha1.KeyVersion) {
	m.t.Helper()
	name := notation([]v1alpha1.KeyVersion{old})
	ended := old.NotAfter != nil && !m.now.Before(old.NotAfter.Time)
	i := slices.IndexFunc(keys, func(v v1alpha1.KeyVersion) bool { return v.Digest == old.Digest })
	if i < 0 {
		m.ended[old.Digest] = true
		if !ended && m.readable(old.Digest) && !m.retiresAtOnce(old) {
			m.fail("%s could have been read in a Secret, and is not accepted any more", name)
		}
		if m.revoked() {
			m.fail("%s is evidence, and dropped", name)
		}
		return
	}
	now := keys[i]
	delivered := old.Phase == v1alpha1.KeySuperseded && m.inSecret(old.Digest)
	if old.NotAfter == nil || delivered {
		return
	}
	if now.NotAfter == nil || now.NotAfter.After(old.NotAfter.Time) {
		m.fail("%s is extended to %v", name, now.NotAfter)
	}
}

// readable holds for keys that were in a Secret of ours by our own hand.
func (m *model) readable(digest string) bool {
	return m.seen[nameOf(digest)]
}

// inSecret holds for keys that are in a Secret of ours, by whatever hand.
func (m *model) inSecret(digest string) bool {
	for _, s := range m.secrets {
		if s.Ownership == Ours && s.raw == nameOf(digest) {
			return true
		}
	}
	return false
}

// accepted are the versions that auth servers accept as long as spec lets them.
func (m *model) accepted() []v1alpha1.KeyVersion {
	return slices.DeleteFunc(slices.Clone(m.key.Status.Keys), func(v v1alpha1.KeyVersion) bool {
		return v.NotAfter != nil && !m.now.Before(v.NotAfter.Time)
	})
}

func (m *model) revoked() bool { return m.key.Spec.State == v1alpha1.DesiredRevoked }

// check demands what holds after every single write.
func (m *model) check() {
	m.t.Helper()
	if n := len(m.accepted()); n > MaxAccepted {
		m.fail("%d versions are accepted", n)
	}
	for name, s := range m.secrets {
		if s.Ownership != Ours || s.edited || s.raw == "" || m.revoked() {
			continue
		}
		digest := digestOf(s.raw).String()
		if !slices.ContainsFunc(m.key.Status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Digest == digest }) && !m.refused[s.raw] && !m.ended[digest] {
			m.fail("Secret %s holds %s, which is not accepted", name, s.raw)
		}
	}
}

// checkSettled demands what holds when a controller has come to its end, having
// seen everything.
func (m *model) checkSettled() {
	m.t.Helper()
	status := m.key.Status
	m.checkIdempotent()
	var lasting []v1alpha1.KeyVersion
	for _, v := range m.accepted() {
		inHand := m.hand != "" && v.Digest == digestOf(m.hand).String()
		if v.Phase == v1alpha1.KeyPending && !m.revoked() && !inHand {
			m.fail("settled with a pending version that is in nobody's hands")
		}
		if v.NotAfter == nil && v.Phase != v1alpha1.KeyPending {
			lasting = append(lasting, v)
		}
	}
	if len(lasting) > 1 && !m.revoked() {
		m.fail("more than one version has no deadline: %s", notation(lasting))
	}
	if o, _ := m.observe(nil, false); readyOf(status) == "True Issued" && m.hand == "" && m.mayRotate(o) && !strings.Contains(notation(status.Keys), "Retiring") {
		m.fail("a rotation is due, and doesn't begin: %s, triggers %q", notation(status.Keys), status.ObservedTriggers)
	}
	switch readyOf(status) {
	case "True Issued":
		if status.SecretPhase == v1alpha1.SecretDelivered {
			m.checkDelivered(lasting)
			return
		}
		if status.SecretPhase == v1alpha1.SecretDeleting {
			m.checkOnly("") // a finalizer holds one
			return
		}
		s := m.secrets[m.target()]
		if s == nil || s.Ownership != Ours || len(lasting) != 1 || digestOf(s.raw).String() != lasting[0].Digest || s.outdated {
			m.fail("Issued, but Secret %s is %+v and status.keys is %s", m.target(), s, notation(status.Keys))
		}
		if lasting[0].Phase != v1alpha1.KeyCurrent || status.Hint != lasting[0].Hint || secretOf(status) != "Present "+m.target() {
			m.fail("Issued, but %s, hint %q, %s", secretOf(status), status.Hint, notation(lasting))
		}
		m.checkOnly(m.target())
	case "True Revoked":
		m.checkOnly("")
		if secretOf(status) != "None" {
			m.fail("Revoked, but %s", secretOf(status))
		}
	case "False Issuing", "":
		if m.hand == "" || m.behind == 0 {
			m.fail("settled with %q", readyOf(status))
		}
	}
}

// checkDelivered demands of a key that was shown that it works on.
func (m *model) checkDelivered(lasting []v1alpha1.KeyVersion) {
	m.t.Helper()
	if len(lasting) != 1 || lasting[0].Phase != v1alpha1.KeyCurrent || !m.seen[nameOf(lasting[0].Digest)] {
		m.fail("Delivered, but %s", notation(lasting))
	}
	m.checkOnly("")
}

// retiresAtOnce holds for a version that may end as soon as it is replaced, or
// isn't used any more.
func (m *model) retiresAtOnce(old v1alpha1.KeyVersion) bool {
	s, end := scheduleOf(m.key), compile.EndOf(m.key)
	return s.overlap == 0 || end != nil && !m.now.Before(end.Time) || s.whenUnused && !m.used && old.Phase == v1alpha1.KeyRetiring
}

// mayRotate holds where spec asks for another key than the current one.
func (m *model) mayRotate(o Observed) bool {
	current, s, trigger := currentOf(o.Key), scheduleOf(o.Key), triggerOf(o.Key)
	if current == nil { // nobody had the one before by its end
		end := compile.EndOf(o.Key)
		return end != nil && !m.now.Before(end.Time)
	}
	for _, v := range o.Key.Status.Keys {
		if v.Phase == v1alpha1.KeyCurrent {
			break
		}
		if v.Phase == v1alpha1.KeySuperseded {
			return true // one was lost on the way
		}
	}
	return trigger != "" && !slices.Contains(o.Key.Status.ObservedTriggers, trigger) ||
		s.interval > 0 && !m.now.Before(current.IssuedAt.Add(s.interval))
}

// checkDelivery demands that no key goes into the Secret too early: not before all
// auth servers accept it, unless nobody has another one and it has waited.
func (c *modelRun) checkDelivery(o Observed) {
	i := slices.IndexFunc(o.Key.Status.Keys, func(v v1alpha1.KeyVersion) bool { return v.Digest == digestOf(c.hand).String() })
	if i < 0 || o.Key.Status.Keys[i].Phase != v1alpha1.KeyPending {
		c.fail("%s is delivered, and not published", c.hand)
	}
	current := currentOf(o.Key)
	holder := current != nil && (c.inSecret(current.Digest) || o.Key.Status.SecretPhase == v1alpha1.SecretDelivered)
	if waited := c.now.Sub(o.Key.Status.Keys[i].IssuedAt.Time); c.behind > 0 && (holder || waited < DeliverWithin) {
		c.fail("%s is delivered after %v, and %d auth servers don't accept it", c.hand, waited, c.behind)
	}
}

// checkOnly demands that no other Secret of ours is left. Where a finalizer holds
// one, the rest may wait for it.
func (m *model) checkOnly(target string) {
	m.t.Helper()
	for name, s := range m.secrets {
		if name != target && s.Ownership == Ours && s.terminating {
			return
		}
	}
	for name, s := range m.secrets {
		if name != target && s.Ownership == Ours {
			m.fail("Secret %s is left over", name)
		}
	}
}

// checkIdempotent demands that a settled state is left alone.
func (m *model) checkIdempotent() {
	m.t.Helper()
	if m.refuseWrites || m.refuseDeletes {
		return // it is tried again
	}
	o, _ := m.observe(nil, false)
	if p := Decide(o); p.Step != Settle || !equality.Semantic.DeepEqual(p.Status, m.key.Status) {
		m.fail("settled, and then %v", outcomeOf(p))
	}
}

// pass lets time go by. A write isn't under way for longer than a superseded key
// is accepted.
func (m *model) pass(d time.Duration) {
	m.now = m.now.Add(d)
	m.late = slices.DeleteFunc(m.late, func(w lateWrite) bool { return m.now.Sub(w.born) >= SupersededFor })
}
