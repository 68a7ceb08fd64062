package key_test

import (
	"bytes"
	"crypto/rand"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

var (
	billoget  = key.Format{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32}
	billStack = key.Format{Prefix: "bs", Separator: "_", Alphabet: key.Hex, Length: 48}
	staxAI    = key.Format{Alphabet: key.Base36, Length: 40}
	staxBill  = key.Format{Prefix: "MDp", Alphabet: key.Base64, Length: 85}
	checked   = key.Format{Prefix: "bk", Separator: "_", Alphabet: key.Hex, Length: 32, Checksum: true}
)

func TestHintAndMatches(t *testing.T) {
	const random = "1234567890abcdef1234567890abcdef"
	hex48 := "a1b2" + strings.Repeat("0", 44)
	tests := map[string]struct {
		format key.Format
		raw    string
		hint   string // empty: doesn't match
	}{
		"Billoget":               {billoget, "bk_live_" + random, "bk_live_1234"},
		"BillStack":              {billStack, "bs_" + hex48, "bs_a1b2"},
		"Stax.ai, no prefix":     {staxAI, "zyxw" + strings.Repeat("0", 36), "zyxw"},
		"Stax Bill, new":         {staxBill, "MDpA+/z" + strings.Repeat("9", 81), "MDpA+/z"},
		"Stax Bill, the seed's":  {staxBill, "MDpFSDl2RTBRNTZVYVJYdnZROE8wb2JpMzJsSDJPNXh0YlZneVRDN2o1d0NCbEEwamV6ZmhDMVNwd2t4U0paSW9q", "MDpFSDl"},
		"the default API's":      {key.Default, "ak_" + strings.Repeat("Zz09", 8), "ak_Zz09"},
		"another environment":    {billoget, "bk_test_" + random, ""},
		"no environment":         {billoget, "bk_" + random, ""},
		"another prefix":         {billoget, "sk_live_" + random, ""},
		"prefix in upper case":   {billoget, "BK_live_" + random, ""},
		"one too long":           {billoget, "bk_live_" + random + "0", ""},
		"one too short":          {billoget, "bk_live_" + random[1:], ""},
		"random in upper case":   {billoget, "bk_live_" + strings.ToUpper(random), ""},
		"beyond the alphabet":    {billoget, "bk_live_g" + random[1:], ""},
		"beyond ASCII":           {billoget, "bk_live_ä" + random[2:], ""},
		"only the head":          {billoget, "bk_live_", ""},
		"part of the head":       {billoget, "bk_l", ""},
		"nothing":                {billoget, "", ""},
		"space before":           {billoget, " bk_live_" + random, ""},
		"the zero Format":        {key.Format{}, random, ""},
		"the zero Format, empty": {key.Format{}, "", ""},
		"a hint that would be the whole key": {
			key.Format{Prefix: "x", Alphabet: key.Hex, Length: 4}, "x1234", "",
		},
		"nothing but a negative length":        {key.Format{Alphabet: key.Hex, Length: -1}, "", ""},
		"a checksum without an alphabet":       {key.Format{Checksum: true, Length: 8}, "12345678", ""},
		"checksum":                             {checked, checkedKey, "bk_1234"},
		"without its checksum":                 {checked, checkedKey[:len(checkedKey)-8], ""},
		"a checksum where none is":             {key.Format{Prefix: "bk", Separator: "_", Alphabet: key.Hex, Length: 32}, checkedKey, ""},
		"checksum and random taken for random": {key.Format{Prefix: "bk", Separator: "_", Alphabet: key.Hex, Length: 40}, checkedKey, "bk_1234"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			raw := key.NewRaw(tt.raw)
			if got := tt.format.Hint(raw); got != tt.hint {
				t.Errorf("Hint: got %q, want %q", got, tt.hint)
			}
			if got := tt.format.Matches(raw); got != (tt.hint != "") {
				t.Errorf("Matches: got %v, want %v", got, tt.hint != "")
			}
		})
	}
}

// checkedKey's last 8 digits are zlib.crc32 of those before, computed by Python.
const checkedKey = "bk_1234567890abcdef1234567890abcdef46fd8ec2"

// The checksums were computed by Python's zlib.crc32 and written in base 16, 36,
// 62 and 64, padded with the alphabet's zero.
func TestChecksumKnownAnswers(t *testing.T) {
	tests := map[string]struct {
		format key.Format
		random []byte // each byte is the index of its character
		want   string
	}{
		"Hex": {
			key.Format{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32, Checksum: true},
			[]byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x00\x0a\x0b\x0c\x0d\x0e\x0f\x01\x02\x03\x04\x05\x06\x07\x08\x09\x00\x0a\x0b\x0c\x0d\x0e\x0f"),
			"bk_live_1234567890abcdef1234567890abcdefb13334fa",
		},
		"Base36": {
			key.Format{Alphabet: key.Base36, Length: 25, Checksum: true},
			ascending(25), "0123456789abcdefghijklmno1acgldt",
		},
		"Base62": {
			key.Format{Prefix: "ak", Separator: "_", Alphabet: key.Base62, Length: 32, Checksum: true},
			ascending(32), "ak_0123456789ABCDEFGHIJKLMNOPQRSTUV1Wf1r1",
		},
		"Base64": {
			key.Format{Prefix: "MDp", Alphabet: key.Base64, Length: 22, Checksum: true},
			ascending(22), "MDpABCDEFGHIJKLMNOPQRSTUVDB8GA5",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			raw, err := tt.format.Generate(bytes.NewReader(tt.random))
			if err != nil {
				t.Fatal(err)
			}
			if raw.Reveal() != tt.want {
				t.Errorf("got %q, want %q", raw.Reveal(), tt.want)
			}
		})
	}
}

func ascending(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// A checksum is read back as a number here, in place of writing one.
func TestChecksumIsCRC32OfAllBefore(t *testing.T) {
	for _, alphabet := range []key.Alphabet{key.Hex, key.Base36, key.Base62, key.Base64} {
		f := key.Format{Prefix: "p", Environment: "e", Separator: "-", Alphabet: alphabet, Length: 40, Checksum: true}
		for range 200 {
			raw, err := f.Generate(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			s := raw.Reveal()
			before, digits := s[:len("p-e-")+40], s[len("p-e-")+40:]
			var sum uint64
			for i := range digits {
				sum = sum*uint64(len(alphabet)) + uint64(strings.IndexByte(string(alphabet), digits[i]))
			}
			if want := uint64(crc32.ChecksumIEEE([]byte(before))); sum != want {
				t.Fatalf("the checksum of %q is %d in base %d, want %d", s, sum, len(alphabet), want)
			}
		}
	}
}

// CRC-32 finds every single wrong character and every swapped pair.
func TestCorruptedChecksum(t *testing.T) {
	if !checked.Matches(key.NewRaw(checkedKey)) {
		t.Fatal("the key itself doesn't match")
	}
	for i := len("bk_"); i < len(checkedKey); i++ {
		for _, c := range string(key.Hex) {
			bad := checkedKey[:i] + string(c) + checkedKey[i+1:]
			if bad != checkedKey && checked.Matches(key.NewRaw(bad)) {
				t.Errorf("matches with %q at %d", c, i)
			}
		}
		if i+1 < len(checkedKey) && checkedKey[i] != checkedKey[i+1] {
			bad := checkedKey[:i] + checkedKey[i+1:i+2] + checkedKey[i:i+1] + checkedKey[i+2:]
			if checked.Matches(key.NewRaw(bad)) {
				t.Errorf("matches with %d and %d swapped", i, i+1)
			}
		}
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("bk", "live", "_", byte(0), 32, false, "bk_live_1234567890abcdef1234567890abcdef", []byte("seed"))
	f.Add("", "", "", byte(1), 25, true, "", []byte{})
	f.Add("MDp", "", "", byte(3), 85, true, "MDp\xff", []byte{255, 254})
	f.Add("", "ä", "\x00", byte(9), -1, true, "ä\x00", []byte{0})
	f.Fuzz(func(t *testing.T, prefix, environment, separator string, alphabet byte, length int, checksum bool, raw string, random []byte) {
		alphabets := []key.Alphabet{key.Hex, key.Base36, key.Base62, key.Base64, "", "a"}
		format := key.Format{
			Prefix: prefix, Environment: environment, Separator: separator,
			Alphabet: alphabets[int(alphabet)%len(alphabets)], Length: length, Checksum: checksum,
		}
		var head string
		if prefix != "" {
			head += prefix + separator
		}
		if environment != "" {
			head += environment + separator
		}
		checkHint(t, format, head, key.NewRaw(raw))
		// The counter ends what would go on for ever with bytes that are all biased.
		made, err := format.Generate(&mixed{bytes: random})
		if err != nil {
			return
		}
		if hint := format.Hint(made); len(hint) != len(head)+4 || !format.Matches(made) || !made.InBounds() {
			t.Errorf("%+v doesn't match its own %q, hint %q", format, made.Reveal(), hint)
		}
		checkHint(t, format, head, made)
	})
}

func checkHint(t *testing.T, format key.Format, head string, raw key.Raw) {
	t.Helper()
	if got, want := format.Matches(raw), plainlyMatches(format, raw.Reveal()); got != want {
		t.Errorf("%+v of %q: got %v, want %v", format, raw.Reveal(), got, want)
	}
	hint := format.Hint(raw)
	if len(hint) > len(head)+4 || !strings.HasPrefix(raw.Reveal(), hint) || (hint != "") != format.Matches(raw) {
		t.Errorf("%+v: hint of %q is %q", format, raw.Reveal(), hint)
	}
	if hint != "" && len(hint) >= len(raw.Reveal()) {
		t.Errorf("%+v: the hint shows all of %q", format, raw.Reveal())
	}
}

// mixed yields some bytes, then a counter's.
type mixed struct {
	bytes []byte
	counter
}

func (m *mixed) Read(p []byte) (int, error) {
	if len(m.bytes) == 0 {
		return m.counter.Read(p)
	}
	n := copy(p, m.bytes)
	m.bytes = m.bytes[n:]
	return n, nil
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := billoget.Generate(rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatchesWithChecksum(b *testing.B) {
	raw := key.NewRaw(checkedKey)
	b.ReportAllocs()
	for b.Loop() {
		checked.Matches(raw)
	}
}
