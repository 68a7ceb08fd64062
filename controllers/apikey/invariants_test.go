package apikey

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
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
		if !ended && m.readable(old.Digest) {
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
		if v.Phase == v1alpha1.KeyPending && !m.revoked() {
			m.fail("settled with a pending version")
		}
		if v.NotAfter == nil {
			lasting = append(lasting, v)
		}
	}
	if len(lasting) > 1 && !m.revoked() {
		m.fail("more than one version has no deadline: %s", notation(lasting))
	}
	switch readyOf(status) {
	case "True Issued":
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
		m.fail("settled with %q", readyOf(status))
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
	o, _ := m.observe(nil, "", false)
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
