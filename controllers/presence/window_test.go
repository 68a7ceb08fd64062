package presence

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// queue are uses as a ring would tell of them.
type queue []keyring.Use

func (q *queue) add(ends bool, minute int, digests ...int) {
	for _, i := range digests {
		u := keyring.Use{At: start.Add(time.Duration(minute) * time.Minute), Ends: ends}
		binary.BigEndian.PutUint64(u.Digest[:], uint64(i)+1)
		*q = append(*q, u)
	}
}

func (q *queue) take(n int) []keyring.Use {
	taken := (*q)[:min(n, len(*q))]
	*q = (*q)[len(taken):]
	return taken
}

func count(from, to int) []int {
	var all []int
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// said are the digests that a window has.
func (w *window) said() map[string]time.Time {
	said := map[string]time.Time{}
	for _, u := range w.uses() {
		said[u.Beginning] = u.At
	}
	return said
}

func (w *window) wantSaid(t *testing.T, minute int, digests ...int) {
	t.Helper()
	said := w.said()
	for _, i := range digests {
		if u := useOf(i, minute); !said[u.Beginning].Equal(u.At) {
			t.Errorf("of %d it says %v, want %v", i, said[u.Beginning], u.At)
		}
	}
	if len(w.entries) > maxUses || len(said) != len(w.entries) {
		t.Errorf("%d entries of %d digests", len(w.entries), len(said))
	}
}

func TestAWindowSaysWhatIsNew(t *testing.T) {
	var q queue
	var w window
	w.fill(q.take)
	if len(w.uses()) != 0 {
		t.Errorf("it says %v of nothing", w.uses())
	}
	q.add(false, 1, 1, 2)
	w.fill(q.take)
	w.wrote()
	q.add(false, 2, 2, 3)
	w.fill(q.take)
	w.wantSaid(t, 1, 1)
	w.wantSaid(t, 2, 2, 3)
}

// What a failed write would have said isn't lost, however much comes after.
func TestAWindowKeepsWhatWasNotWritten(t *testing.T) {
	var q queue
	var w window
	q.add(false, 1, count(0, 400)...)
	w.fill(q.take)
	q.add(false, 2, count(300, 1200)...)
	w.fill(q.take)
	w.wantSaid(t, 1, count(0, 300)...)
	w.wantSaid(t, 2, count(300, 400)...) // newer
	written := map[string]time.Time{}
	for range 4 {
		w.wrote()
		for beginning, at := range w.said() {
			written[beginning] = at
		}
		w.fill(q.take)
	}
	if len(written) != 1200 || len(q) != 0 {
		t.Errorf("%d digests were written, and %d wait", len(written), len(q))
	}
}

// What was said stays for a controller that starts later, and longest what somebody
// may wait for.
func TestAWindowKeepsUsesOfVersionsThatEnd(t *testing.T) {
	var q queue
	var w window
	q.add(true, 1, count(0, 500)...)
	w.fill(q.take)
	w.wrote()
	for i := range 10 {
		q.add(false, 2, count(1000+i*100, 1100+i*100)...)
		w.fill(q.take)
		w.wantSaid(t, 2, count(1000+i*100, 1100+i*100)...)
		w.wrote()
	}
	kept := 0
	for _, e := range w.entries {
		if e.ends {
			kept++
		}
	}
	if kept != maxUses-100 {
		t.Errorf("%d of versions that end are kept, want %d beside the last 100", kept, maxUses-100)
	}
	w.wantSaid(t, 1, count(500-kept, 500)...) // the newest of them
	if !slices.IsSortedFunc(w.entries, func(a, b entry) int { return a.At.Compare(b.At) }) {
		t.Error(fmt.Sprint("the newest aren't last: ", w.entries))
	}
}
