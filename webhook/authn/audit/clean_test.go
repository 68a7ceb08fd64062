package audit

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"the seed's example", "API - Registration Page", "API - Registration Page"},
		{"other scripts, symbols, combining marks", "Büro №1 — 東京 🛒 e\u0301", "Büro №1 — 東京 🛒 e\u0301"},
		{"spaces around", "  API \t", "API"},
		{"only spaces", " \t ", ""},
		{"CR and LF", "API\r\n{\"verdict\":\"allowed\"}", `API{"verdict":"allowed"}`},
		{"NUL, DEL, escape", "A\x00P\x7fI\x1b[31m", "API[31m"},
		{"C1 controls and NEL", "A\u0080P\u0085I\u009b", "API"},
		{"line and paragraph separators", "A\u2028P\u2029I", "API"},
		{"other spaces", "A\u00a0P\u3000I", "API"},
		{"direction marks, overrides and isolates", "\u202eA\u200eP\u2066I\u2069\u061c", "API"},
		{"zero width, soft hyphen, byte order mark", "A\u200bP\u00adI\ufeff\u200d", "API"},
		{"tags and private use", "A\U000e0041P\ue000I", "API"},
		{"invalid UTF-8", "A\xffP\xc0\xafI\xed\xa0\x80", "API"},
		{"a character cut off", "API\xe6\x9d", "API"},
		{"a real replacement character", "A\ufffdPI", "A\ufffdPI"},
		{"exactly as long as allowed", strings.Repeat("é", 128), strings.Repeat("é", 128)},
		{"too long", strings.Repeat("é", 129), strings.Repeat("é", 128)},
		{"too long with what is dropped", strings.Repeat("\n", 1000) + strings.Repeat("x", 128), strings.Repeat("x", 128)},
		{"cut before a space", strings.Repeat("x", 127) + " y", strings.Repeat("x", 127)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := clean(tc.text, 128); got != tc.want {
				t.Errorf("clean(%q) is %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}

// checkClean fails if a text isn't what the schema promises.
func checkClean(t *testing.T, text string, limit int) {
	t.Helper()
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > limit || strings.TrimSpace(text) != text ||
		strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%q isn't clean, or longer than %d characters", text, limit)
	}
}

func FuzzSource(f *testing.F) {
	for _, seed := range []string{"", "API - Registration Page", "A\r\nB", "\x00\xff\u202e", " " + strings.Repeat("é ", 200), rawKey, "%62k_live_", "x " + rawKey[:20] + "\n" + rawKey[20:]} {
		f.Add(seed)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, source string) {
		got := w.record(t, map[string][]string{"authorization": {"Bearer " + rawKey}, "x-audit-source": {source}, "x-request-id": {source}})
		checkClean(t, got.Source, maxWord)
		checkClean(t, got.RequestID, maxWord)
		if got.Source == "" || strings.Contains(got.Source+got.RequestID, rawKey) {
			t.Errorf("the source %q gave %+v", source, got)
		}
	})
}
