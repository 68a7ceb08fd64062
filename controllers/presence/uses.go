package presence

import "time"

// maxGeneration bounds the memory of uses, to some 20 MB.
const maxGeneration = 1 << 17

// lastUses are the last uses by the beginnings of digests, in seconds of Unix time.
// When the newer generation is full it becomes the older one, and what of that
// wasn't told of again is forgotten: status has it.
type lastUses struct{ newer, older map[string]int64 }

// add takes a use in. None is later than now, whatever the clock of who saw it.
func (l *lastUses) add(u Use, now time.Time) {
	at := min(u.At.Unix(), now.Truncate(time.Minute).Unix())
	if known, ok := l.of(u.Beginning); ok {
		at = max(at, known.Unix())
	}
	if l.newer == nil || len(l.newer) >= maxGeneration {
		l.newer, l.older = map[string]int64{}, l.newer
	}
	l.newer[u.Beginning] = at
}

func (l *lastUses) of(beginning string) (time.Time, bool) {
	at, ok := l.newer[beginning]
	if !ok {
		at, ok = l.older[beginning]
	}
	return time.Unix(at, 0), ok
}
