package presence

// Floor is how far the auth servers have come together: for telling many revisions
// apart at once, which Spread tells about one.
type Floor struct {
	all storey            // those that watch all namespaces
	in  map[string]storey // the others, by each namespace that they watch
}

// storey is how far some of them have.
type storey struct {
	position string // of the last of the live ones, "" if one has none
	live     bool   // there are any
	silent   []string
}

// Floor returns it.
func (r *Roster) Floor() Floor {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := Floor{in: map[string]storey{}}
	for _, s := range r.servers {
		if s.forgotten() {
			continue
		}
		if s.report.SeenIn == nil {
			f.all = f.all.with(s.report.Seen, s.silent(s.looked))
		}
		for namespace, position := range s.report.SeenIn {
			f.in[namespace] = f.in[namespace].with(position, s.silent(s.looked))
		}
	}
	return f
}

// with takes one more in.
func (y storey) with(position string, silent bool) storey {
	switch {
	case silent:
		y.silent = append(y.silent, position)
	case !y.live || position == "" || newer(y.position, position):
		y.live, y.position = true, position
	}
	return y
}

// Anybody reports whether any auth server that watches a namespace is live.
func (f Floor) Anybody(namespace string) bool { return f.all.live || f.in[namespace].live }

// Delivers reports whether every live server that watches a namespace has come to a
// revision. Without one there is nobody to wait for, and nobody to tell it.
func (f Floor) Delivers(namespace, revision string) bool {
	return f.Anybody(namespace) && f.all.reached(revision) && f.in[namespace].reached(revision)
}

func (y storey) reached(revision string) bool { return !y.live || reached(y.position, revision) }

// Covers reports whether the silent ones had come to it too.
func (f Floor) Covers(namespace, revision string) bool {
	for _, y := range []storey{f.all, f.in[namespace]} {
		for _, position := range y.silent {
			if !reached(position, revision) {
				return false
			}
		}
	}
	return f.Delivers(namespace, revision)
}
