package presence

import (
	"encoding/hex"
	"slices"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// window is what a Lease says of use: what is new, and as much of what was said
// before as fits, for a controller that starts in between. Of that, what versions
// are about to end stays longest.
type window struct{ entries []entry } // the newest last

type entry struct {
	Use
	ends, written bool
}

// fill takes in what is new, as far as there is room beside what wasn't written yet.
func (w *window) fill(take func(n int) []keyring.Use) {
	room := maxUses
	for _, e := range w.entries {
		if !e.written {
			room--
		}
	}
	fresh := take(room)
	if len(fresh) == 0 {
		return
	}
	named := make(map[string]bool, len(fresh))
	added := make([]entry, len(fresh))
	for i, u := range fresh {
		added[i] = entry{Use: Use{Beginning: hex.EncodeToString(u.Digest[:]), At: u.At}, ends: u.Ends}
		named[added[i].Beginning] = true
	}
	w.entries = slices.DeleteFunc(w.entries, func(e entry) bool { return named[e.Beginning] })
	w.entries = append(w.entries, added...)
	w.shrink(func(e entry) bool { return e.written && !e.ends })
	w.shrink(func(e entry) bool { return e.written })
}

// shrink lets the oldest entries go that may, as many as are too many.
func (w *window) shrink(may func(entry) bool) {
	surplus := len(w.entries) - maxUses
	w.entries = slices.DeleteFunc(w.entries, func(e entry) bool {
		if surplus <= 0 || !may(e) {
			return false
		}
		surplus--
		return true
	})
}

// uses are what is to be written, and wrote says that it was.
func (w *window) uses() []Use {
	uses := make([]Use, len(w.entries))
	for i, e := range w.entries {
		uses[i] = e.Use
	}
	return uses
}

func (w *window) wrote() {
	for i := range w.entries {
		w.entries[i].written = true
	}
}

// news reports whether anything wasn't written yet.
func (w *window) news() bool {
	return slices.ContainsFunc(w.entries, func(e entry) bool { return !e.written })
}
