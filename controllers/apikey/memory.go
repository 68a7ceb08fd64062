package apikey

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
)

// memory is what a controller knows of APIKeys beyond what the API server does: raw
// keys that are published and not delivered yet, and when changes were written. It
// may be lost at any time: a raw key then ends by its deadline, and a change counts
// as seen by those that have seen a later one.
type memory struct {
	mu   sync.Mutex
	keys map[client.ObjectKey]*recollection
}

// recollection is of one APIKey.
type recollection struct {
	uid types.UID
	// hand is the raw key that is published and not delivered yet, and published
	// the resourceVersion of that write, "" as long as its answer is outstanding.
	hand      issued
	published string
	took      time.Time
	// spec and keys are the last change, and revision a resourceVersion that has it.
	spec      int64
	keys      []string
	revision  string
	changedAt time.Time
	// waiting is for whom the APIKey waits.
	waiting patience
}

// patience is for whom an APIKey waits.
type patience uint8

const (
	forNobody patience = iota
	// forAll waits until all auth servers have seen the last change.
	forAll
	// forAny waits until there is any.
	forAny
)

// of returns what is known of an APIKey, brought up to date with what was read.
func (m *memory) of(k *v1alpha1.APIKey, now time.Time) *recollection {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = map[client.ObjectKey]*recollection{}
	}
	name := client.ObjectKeyFromObject(k)
	c := m.keys[name]
	if c == nil || c.uid != k.UID {
		c = &recollection{uid: k.UID}
		m.keys[name] = c
	}
	c.update(k, now)
	return c
}

// update notes a change, and forgets a raw key that isn't pending any more.
func (c *recollection) update(k *v1alpha1.APIKey, now time.Time) {
	if keys := enforced(k.Status.Keys); c.revision == "" || c.spec != k.Generation || !slices.Equal(c.keys, keys) {
		c.spec, c.keys, c.revision, c.changedAt = k.Generation, keys, k.ResourceVersion, now
		c.waiting = forAll // from now on, and not from when that is in status
	}
	if c.hand.raw.IsZero() {
		return
	}
	switch pending := pendingIn(k.Status.Keys, c.hand.raw.Digest().String()) >= 0; {
	case !pending:
		c.hand, c.published = issued{}, ""
	case c.published == "":
		c.published = k.ResourceVersion
	}
}

// take holds a raw key that is about to be published.
func (m *memory) take(k *v1alpha1.APIKey, i issued, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.keys[client.ObjectKeyFromObject(k)]
	c.hand, c.published, c.took, c.waiting = i, "", now, forAll
}

// wait notes for whom an APIKey waits.
func (m *memory) wait(k *v1alpha1.APIKey, waiting patience) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.keys[client.ObjectKeyFromObject(k)]; c != nil {
		c.waiting = waiting
	}
}

// forget is for an APIKey that is gone.
func (m *memory) forget(name client.ObjectKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, name)
}

// reached returns the APIKeys that wait for auth servers, and whose wait is over.
// They are looked at, and then wait again or not.
func (m *memory) reached(f presence.Floor) []client.ObjectKey {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []client.ObjectKey
	for name, c := range m.keys {
		over := c.published != "" && f.Delivers(name.Namespace, c.published) || c.published == "" && f.Covers(name.Namespace, c.revision)
		if c.waiting == forAll && over || c.waiting == forAny && f.Anybody(name.Namespace) {
			c.waiting = forNobody
			names = append(names, name)
		}
	}
	return names
}
