package key

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"
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
	random, ok := strings.CutPrefix(chars, f.head())
	if !ok || f.Length <= hintChars || len(random) != f.Length+f.checksumLength() {
		return false
	}
	for i := range len(random) {
		if strings.IndexByte(string(f.Alphabet), random[i]) < 0 {
			return false
		}
	}
	end := len(chars) - f.checksumLength()
	return !f.Checksum || f.checksum(chars[:end]) == chars[end:]
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

// checksumLength is how many characters of the alphabet hold 32 bits.
func (f Format) checksumLength() int {
	if !f.Checksum || len(f.Alphabet) < 2 {
		return 0
	}
	return int(math.Ceil(32 / math.Log2(float64(len(f.Alphabet)))))
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
