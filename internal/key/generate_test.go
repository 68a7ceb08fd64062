package key_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

func TestGenerateShape(t *testing.T) {
	tests := map[string]struct {
		format key.Format
		want   string
	}{
		"the default API's": {key.Default, `ak_[0-9A-Za-z]{32}`},
		"Billoget, live": {
			key.Format{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32},
			`bk_live_[0-9a-f]{32}`,
		},
		"Billoget, test": {
			key.Format{Prefix: "bk", Environment: "test", Separator: "_", Alphabet: key.Hex, Length: 32},
			`bk_test_[0-9a-f]{32}`,
		},
		"BillStack":      {key.Format{Prefix: "bs", Separator: "_", Alphabet: key.Hex, Length: 48}, `bs_[0-9a-f]{48}`},
		"Stax.ai":        {key.Format{Alphabet: key.Base36, Length: 40}, `[0-9a-z]{40}`},
		"Stax Bill":      {key.Format{Prefix: "MDp", Alphabet: key.Base64, Length: 85}, `MDp[A-Za-z0-9+/]{85}`},
		"no prefix":      {key.Format{Environment: "live", Separator: "-", Alphabet: key.Base62, Length: 22}, `live-[0-9A-Za-z]{22}`},
		"no separator":   {key.Format{Prefix: "p", Environment: "e", Alphabet: key.Base62, Length: 22}, `pe[0-9A-Za-z]{22}`},
		"only separator": {key.Format{Separator: "_", Alphabet: key.Base62, Length: 22}, `[0-9A-Za-z]{22}`},
		"checksum of Hex is 8 characters": {
			key.Format{Prefix: "bk", Separator: "_", Alphabet: key.Hex, Length: 32, Checksum: true}, `bk_[0-9a-f]{40}`,
		},
		"checksum of Base36 is 7 characters": {key.Format{Alphabet: key.Base36, Length: 25, Checksum: true}, `[0-9a-z]{32}`},
		"checksum of Base62 is 6 characters": {key.Format{Alphabet: key.Base62, Length: 22, Checksum: true}, `[0-9A-Za-z]{28}`},
		"checksum of Base64 is 6 characters": {key.Format{Alphabet: key.Base64, Length: 22, Checksum: true}, `[A-Za-z0-9+/]{28}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			shape := regexp.MustCompile(`^` + tt.want + `$`)
			seen := map[string]bool{}
			for range 1000 {
				raw, err := tt.format.Generate(rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				if !shape.MatchString(raw.Reveal()) || seen[raw.Reveal()] {
					t.Fatalf("got %q, want a new key like %s", raw.Reveal(), shape)
				}
				seen[raw.Reveal()] = true
				if !raw.InBounds() || !tt.format.Matches(raw) {
					t.Fatalf("%q isn't accepted as a key of its own format", raw.Reveal())
				}
			}
		})
	}
}

// Bytes at or above the largest multiple of the alphabet's size are drawn again,
// and not one byte more is read than is needed.
func TestGenerateRejectsBiasedBytes(t *testing.T) {
	fill := func(n int) []byte { return make([]byte, n) }
	tests := map[string]struct {
		alphabet key.Alphabet
		length   int
		bytes    []byte
		want     string
	}{
		"Hex takes all bytes": {
			key.Hex, 32, append([]byte{0, 15, 16, 254, 255}, fill(27)...), "0f0ef" + strings.Repeat("0", 27),
		},
		"Base64 takes all bytes": {
			key.Base64, 22, append([]byte{0, 63, 64, 191, 192, 255}, fill(16)...), "A/A/A/" + strings.Repeat("A", 16),
		},
		"Base62 takes 0 to 247": {
			key.Base62, 22, append([]byte{247, 0, 61, 62, 186, 185}, fill(16)...), "z0z00z" + strings.Repeat("0", 16),
		},
		"Base62 draws 248 to 255 again": {
			key.Base62, 22, append([]byte{248, 249, 250, 251, 252, 253, 254, 255, 1}, append(fill(13), 2, 248, 3, 4, 255, 5, 6, 7, 8, 9)...),
			"1" + strings.Repeat("0", 13) + "23456789",
		},
		"Base36 takes 0 to 251": {
			key.Base36, 25, append([]byte{251, 36, 35}, fill(22)...), "z0z" + strings.Repeat("0", 22),
		},
		"Base36 draws 252 to 255 again": {
			key.Base36, 25, append([]byte{252, 253, 254, 255}, append(fill(21), 1, 2, 3, 4)...), strings.Repeat("0", 21) + "1234",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			random := bytes.NewReader(append(tt.bytes, 0xaa))
			raw, err := key.Format{Alphabet: tt.alphabet, Length: tt.length}.Generate(random)
			if err != nil {
				t.Fatal(err)
			}
			if raw.Reveal() != tt.want || random.Len() != 1 {
				t.Errorf("got %q and %d bytes left, want %q and 1", raw.Reveal(), random.Len(), tt.want)
			}
		})
	}
}

// counter yields 0 to 255 over and over: as uniform as randomness can be.
type counter struct{ next byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

func TestGenerateIsUniform(t *testing.T) {
	for _, alphabet := range []key.Alphabet{key.Hex, key.Base36, key.Base62, key.Base64} {
		size := len(alphabet)
		each := 256 / size
		raw, err := key.Format{Alphabet: alphabet, Length: size * each}.Generate(&counter{next: 77})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range string(alphabet) {
			if n := strings.Count(raw.Reveal(), string(c)); n != each {
				t.Errorf("of all bytes, %d of %d gave %q in an alphabet of %d, want %d", n, size*each, c, size, each)
			}
		}
	}
}

func TestGenerateReaders(t *testing.T) {
	broken := errors.New("no entropy")
	random := bytes.Repeat([]byte{1}, 32)
	tests := map[string]struct {
		random io.Reader
		want   string
		err    error
	}{
		"one byte at a time": {iotest.OneByteReader(bytes.NewReader(random)), "ak_" + strings.Repeat("1", 32), nil},
		"half at a time":     {iotest.HalfReader(bytes.NewReader(random)), "ak_" + strings.Repeat("1", 32), nil},
		"data with EOF":      {iotest.DataErrReader(bytes.NewReader(random)), "ak_" + strings.Repeat("1", 32), nil},
		"nothing":            {bytes.NewReader(nil), "", io.EOF},
		"one byte short":     {bytes.NewReader(random[1:]), "", io.ErrUnexpectedEOF},
		"fails":              {iotest.ErrReader(broken), "", broken},
		"fails half-way":     {io.MultiReader(bytes.NewReader(random[16:]), iotest.ErrReader(broken)), "", broken},
		"fails when a biased byte is drawn again": {
			io.MultiReader(bytes.NewReader(append(random[1:], 255)), iotest.ErrReader(broken)), "", broken,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			raw, err := key.Default.Generate(tt.random)
			if !errors.Is(err, tt.err) || raw.Reveal() != tt.want {
				t.Errorf("got %q, %v, want %q, %v", raw.Reveal(), err, tt.want, tt.err)
			}
		})
	}
}

func TestGenerateRefusesWhatValidateRefuses(t *testing.T) {
	random := bytes.NewReader(make([]byte, 1024))
	raw, err := key.Format{Alphabet: key.Hex, Length: 31}.Generate(random)
	if err == nil || !raw.IsZero() || random.Len() != 1024 {
		t.Errorf("got %q, %v with %d bytes left, want an error before anything is read", raw.Reveal(), err, random.Len())
	}
}

func TestValidate(t *testing.T) {
	long := strings.Repeat("p", 470)
	tests := map[string]struct {
		format key.Format
		bad    string // what the error speaks of; empty: valid
	}{
		"the default API's":    {key.Default, ""},
		"Hex, 128 bits":        {key.Format{Alphabet: key.Hex, Length: 32}, ""},
		"Hex, 124 bits":        {key.Format{Alphabet: key.Hex, Length: 31}, "length"},
		"Base36, 129 bits":     {key.Format{Alphabet: key.Base36, Length: 25}, ""},
		"Base36, 124 bits":     {key.Format{Alphabet: key.Base36, Length: 24}, "length"},
		"Base62, 131 bits":     {key.Format{Alphabet: key.Base62, Length: 22}, ""},
		"Base62, 125 bits":     {key.Format{Alphabet: key.Base62, Length: 21}, "length"},
		"Base64, 132 bits":     {key.Format{Alphabet: key.Base64, Length: 22}, ""},
		"Base64, 126 bits":     {key.Format{Alphabet: key.Base64, Length: 21}, "length"},
		"a prefix adds none":   {key.Format{Prefix: "abcdefgh", Alphabet: key.Hex, Length: 31}, "length"},
		"a checksum adds none": {key.Format{Alphabet: key.Hex, Length: 31, Checksum: true}, "length"},
		"no length":            {key.Format{Alphabet: key.Hex}, "length"},
		"negative length":      {key.Format{Alphabet: key.Hex, Length: -32}, "length"},

		"no alphabet":             {key.Format{Length: 512}, "encoding"},
		"another alphabet":        {key.Format{Alphabet: "ab", Length: 256}, "encoding"},
		"an alphabet of one":      {key.Format{Alphabet: "a", Length: 256}, "encoding"},
		"an alphabet, rearranged": {key.Format{Alphabet: "fedcba9876543210", Length: 32}, "encoding"},

		"512 characters":                  {key.Format{Alphabet: key.Hex, Length: 512}, ""},
		"513 characters":                  {key.Format{Alphabet: key.Hex, Length: 513}, "more than the 512"},
		"512 with prefix and environment": {key.Format{Prefix: long, Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 36}, ""},
		"513 with prefix and environment": {key.Format{Prefix: long, Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 37}, "more than the 512"},
		"512 with checksum":               {key.Format{Prefix: long, Alphabet: key.Hex, Length: 34, Checksum: true}, ""},
		"513 with checksum":               {key.Format{Prefix: long, Alphabet: key.Hex, Length: 35, Checksum: true}, "more than the 512"},
		"more than an int holds":          {key.Format{Prefix: "bk", Alphabet: key.Hex, Length: math.MaxInt}, "more than the 512"},

		"a prefix with a space":          {key.Format{Prefix: "b k", Alphabet: key.Hex, Length: 32}, "prefix"},
		"an environment beyond ASCII":    {key.Format{Environment: "prüf", Alphabet: key.Hex, Length: 32}, "environment"},
		"a separator that is a newline":  {key.Format{Prefix: "bk", Separator: "\n", Alphabet: key.Hex, Length: 32}, "separator"},
		"a bad separator that is unused": {key.Format{Separator: "\n", Alphabet: key.Hex, Length: 32}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.format.Validate()
			if tt.bad == "" && err != nil || tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)) {
				t.Errorf("got %v, want an error about %q", err, tt.bad)
			}
		})
	}
}
