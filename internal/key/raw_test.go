package key_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

func TestRaw(t *testing.T) {
	tests := map[string]struct {
		chars    string
		inBounds bool
	}{
		"a key":                {secret, true},
		"one character":        {"x", true},
		"the bounds of ASCII":  {"!~", true},
		"512 characters":       {strings.Repeat("x", 512), true},
		"none":                 {"", false},
		"513 characters":       {strings.Repeat("x", 513), false},
		"a space":              {"a b", false},
		"a space at the end":   {"ab ", false},
		"a tab":                {"a\tb", false},
		"a newline at the end": {"ab\n", false},
		"NUL":                  {"\x00", false},
		"DEL":                  {"ab\x7f", false},
		"beyond ASCII":         {"schlüssel", false},
		"not UTF-8":            {"ab\xff", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			raw := key.NewRaw(tt.chars)
			if raw.Reveal() != tt.chars || raw.IsZero() != (tt.chars == "") {
				t.Errorf("got %q (zero: %v), want %q", raw.Reveal(), raw.IsZero(), tt.chars)
			}
			if got := raw.InBounds(); got != tt.inBounds {
				t.Errorf("InBounds: got %v, want %v", got, tt.inBounds)
			}
		})
	}
	if zero := (key.Raw{}); !zero.IsZero() || zero.Reveal() != "" || zero.InBounds() || zero.Digest() != key.NewRaw("").Digest() {
		t.Error("the zero Raw isn't an empty one")
	}
}

// A Raw outlives the buffer that it was made from being used again.
func TestRawFromBytesIsACopy(t *testing.T) {
	buffer := []byte(secret)
	raw := key.NewRaw(string(buffer))
	clear(buffer)
	if raw.Reveal() != secret {
		t.Errorf("got %q, want %q", raw.Reveal(), secret)
	}
}

// The digests are those of sha256sum.
func TestDigestKnownAnswers(t *testing.T) {
	tests := map[string]string{
		"":    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"bk_live_1234567890abcdef1234567890abcdef": "sha256:6321bc5080b422fc9a0c6e3ffd0695402f715015a8564237d1a1eb28628e20e3",
	}
	for chars, want := range tests {
		d := key.NewRaw(chars).Digest()
		if d.String() != want {
			t.Errorf("%q: got %s, want %s", chars, d, want)
		}
		parsed, err := key.ParseDigest(want)
		if err != nil || parsed != d || !parsed.Equal(d) {
			t.Errorf("%s: parsed as %s, %v", want, parsed, err)
		}
	}
}

func TestDigestEqual(t *testing.T) {
	d := key.NewRaw("abc").Digest()
	for i := range d {
		other := d
		if !d.Equal(other) {
			t.Error("a digest doesn't equal its copy")
		}
		other[i] ^= 1
		if d.Equal(other) {
			t.Errorf("digests that differ in byte %d are equal", i)
		}
	}
}

func TestParseDigestRefuses(t *testing.T) {
	const digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	tests := map[string]string{
		"nothing":                   "",
		"only the algorithm":        "sha256:",
		"only the digits":           digits,
		"another algorithm":         "sha512:" + digits,
		"algorithm in upper case":   "SHA256:" + digits,
		"digits in upper case":      "sha256:" + strings.ToUpper(digits),
		"one digit in upper case":   "sha256:B" + digits[1:],
		"one digit less":            "sha256:" + digits[1:],
		"one digit more":            "sha256:" + digits + "0",
		"two digits more":           "sha256:" + digits + "00",
		"beyond hexadecimal":        "sha256:g" + digits[1:],
		"beyond ASCII, 64 bytes":    "sha256:ä" + digits[2:],
		"the Kelvin sign, 64 bytes": "sha256:\u212a" + digits[3:],
		"space before":              " sha256:" + digits,
		"newline after":             "sha256:" + digits + "\n",
		"0x":                        "sha256:0x" + digits[2:],
		"a raw key":                 secret,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := key.ParseDigest(text)
			if !errors.Is(err, key.ErrDigest) || d != (key.Digest{}) {
				t.Errorf("got %s, %v, want the zero Digest and ErrDigest", d, err)
			}
			if err != nil && leak(err.Error()) != "" {
				t.Errorf("the error quotes what may be a raw key: %v", err)
			}
		})
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	f.Add("sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := key.ParseDigest(text)
		switch {
		case err != nil && (!errors.Is(err, key.ErrDigest) || d != (key.Digest{})):
			t.Errorf("%q: got %s, %v, want the zero Digest and ErrDigest", text, d, err)
		case err == nil && d.String() != text:
			t.Errorf("%q was read as %s", text, d)
		}
	})
}

func BenchmarkDigest(b *testing.B) {
	raw := key.NewRaw("bk_live_1234567890abcdef1234567890abcdef")
	b.ReportAllocs()
	for b.Loop() {
		raw.Digest()
	}
}
