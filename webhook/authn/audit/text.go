package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// kinds are the kinds of bytes that a text holds. Most texts hold nothing that
// needs care, and one look tells.
type kinds uint8

const (
	control     kinds = 1 << iota // ASCII that isn't printable
	beyondASCII                   // a part of a longer character, or invalid
	escaped                       // printable ASCII that JSON escapes
	separator                     // what commonly stands beside a key
	percent
)

const separators = ` /?&=:;,"'()<>[]{}`

var kindOf = func() (of [256]kinds) {
	for i := range of {
		c := byte(i)
		switch {
		case c < ' ', c == 0x7f:
			of[i] = control
		case c >= utf8.RuneSelf:
			of[i] = beyondASCII
		case c == '"', c == '\\':
			of[i] = escaped
		case c == '%':
			of[i] = percent
		}
		if strings.IndexByte(separators, c) >= 0 {
			of[i] |= separator
		}
	}
	return of
}()

func look(s string) kinds {
	var all kinds
	for i := range len(s) {
		all |= kindOf[s[i]]
	}
	return all
}

// appendQuoted appends a string as encoding/json writes it with
// SetEscapeHTML(false).
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendChars(b, s)
	return append(b, '"')
}

// appendChars is appendQuoted without the quotes. What needs no escaping, as
// nearly everything, is appended as it is.
func appendChars(b []byte, s string) []byte {
	all := look(s)
	if all&(control|escaped) == 0 && (all&beyondASCII == 0 || isPlainUTF8(s)) {
		return append(b, s...)
	}
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s)                                 // a string always encodes
	return append(b, quoted.Bytes()[1:quoted.Len()-2]...) // two quotes and the line's end
}

// isPlainUTF8 holds for valid UTF-8 without the line ends that JSON escapes for
// the sake of JavaScript.
func isPlainUTF8(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "\u2028") && !strings.Contains(s, "\u2029")
}
