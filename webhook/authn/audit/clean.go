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
	if isPlain(s) {
		return strings.TrimRight(s[:min(len(s), limit)], " ")
	}
	var b strings.Builder
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
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return s == "" || s[0] != ' '
}
