package audit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean keeps the printable characters of a text (unicode.IsPrint), at most limit
// of them, and trims spaces. Control characters, line ends of any kind, invalid
// UTF-8, and what is invisible or turns the direction of text are dropped.
func clean(s string, limit int) string {
	if start := s[:min(len(s), limit)]; isPlain(start) {
		return strings.TrimRight(start, " ")
	}
	var b strings.Builder
	b.Grow(min(len(s), limit))
	for n := 0; s != "" && n < limit; {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		invalid := r == utf8.RuneError && size == 1
		if invalid || !unicode.IsPrint(r) || n == 0 && r == ' ' {
			continue
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimRight(b.String(), " ")
}

// isPlain holds for printable ASCII without a space at the beginning.
func isPlain(s string) bool {
	return look(s)&(control|beyondASCII) == 0 && (s == "" || s[0] != ' ')
}

// shorten cuts a text that is clean already. In bytes it is at least as long as in
// characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return clean(s, limit)
}
