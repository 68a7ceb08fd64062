package key

import (
	"strings"
	"testing"
)

func TestOccurs(t *testing.T) {
	bk := Format{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: Hex, Length: 32}
	bare := Format{Alphabet: Base36, Length: 40}
	stax := Format{Prefix: "MDp", Alphabet: Base64, Length: 24}
	digits, word := strings.Repeat("0a1b", 8), strings.Repeat("s0m3k3yz", 5)
	for _, tc := range []struct {
		name   string
		format Format
		text   string
		want   bool
	}{
		{"alone", bk, "bk_live_" + digits, true},
		{"within a path", bk, "/v1/bk_live_" + digits + ".json", true},
		{"within a word", bk, "xbk_live_" + digits + "0", true},
		{"after a beginning of one", bk, "bk_live_bk_live_" + digits, true},
		{"one character short", bk, "bk_live_" + digits[1:], false},
		{"of another environment", bk, "bk_test_" + digits, false},
		{"with a character outside of the alphabet", bk, "bk_live_" + digits[1:] + "g", false},
		{"nothing", bk, "", false},
		{"over several segments", stax, "/a/MDp" + "abc/def+ghi/jkl+mno/pqr+" + "/b", true},
		{"without a prefix, alone", bare, word, true},
		{"without a prefix, a segment", bare, "/keys/" + word + "/use", true},
		{"without a prefix, part of a longer word on the left", bare, "x" + word, false},
		{"without a prefix, part of a longer word on the right", bare, word + "x", false},
		{"the zero format is no key's", Format{}, "abc", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.format.Occurs(tc.text); got != tc.want {
				t.Errorf("%+v occurs in %q: got %t, want %t", tc.format, tc.text, got, tc.want)
			}
		})
	}
}
