package key

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unsafe"
)

const redacted = "[redacted key]"

// MaxLength is the length in bytes of the longest raw key that is looked up.
const MaxLength = 512

// Raw is a raw key. However it is printed, logged or marshalled, it shows
// "[redacted key]" or, in an unexported field, where no printer can call its
// methods, an address; Reveal is the only way to its characters.
type Raw struct {
	_ [0]func() // no ==, which would compare addresses
	// A string's bytes and length: reflection shows a string, but it can't follow
	// an unsafe.Pointer.
	bytes  unsafe.Pointer
	length int
}

// NewRaw wraps the characters of a raw key.
func NewRaw(chars string) Raw {
	return Raw{bytes: unsafe.Pointer(unsafe.StringData(chars)), length: len(chars)} //nolint:gosec // see Raw
}

// Reveal returns the characters of the raw key. What calls it must write them to
// a Secret or hash them, and nothing else.
func (r Raw) Reveal() string { return unsafe.String((*byte)(r.bytes), r.length) } //nolint:gosec // see Raw

// IsZero reports whether there is no raw key.
func (r Raw) IsZero() bool { return r.length == 0 }

// Digest returns the SHA-256 of the raw key's bytes.
func (r Raw) Digest() Digest {
	return sha256.Sum256(unsafe.Slice((*byte)(r.bytes), r.length)) //nolint:gosec // no copy: Sum256 only reads
}

// InBounds reports whether the key could be one at all: 1 to MaxLength visible
// ASCII characters (0x21 to 0x7e).
func (r Raw) InBounds() bool {
	if r.length == 0 || r.length > MaxLength {
		return false
	}
	chars := unsafe.Slice((*byte)(r.bytes), r.length) //nolint:gosec // see Raw
	for ; len(chars) >= 8; chars = chars[8:] {
		if !allVisible(binary.LittleEndian.Uint64(chars)) {
			return false
		}
	}
	for _, c := range chars {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return true
}

// allVisible reports whether eight characters all are visible ASCII, at once: none
// has its highest bit set, nor has it after 1 is added, and all have it after 0x5f
// is. No character carries into the next.
func allVisible(eight uint64) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	return (eight|(eight+each))&high == 0 && (eight+0x5f*each)&high == high
}

// String redacts.
func (Raw) String() string { return redacted }

// GoString redacts.
func (Raw) GoString() string { return redacted }

// Format redacts under every verb and flag.
func (Raw) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText redacts, for JSON, YAML and XML.
func (Raw) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON redacts.
func (Raw) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue redacts, for log/slog.
func (Raw) LogValue() slog.Value { return slog.StringValue(redacted) }

// Digest is the SHA-256 of a raw key's bytes. It is not a secret in the sense
// that a raw key is: nobody can get in with it.
type Digest [sha256.Size]byte

const digestPrefix = "sha256:"

// String writes the digest as "sha256:" and 64 lower-case hexadecimal digits.
func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }

// Equal compares two digests in constant time.
func (d Digest) Equal(o Digest) bool { return subtle.ConstantTimeCompare(d[:], o[:]) == 1 }

// ErrDigest is returned for text that isn't a digest.
var ErrDigest = errors.New(`not a digest: want "sha256:" and 64 lower-case hexadecimal digits`)

// ParseDigest reads what Digest.String writes, and nothing else.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(d)) || strings.ToLower(digits) != digits {
		return Digest{}, ErrDigest
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return Digest{}, ErrDigest
	}
	return d, nil
}
