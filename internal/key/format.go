package key

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
	"unsafe"
)

// Alphabet is the set of characters that the random part of a key is made of.
type Alphabet string

// The alphabets of the encodings. Base64 is RFC 4648, section 4.
const (
	Hex    Alphabet = "0123456789abcdef"
	Base36 Alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	Base62 Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	Base64 Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// alphabets says of each byte in which of them it is: bit i is the i-th one's.
var alphabets = func() (in [256]uint8) {
	for i, a := range []Alphabet{Hex, Base36, Base62, Base64} {
		for j := range len(a) {
			in[a[j]] |= 1 << i
		}
	}
	return in
}()

// spells reports whether all characters of a text are in the alphabet.
func (a Alphabet) spells(text string) bool {
	var bit uint8
	switch a {
	case Hex:
		bit = 1 << 0
	case Base36:
		bit = 1 << 1
	case Base62:
		bit = 1 << 2
	case Base64:
		bit = 1 << 3
	default: // none that keys are issued in
		return !slices.ContainsFunc([]byte(text), func(c byte) bool { return strings.IndexByte(string(a), c) < 0 })
	}
	in := bit
	for i := range len(text) {
		in &= alphabets[text[i]]
	}
	return in != 0
}

const (
	// MinBits is the least entropy of a generated key.
	MinBits = 128
	// hintChars is how many random characters a hint shows.
	hintChars = 4
)

// Format is the shape of raw keys: prefix, separator, environment, separator,
// Length random characters, checksum. Empty parts are left out with their
// separator.
type Format struct {
	Prefix, Environment, Separator string
	Alphabet                       Alphabet
	Length                         int
	Checksum                       bool // CRC-32 (IEEE) of all characters before it
}

// Default is the format of the default API, and of an API that names none.
var Default = Format{Prefix: "ak", Separator: "_", Alphabet: Base62, Length: 32}

// Bits returns the entropy of a key of this format, in bits.
func (f Format) Bits() float64 {
	if len(f.Alphabet) == 0 {
		return 0
	}
	return float64(f.Length) * math.Log2(float64(len(f.Alphabet)))
}

// Validate reports why keys of this format can't be issued.
func (f Format) Validate() error {
	switch f.Alphabet {
	case Hex, Base36, Base62, Base64:
	default:
		return errors.New("encoding: must be Hex, Base36, Base62 or Base64")
	}
	if f.Bits() < MinBits {
		return fmt.Errorf("length: %d characters hold %.0f bits, a key must hold at least %d", f.Length, f.Bits(), MinBits)
	}
	if around := len(f.head()) + f.checksumLength(); f.Length > MaxLength-around {
		return fmt.Errorf("length: %d characters and %d around them are more than the %d that are accepted", f.Length, around, MaxLength)
	}
	if f.Prefix+f.Environment != "" && !NewRaw(f.head()).InBounds() {
		return errors.New("prefix, separator and environment: must be visible ASCII characters")
	}
	return nil
}

// Generate makes a raw key from a source of randomness, which is crypto/rand's
// outside tests. Every character is equally likely: bytes that would favour some
// are drawn again.
func (f Format) Generate(random io.Reader) (Raw, error) {
	if err := f.Validate(); err != nil {
		return Raw{}, err
	}
	var b strings.Builder
	b.WriteString(f.head())
	fair := 256 - 256%len(f.Alphabet)
	buf := make([]byte, f.Length)
	for left := f.Length; left > 0; {
		if _, err := io.ReadFull(random, buf[:left]); err != nil {
			return Raw{}, fmt.Errorf("reading randomness: %w", err)
		}
		for _, v := range buf[:left] {
			if int(v) < fair {
				b.WriteByte(f.Alphabet[int(v)%len(f.Alphabet)])
				left--
			}
		}
	}
	if f.Checksum {
		b.WriteString(f.checksum(b.String()))
	}
	return NewRaw(b.String()), nil
}

// Hint returns the part of a key that may be shown: everything before the random
// characters, and the first four of them. It is empty for a key that isn't of
// this format.
func (f Format) Hint(r Raw) string {
	if !f.Matches(r) {
		return ""
	}
	return r.Reveal()[:len(f.head())+hintChars]
}

// Matches reports whether a key has this format, checksum included. It says
// nothing about whether the key is known.
func (f Format) Matches(r Raw) bool {
	chars := r.Reveal()
	random, ok := f.cutHead(chars)
	if !ok || f.Length <= hintChars {
		return false
	}
	digits := f.checksumLength()
	if len(random) != f.Length+digits || !f.Alphabet.spells(random) {
		return false
	}
	end := len(chars) - digits
	return !f.Checksum || f.hasChecksum(chars[:end], chars[end:])
}

func (f Format) head() string {
	head := ""
	for _, part := range []string{f.Prefix, f.Environment} {
		if part != "" {
			head += part + f.Separator
		}
	}
	return head
}

// cutHead returns what follows the head, and whether it is there.
func (f Format) cutHead(chars string) (rest string, ok bool) {
	if rest, ok = f.cutPart(chars, f.Prefix); !ok {
		return "", false
	}
	return f.cutPart(rest, f.Environment)
}

func (f Format) cutPart(chars, part string) (rest string, ok bool) {
	if part == "" {
		return chars, true
	}
	if rest, ok = strings.CutPrefix(chars, part); !ok {
		return "", false
	}
	return strings.CutPrefix(rest, f.Separator)
}

// checksumLength is how many characters of the alphabet hold 32 bits.
func (f Format) checksumLength() int {
	if !f.Checksum || len(f.Alphabet) < 2 {
		return 0
	}
	n := 0
	for left := uint32(math.MaxUint32); left > 0; left /= uint32(len(f.Alphabet)) {
		n++
	}
	return n
}

// checksum writes the CRC-32 of s in the alphabet, most significant digit first.
func (f Format) checksum(s string) string {
	sum, base := crc32.ChecksumIEEE([]byte(s)), uint32(len(f.Alphabet))
	digits := make([]byte, f.checksumLength())
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = f.Alphabet[sum%base]
		sum /= base
	}
	return string(digits)
}

// hasChecksum reports whether the digits are the checksum of s, which it doesn't
// write for it: strangers may ask.
func (f Format) hasChecksum(s, digits string) bool {
	sum := crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(s), len(s))) //nolint:gosec // no copy: ChecksumIEEE only reads
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] != f.Alphabet[sum%uint32(len(f.Alphabet))] {
			return false
		}
		sum /= uint32(len(f.Alphabet))
	}
	return true
}
