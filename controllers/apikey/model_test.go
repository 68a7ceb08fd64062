package apikey

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
)

// model is one APIKey and its Secrets in memory, with a controller that may be
// killed at any write, and whose last write may then land late.
type model struct {
	t    *testing.T
	seed uint64
	rand *rand.Rand
	loud bool // when it is played again to see what went wrong

	now     time.Time
	key     *v1alpha1.APIKey
	version int // of the key, as its resourceVersion
	secrets map[string]*modelSecret
	late    []lateWrite

	noAPI, refuseWrites, refuseDeletes bool

	took   time.Time
	hand   string // the raw key that is published and in the controller's memory
	behind int    // how many of three auth servers have not seen it
	used   bool   // replaced keys are, all the time

	api v1alpha1.ProtectedAPISpec

	issued, causes int             // how often a key was made, and how often there was a cause
	seen           map[string]bool // keys that somebody could have read in a Secret of ours
	refused        map[string]bool
	ended          map[string]bool // digests that were dropped, by checkSuccessor for a reason
}

type modelSecret struct {
	Ownership
	raw                   string // the name of the raw key
	edited                bool   // by somebody else
	outdated, terminating bool
	version               int
}

// lateWrite is a write that was under way when its controller was killed.
type lateWrite struct {
	what string
	born time.Time
	do   func()
}

// killed is what a write panics with when it is the controller's last.
type killed struct{}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, seed)), now: start, secrets: map[string]*modelSecret{},
		key: &v1alpha1.APIKey{}, causes: 1, seen: map[string]bool{}, refused: map[string]bool{}, ended: map[string]bool{},
	}
	m.key.Name, m.key.Generation, m.key.CreationTimestamp = "a", 1, metav1.NewTime(start)
	m.key.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Name: "shop"}
	return m
}

func (m *model) note(format string, args ...any) {
	if m.loud {
		m.t.Logf("%8s  %s", m.now.Sub(start), fmt.Sprintf(format, args...))
	}
}

// fail plays the sequence again, up to here, and says what happens.
func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	if !m.loud {
		again := newModel(m.t, m.seed)
		again.loud = true
		again.play()
	}
	m.t.Fatalf("seed %d: %s", m.seed, fmt.Sprintf(format, args...))
}

func (m *model) target() string { return SecretName(m.key) }

// observe is what Reconciler.observe reads. A stale list shows no Secret but
// those that status and spec name.
func (m *model) observe(refused *Problem, stale bool) (o Observed, previous string) {
	o = Observed{Key: m.key.DeepCopy(), Target: m.held(m.target()), Refused: refused, Hint: "ak_hint", Now: m.now}
	o.Spread, o.ChangedAt = presence.Spread{Live: 3, Seen: 3 - m.behind}, start
	if m.hand != "" {
		o.Hand = Hand{Digest: digestOf(m.hand).String(), Spread: o.Spread, Waited: m.now.Sub(m.took)}
	}
	o.Use = Use{Known: true, Last: map[string]time.Time{}}
	for _, v := range m.key.Status.Keys {
		if m.used && v.Phase == v1alpha1.KeyRetiring {
			o.Use.Last[v.Digest] = m.now.Truncate(time.Minute)
		}
	}
	if o.API = m.api.DeepCopy(); m.noAPI {
		o.API, o.Problem = nil, noAPI
	}
	names := slices.Sorted(maps.Keys(m.secrets))
	if former := m.key.Status.SecretName; former != "" {
		names = slices.Insert(names, 0, former)
		if stale {
			names = names[:1]
		}
	} else if stale {
		names = nil
	}
	for _, name := range names {
		h := m.held(name)
		if name != m.target() && usefulness(m.key.Status.Keys, h) > usefulness(m.key.Status.Keys, o.Previous) {
			o.Previous, previous = h, name
		}
	}
	return o, previous
}

func (m *model) held(name string) Held {
	s := m.secrets[name]
	if s == nil {
		return Held{}
	}
	h := Held{Ownership: s.Ownership, Terminating: s.terminating}
	if s.Ownership == Ours && s.raw != "" {
		h.Digest, h.UpToDate = digestOf(s.raw), !s.outdated
		h.Adoptable, h.IssuedAt = !s.edited, m.now.Truncate(time.Second)
	}
	return h
}

// run is one Reconcile. It is killed at its write of number last, unless that is
// negative; it reports whether it settled.
func (m *model) run(last int, stale bool) (settled bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			m.causes++ // what it was about to write may be lost
			m.hand = ""
			m.note("  killed")
		}
	}()
	c := &modelRun{model: m, last: last}
	for range maxSteps {
		o, previous := m.observe(c.refusal, stale)
		c.refusal = nil
		p := Decide(o)
		if m.loud {
			m.note("  %v", outcomeOf(p))
		}
		if c.apply(o, p, previous); p.settles(o) && c.refusal == nil {
			return true
		}
	}
	m.fail("not settled after %d steps", maxSteps)
	return false
}

// modelRun is one life of a controller.
type modelRun struct {
	*model
	last    int
	refusal *Problem
}

func (c *modelRun) apply(o Observed, p Plan, previous string) {
	switch p.Step {
	case Issue:
		c.issued++
		if o.Key.Status.Keys != nil && c.mayRotate(o) {
			c.causes++
		}
		name := fmt.Sprintf("k%d", c.issued)
		if c.issued > c.causes {
			c.fail("issued %d keys for %d causes", c.issued, c.causes)
		}
		keys := []v1alpha1.KeyVersion{{Digest: digestOf(name).String(), Hint: hintOf(name), Phase: v1alpha1.KeyPending, IssuedAt: metav1.NewTime(c.now)}}
		c.checkIssue(o, p)
		p.Status.Keys = append(keys, p.Status.Keys...)
		c.hand, c.took = name, c.now
		c.writeStatus(p.Status)
	case Deliver:
		c.checkDelivery(o)
		c.writeSecret(c.target(), c.hand)
	case Update:
		c.writeSecret(c.target(), c.secrets[c.target()].raw)
	case Copy:
		c.writeSecret(c.target(), c.secrets[previous].raw)
	case DeleteTarget:
		c.deleteSecret(c.target())
	case DeletePrevious:
		c.deleteSecret(previous)
	default:
		if !equality.Semantic.DeepEqual(o.Key.Status, p.Status) {
			c.writeStatus(p.Status)
		}
	}
}

// write does a write, or is killed before it, after it, or while it is under way.
func (c *modelRun) write(what string, do func()) {
	defer func() { c.last-- }()
	if c.last == 0 {
		switch c.rand.IntN(3) {
		case 0:
			do()
			c.check()
		case 1:
			c.late = append(c.late, lateWrite{what, c.now, do})
			c.note("  under way: %s", what)
		}
		panic(killed{})
	}
	do()
	c.check()
}

func (c *modelRun) writeStatus(s v1alpha1.APIKeyStatus) {
	m, decidedOn := c.model, c.version
	c.write("status", func() {
		if m.version == decidedOn {
			m.setStatus(s)
		}
	})
}

func (c *modelRun) writeSecret(name, raw string) {
	m, existing := c.model, c.secrets[name]
	if existing != nil && existing.Ownership != Ours {
		c.fail("a Secret that isn't ours is written")
	}
	if c.refuseWrites {
		c.note("  refused")
		c.causes++
		c.refusal, c.refused[raw] = refusal403, true
		return
	}
	decidedOn := -1
	if existing != nil {
		decidedOn = existing.version
	}
	c.write("Secret "+name+" with "+raw, func() {
		now, version := m.secrets[name], 0
		switch {
		case now == nil && decidedOn < 0:
		case now != nil && now.version == decidedOn && !now.terminating:
			version = now.version + 1
		default:
			return // exists already, or conflict
		}
		m.secrets[name] = &modelSecret{Ownership: Ours, raw: raw, version: m.rand.IntN(1<<30) + version}
		m.seen[raw] = true
	})
}

func (c *modelRun) deleteSecret(name string) {
	m, existing := c.model, c.secrets[name]
	if existing.Ownership != Ours {
		c.fail("a Secret that isn't ours is deleted")
	}
	if c.refuseDeletes {
		c.refusal = refusal403
		return
	}
	decidedOn := existing.version
	c.write("delete Secret "+name, func() {
		if now := m.secrets[name]; now != nil && now.version == decidedOn {
			delete(m.secrets, name)
		}
	})
}
