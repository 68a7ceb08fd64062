package presence

// Floor is how far the auth servers have come together: for telling many revisions
// apart at once, which Spread tells about one.
type Floor struct {
	position string // of the last of the live ones, "" if one has none
	live     bool   // there are any
	silent   []string
}

// Floor returns it.
func (r *Roster) Floor() Floor {
	r.mu.Lock()
	defer r.mu.Unlock()
	var f Floor
	for _, s := range r.servers {
		switch {
		case s.forgotten():
		case s.silent(s.looked):
			f.silent = append(f.silent, s.report.Seen)
		case !f.live || s.report.Seen == "" || newer(f.position, s.report.Seen):
			f.live, f.position = true, s.report.Seen
		}
	}
	return f
}

// Anybody reports whether any auth server is live.
func (f Floor) Anybody() bool { return f.live }

// Delivers reports whether every live server has come to a revision. Without one
// there is nobody to wait for, and nobody to tell it.
func (f Floor) Delivers(revision string) bool { return f.live && reached(f.position, revision) }

// Covers reports whether the silent ones had come to it too.
func (f Floor) Covers(revision string) bool {
	for _, position := range f.silent {
		if !reached(position, revision) {
			return false
		}
	}
	return f.Delivers(revision)
}
