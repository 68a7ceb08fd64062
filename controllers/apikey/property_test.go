package apikey

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// TestInvariantsOnTheAPIServer plays random edits of spec and of the Secret, clock
// steps, auth servers that lag, and controllers that are killed at a write, against
// the real API server, and looks after every step. TestDecideHoldsInvariants plays
// many more of them, and more kinds, on the decision alone.
func TestInvariantsOnTheAPIServer(t *testing.T) {
	sequences := 25
	if testing.Short() {
		sequences = 5
	}
	w := newWorld(t)
	for seed := range sequences {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := &play{world: w.in(t), rand: rand.New(rand.NewPCG(uint64(seed), 1)), name: fmt.Sprintf("key-%d", seed), theirs: map[string]bool{}}
			p.run()
			if t.Failed() {
				t.Logf("what happened:\n  %s", strings.Join(p.did, "\n  "))
			}
		})
	}
}

// play is one APIKey and all that happens to it.
type play struct {
	*world
	rand     *rand.Rand
	name     string
	alive    *Reconciler // the controller that lives on, nil after it was killed
	theirs   map[string]bool
	did      []string
	triggers int
}

func (p *play) run() {
	p.Helper()
	p.create(p.name)
	happenings := []func() string{
		p.control, p.control, p.control, p.kill, p.kill, p.kill, p.editSpec, p.editSpec, p.trigger, p.touchSecret, p.elapse, p.elapse, p.serve,
	}
	for range 25 {
		p.did = append(p.did, happenings[p.rand.IntN(len(happenings))]())
		p.check()
		if p.Failed() {
			return
		}
	}
	p.did = append(p.did, "in the end")
	p.alive = nil
	for range 4 {
		p.later(SupersededFor / 2) // of many controllers that were killed
		p.report("a", p.revision())
		p.report("b", p.revision())
		p.did = append(p.did, p.control())
	}
	p.check()
	p.checkEnd()
}

// control lets the controller that lives on reconcile, or a new one.
func (p *play) control() string {
	if p.alive == nil {
		p.alive = p.reconciler(p.client)
	}
	p.with(p.alive, p.name)
	return "controller: " + p.outcome(p.name)
}

// kill lets a new controller reconcile until something happens to one of its writes.
func (p *play) kill() string {
	f := &fault{at: 1 + p.rand.IntN(4), mode: allModes[p.rand.IntN(len(allModes))]}
	p.alive = nil
	f.run(p.world, p.name)
	said := fmt.Sprintf("write %d (%s) %s", f.at, f.what, f.mode)
	if f.late != nil && p.rand.IntN(2) == 0 {
		p.check()
		p.serve()
		p.control()
		said += fmt.Sprintf(", lands late: %v", f.late() == nil)
	}
	return said
}

func (p *play) editSpec() string {
	what := []string{"rename", "suspend", "resume", "expire", "extend", "show", "keep", "overlap", "at once"}[p.rand.IntN(9)]
	p.edit(p.name, func(s *v1alpha1.APIKeySpec) {
		if s.Secret == nil {
			s.Secret = &v1alpha1.SecretTemplate{}
		}
		if s.Rotation == nil {
			s.Rotation = &v1alpha1.Rotation{Retire: v1alpha1.RetireOnTime}
		}
		switch what {
		case "rename":
			s.Secret.Name = p.name + []string{"", "-b"}[p.rand.IntN(2)]
		case "suspend":
			s.State = v1alpha1.DesiredSuspended
		case "resume":
			s.State = v1alpha1.DesiredActive
		case "expire":
			s.ExpiresAt = new(metav1.NewTime(p.clock.Now().Add(30 * time.Minute)))
		case "extend":
			s.ExpiresAt = nil
		case "show":
			s.Secret.DeleteAfter = "10m"
		case "keep":
			s.Secret.DeleteAfter = ""
		case "overlap":
			s.Rotation.Overlap = "20m"
		case "at once":
			s.Rotation.Overlap = "0s"
		}
	})
	return what
}

func (p *play) trigger() string {
	p.triggers++
	p.edit(p.name, func(s *v1alpha1.APIKeySpec) {
		if s.Rotation == nil {
			s.Rotation = &v1alpha1.Rotation{}
		}
		s.Rotation.Trigger = fmt.Sprint(p.triggers)
	})
	return fmt.Sprintf("trigger %d", p.triggers)
}

// touchSecret is somebody who deletes our Secret, or puts something into it.
func (p *play) touchSecret() string {
	secrets := p.look(p.name).secrets
	if len(secrets) == 0 {
		return "no Secret to touch"
	}
	name := secrets[p.rand.IntN(len(secrets))].Name
	switch what := p.rand.IntN(3); what {
	case 0:
		p.deleteSecret(name)
		return "somebody deletes Secret " + name
	default:
		junk := "something-else"
		if what == 2 {
			junk = p.someKey()
		}
		p.theirs[junk] = true
		p.changeSecret(name, func(s *corev1.Secret) { s.Data["api-key"] = []byte(junk) })
		return "somebody edits Secret " + name
	}
}

// someKey is one that was in a Secret before.
func (p *play) someKey() string {
	var all []string
	for raw, of := range p.seen {
		if of == p.name {
			all = append(all, raw)
		}
	}
	slices.Sort(all)
	return all[p.rand.IntN(len(all))]
}

func (p *play) elapse() string {
	d := []time.Duration{time.Second, 31 * time.Second, 12 * time.Minute, time.Hour}[p.rand.IntN(4)]
	p.later(d)
	return d.String() + " later"
}

// serve lets the auth servers report, and one of them lag.
func (p *play) serve() string {
	now := p.revision()
	p.report("a", now)
	if p.rand.IntN(2) == 0 {
		p.report("b", now)
		return "both auth servers report"
	}
	p.report("b", "1")
	return "one auth server lags"
}

// check demands what holds at any moment.
func (p *play) check() {
	p.Helper()
	v := p.look(p.name)
	accepted := map[string]v1alpha1.KeyVersion{}
	for _, k := range v.key.Status.Keys {
		if k.NotAfter == nil || p.clock.Now().Before(k.NotAfter.Time) {
			accepted[k.Digest] = k
		}
	}
	if len(accepted) > MaxAccepted {
		p.Errorf("%d versions are accepted", len(accepted))
	}
	end, held := v.key.Spec.ExpiresAt, map[string]bool{}
	for _, s := range v.secrets {
		raw := v.rawIn(s)
		digest := key.NewRaw(raw).Digest().String()
		held[digest] = true
		if _, ok := accepted[digest]; !ok && !p.theirs[raw] && (end == nil || p.clock.Now().Before(end.Time)) {
			p.Errorf("Secret %s holds a key that isn't accepted", s.Name)
		}
		if raw != "something-else" {
			p.seen[raw], p.raws[raw] = p.name, true
		}
	}
	for digest, k := range accepted {
		inMemory := p.alive != nil && p.alive.memory.keys[p.named(p.name)] != nil &&
			p.alive.memory.keys[p.named(p.name)].hand.raw.Digest().String() == digest
		lost := k.Phase == v1alpha1.KeyPending || k.Phase == v1alpha1.KeyCurrent // until a controller looks again
		if k.NotAfter == nil && !held[digest] && !inMemory && !lost {
			p.Errorf("a key that is %s is accepted for ever, and nobody has it", k.Phase)
		}
	}
}

// checkEnd demands what holds when all is well and a controller has looked.
func (p *play) checkEnd() {
	p.Helper()
	v := p.look(p.name)
	lasting := 0
	for _, k := range v.key.Status.Keys {
		if k.NotAfter == nil {
			lasting++
		}
		if k.Phase == v1alpha1.KeyPending {
			p.Errorf("pending in the end")
		}
	}
	got := p.outcome(p.name)
	switch {
	case strings.HasPrefix(got, "Expired | "), strings.HasPrefix(got, "Suspended | "):
	case lasting != 1 || !strings.HasPrefix(got, "Active | True Issued | "):
		p.Errorf("in the end %s", got)
	case v.key.Status.SecretPhase == v1alpha1.SecretDelivered:
		if len(v.secrets) != 0 {
			p.Errorf("delivered, and %d Secrets are left", len(v.secrets))
		}
	default:
		v.wantRight()
	}
	if waiting := reasonOf(&v.key.Status, v1alpha1.ConditionRotationPending); waiting == v1alpha1.ReasonAwaitingAuthServers {
		p.Errorf("all auth servers have seen it, and the rotation waits")
	}
}
