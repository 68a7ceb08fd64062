package apikey

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// TestDecideHoldsInvariants plays random sequences of edits, edits of Secrets,
// clock steps and controllers that are killed, and looks after every write.
func TestDecideHoldsInvariants(t *testing.T) {
	sequences := 4000
	if testing.Short() {
		sequences = 500
	}
	for seed := range uint64(sequences) {
		newModel(t, seed).play()
	}
}

// play plays a whole sequence.
func (m *model) play() {
	for range 40 {
		m.step()
	}
	m.noAPI, m.refuseWrites, m.refuseDeletes, m.behind = false, false, false, 0
	m.api.KeyLimits = nil
	m.note("in the end")
	if m.run(-1, false) {
		m.checkSettled()
	}
}

// step does one random thing.
func (m *model) step() {
	if m.rand.IntN(2) == 0 {
		m.control()
		return
	}
	happenings := []func(){
		m.edit, m.edit, m.rotate, m.rotate, m.touchSecret, m.touchSecret, m.touchForeign, m.turn, m.govern, m.elapse, m.elapse, m.land,
	}
	happenings[m.rand.IntN(len(happenings))]()
}

// control runs the controller, two of three times to its end.
func (m *model) control() {
	last, stale := -1, m.rand.IntN(5) == 0
	if m.rand.IntN(3) == 0 {
		last = m.rand.IntN(4)
	}
	m.note("controller, stale=%v, last write %d", stale, last)
	if m.run(last, stale) && !stale {
		m.checkSettled()
	}
}

func (m *model) edit() {
	spec := &m.key.Spec
	before := spec.DeepCopy()
	switch m.rand.IntN(12) {
	case 0, 1, 2, 3:
		after := v1alpha1.Duration("")
		if spec.Secret != nil {
			after = spec.Secret.DeleteAfter
		}
		spec.Secret = &v1alpha1.SecretTemplate{Name: m.pick("a", "b", "c"), DeleteAfter: after}
	case 4, 5:
		for _, s := range m.secrets {
			s.outdated = true // spec.secret.labels, say
		}
	case 6:
		spec.ExpiresAt = nil
	case 7:
		end := metav1.NewTime(m.now.Add([]time.Duration{-time.Hour, 5 * time.Minute, 3 * time.Hour}[m.rand.IntN(3)]))
		spec.ExpiresAt = &end
	case 8, 9:
		spec.State = v1alpha1.DesiredActive
	case 10:
		spec.State = v1alpha1.DesiredSuspended
	case 11:
		if m.rand.IntN(4) == 0 {
			spec.State = v1alpha1.DesiredRevoked
		}
	}
	if before.State == v1alpha1.DesiredRevoked {
		spec.State = before.State // for good
	}
	m.key.Generation++
	m.version++
	m.note("spec: Secret %s, %s, expires %v", m.target(), spec.State, spec.ExpiresAt)
}

// rotate changes when the key rotates, or how its Secret is shown.
func (m *model) rotate() {
	spec := &m.key.Spec
	switch m.rand.IntN(4) {
	case 0:
		spec.Rotation = nil
	case 1, 2:
		spec.Rotation = &v1alpha1.Rotation{
			Trigger:  m.pick("", "t1", "t2", "t3"),
			Interval: v1alpha1.Duration(m.pick("", "3h", "2h30m")),
			Overlap:  v1alpha1.Duration(m.pick("", "0s", "5m", "2h")),
			Retire:   v1alpha1.RetirePolicy(m.pick("", "OnTime", "WhenUnused")),
		}
	case 3:
		name := m.target()
		spec.Secret = &v1alpha1.SecretTemplate{Name: name, DeleteAfter: v1alpha1.Duration(m.pick("", "10m"))}
	}
	m.used = m.rand.IntN(2) == 0
	m.key.Generation++
	m.version++
	m.note("spec: rotation %+v, Secret %+v, used %v", spec.Rotation, spec.Secret, m.used)
}

// touchSecret is somebody who deletes or changes a Secret of ours.
func (m *model) touchSecret() {
	names := slices.Sorted(maps.Keys(m.secrets))
	if len(names) == 0 {
		return
	}
	name := names[m.rand.IntN(len(names))]
	s := m.secrets[name]
	if s.Ownership != Ours {
		return
	}
	m.causes++
	s.version += 1 << 31
	switch what := m.pick("delete", "delete", "terminate", "junk", "nothing", "put back", "take over"); what {
	case "delete":
		delete(m.secrets, name)
		m.note("somebody deletes Secret %s", name)
	case "terminate":
		s.terminating = true
		m.note("somebody deletes Secret %s, and a finalizer holds it", name)
	case "take over":
		s.Ownership = Foreign
		m.note("somebody takes over Secret %s", name)
	default:
		s.edited = true
		s.raw = map[string]string{"junk": "junk", "put back": fmt.Sprintf("k%d", 1+m.rand.IntN(m.issued))}[what]
		m.note("somebody puts %q into Secret %s", s.raw, name)
	}
}

// touchForeign adds or removes a Secret that isn't ours, or ends one that a
// finalizer held.
func (m *model) touchForeign() {
	name := m.pick("a", "b", "c")
	switch s := m.secrets[name]; {
	case s == nil:
		m.secrets[name] = &modelSecret{Ownership: []Ownership{Foreign, Former}[m.rand.IntN(2)]}
		m.note("Secret %s is somebody else's", name)
	case s.Ownership != Ours || s.terminating:
		delete(m.secrets, name)
		m.causes++
		m.note("Secret %s is free", name)
	}
}

// turn changes what stands in the controller's way.
func (m *model) turn() {
	for _, obstacle := range []*bool{&m.noAPI, &m.refuseWrites, &m.refuseDeletes} {
		*obstacle = m.rand.IntN(5) == 0
	}
	m.behind = max(0, m.rand.IntN(5)-2)
	m.note("no API %v, refused writes %v, refused deletions %v, %d auth servers behind", m.noAPI, m.refuseWrites, m.refuseDeletes, m.behind)
}

func (m *model) elapse() {
	m.pass([]time.Duration{time.Second, 4 * time.Minute, 11 * time.Minute, 2 * time.Hour}[m.rand.IntN(4)])
	m.note("later")
}

// land lets a write that was under way arrive.
func (m *model) land() {
	if len(m.late) == 0 {
		return
	}
	i := m.rand.IntN(len(m.late))
	w := m.late[i]
	m.late = slices.Delete(m.late, i, i+1)
	m.causes++
	m.note("lands: %s", w.what)
	w.do()
	m.check()
}

func (m *model) pick(names ...string) string { return names[m.rand.IntN(len(names))] }
