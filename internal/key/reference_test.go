package key_test

import (
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

// plainlyMatches says what Matches does, by writing what a key would have to be.
func plainlyMatches(f key.Format, chars string) bool {
	head := ""
	for _, part := range []string{f.Prefix, f.Environment} {
		if part != "" {
			head += part + f.Separator
		}
	}
	random, ok := strings.CutPrefix(chars, head)
	digits := 0
	if f.Checksum && len(f.Alphabet) > 1 {
		digits = int(math.Ceil(32 / math.Log2(float64(len(f.Alphabet)))))
	}
	if !ok || f.Length <= 4 || len(random) != f.Length+digits {
		return false
	}
	for _, c := range []byte(random) {
		if strings.IndexByte(string(f.Alphabet), c) < 0 {
			return false
		}
	}
	checksum, sum := "", crc32.ChecksumIEEE([]byte(chars[:len(chars)-digits]))
	for range digits {
		checksum = string(f.Alphabet[sum%uint32(len(f.Alphabet))]) + checksum
		sum /= uint32(len(f.Alphabet))
	}
	return checksum == chars[len(chars)-digits:]
}

func TestMatchesAgainstPlain(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	matching := 0
	for range 100_000 {
		f := key.Format{
			Prefix: pick("", "a", "bk", "bk_"), Environment: pick("", "a", "_live", "live"), Separator: pick("", "_", "a", "__"),
			Alphabet: key.Alphabet(pick(string(key.Hex), string(key.Base36), string(key.Base62), string(key.Base64), "ab")),
			Length:   random.IntN(12), Checksum: random.IntN(2) == 0,
		}
		chars := pick(f.Prefix+f.Separator, f.Prefix+f.Separator+f.Environment+f.Separator, f.Environment+f.Separator, "", "bk_live_", f.Prefix+f.Environment)
		characters := string(f.Alphabet)
		if random.IntN(4) == 0 {
			characters = "0azZ+_-/\x00ä"
		}
		for range f.Length - random.IntN(8)/6 {
			chars += characters[random.IntN(len(characters)):][:1]
		}
		if random.IntN(2) == 0 && f.Checksum { // make it right
			rest := crc32.ChecksumIEEE([]byte(chars))
			digits := int(math.Ceil(32 / math.Log2(float64(len(f.Alphabet)))))
			made := ""
			for range digits {
				made = string(f.Alphabet[rest%uint32(len(f.Alphabet))]) + made
				rest /= uint32(len(f.Alphabet))
			}
			chars += made
		}
		got, want := f.Matches(key.NewRaw(chars)), plainlyMatches(f, chars)
		if got != want {
			t.Fatalf("%+v of %q: got %v, want %v", f, chars, got, want)
		}
		if got {
			matching++
		}
	}
	if matching < 1000 {
		t.Errorf("only %d matched", matching)
	}
}

// Every byte at every place of texts of many lengths.
func TestInBoundsOfEachByte(t *testing.T) {
	for length := range 20 {
		for place := range length {
			for c := range 256 {
				chars := []byte(strings.Repeat("x", length))
				chars[place] = byte(c)
				if got, want := key.NewRaw(string(chars)).InBounds(), c > 0x20 && c < 0x7f; got != want {
					t.Fatalf("%q: got %v, want %v", chars, got, want)
				}
			}
		}
	}
	for pair := range 1 << 16 { // side by side, where one could carry into the other
		first, second := byte(pair>>8), byte(pair)
		visible := first > 0x20 && first < 0x7f && second > 0x20 && second < 0x7f
		if got := key.NewRaw(string([]byte{'x', 'x', first, second, 'x', 'x', 'x', 'x', 'x'})).InBounds(); got != visible {
			t.Fatalf("%#x and %#x: got %v, want %v", first, second, got, visible)
		}
	}
	for _, fill := range []string{"!", "~", " ", "\x7f", "\x80", "\xff", "\x00"} {
		if got, want := key.NewRaw(strings.Repeat(fill, 16)).InBounds(), fill == "!" || fill == "~"; got != want {
			t.Errorf("%q: got %v, want %v", fill, got, want)
		}
	}
}

func TestMatchesDoesNotAllocate(t *testing.T) {
	raw := key.NewRaw(checkedKey)
	if allocs := testing.AllocsPerRun(100, func() { checked.Matches(raw); raw.InBounds(); raw.Digest() }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkMatches(b *testing.B) {
	for _, f := range []key.Format{billoget, staxAI, staxBill, checked} {
		b.Run(fmt.Sprintf("%s%d", f.Prefix, f.Length), func(b *testing.B) {
			raw := key.NewRaw(checkedKey)
			if !f.Checksum {
				raw, _ = f.Generate(&counter{})
			}
			b.ReportAllocs()
			for b.Loop() {
				f.Matches(raw)
			}
		})
	}
}

func BenchmarkInBounds(b *testing.B) {
	raw := key.NewRaw(checkedKey)
	for b.Loop() {
		raw.InBounds()
	}
}
