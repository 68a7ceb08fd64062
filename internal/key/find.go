package key

import "strings"

// Occurs reports whether a text holds a key of this format somewhere. Without
// prefix and environment, a key counts only where no character of its alphabet
// adjoins it: whatever is long enough would hold one otherwise.
func (f Format) Occurs(text string) bool {
	if len(text) < f.Length {
		return false
	}
	head := f.head()
	size := len(head) + f.Length + f.checksumLength()
	for start, end := 0, size; end <= len(text); start, end = start+1, end+1 {
		if head == "" && (start > 0 && f.has(text[start-1]) || end < len(text) && f.has(text[end])) {
			continue
		}
		if strings.HasPrefix(text[start:], head) && f.Matches(NewRaw(text[start:end])) {
			return true
		}
	}
	return false
}

func (f Format) has(c byte) bool { return strings.IndexByte(string(f.Alphabet), c) >= 0 }
