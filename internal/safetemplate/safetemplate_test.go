package safetemplate

import (
	"strings"
	"testing"
)

type data struct {
	Key    string
	Scopes []string
	Map    map[string]string
}

var example = data{Key: "k<&\"", Scopes: []string{"a", "b"}, Map: map[string]string{"x": "y"}}

func TestRender(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		"{{/* why */}}":                      "",
		"plain":                              "plain",
		"{{ .Key }}":                         `k<&"`,
		"{{ json .Key }} {{ json .Scopes }}": `"k\u003c\u0026\"" ["a","b"]`,
		"{{ base64 .Key }}":                  "azwmIg==",
		"{{ urlquery .Key }}":                "k%3C%26%22",
		"{{ upper (lower .Key) }}{{ trim \" x \" }}":                                `K<&"x`,
		`{{ join "," .Scopes }}`:                                                    "a,b",
		`{{ range .Scopes }}<{{ . }}>{{ end }}`:                                     "<a><b>",
		`{{ range $k, $v := .Map }}{{ $k }}={{ $v }}{{ end }}`:                      "x=y",
		`{{ range $.Scopes }}{{ else }}none{{ end }}`:                               "",
		`{{ if and (eq .Key "x") (not false) }}1{{ else if ne .Key "" }}2{{ end }}`: "2",
		`{{ with index .Map "x" }}{{ . }}{{ end }}{{ len .Scopes }}`:                "y2",
	} {
		template, err := Parse(text, ".Scopes", ".Map")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := template.Render(example); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, says := range map[string]string{
		"{{ .Key":                         "unclosed action",
		"{{ nothing }}":                   `function "nothing" not defined`,
		"{{ printf `%999999d` 1 }}":       `function "printf" is not allowed`,
		"{{ print .Key | html }}":         `function "print" is not allowed`,
		"{{ call .Key }}":                 `function "call" is not allowed`,
		"{{ slice .Key 1 }}":              `function "slice" is not allowed`,
		"{{ if (js .Key) }}{{ end }}":     `function "js" is not allowed`,
		"{{ $x := html .Key }}":           `function "html" is not allowed`,
		"{{ (html .Key).Foo }}":           `function "html" is not allowed`,
		`{{ define "a" }}{{ end }}`:       "define and block are not allowed",
		`{{ block "a" . }}{{ end }}`:      "define and block are not allowed",
		`{{ template "a" }}`:              "template is not allowed",
		"{{ range 1000000000 }}{{ end }}": "a range must be over .Scopes",
		"{{ range len .Key }}{{ end }}":   "a range must be over .Scopes",
		"{{ range .Key }}{{ end }}":       "a range must be over .Scopes",
		"{{ range .Map }}{{ end }}":       "a range must be over .Scopes",
		"{{ range .Scopes }}{{ range $.Scopes }}{{ end }}{{ end }}":    "a range within a range is not allowed",
		"{{ range .Scopes }}{{ else }}{{ range 9 }}{{ end }}{{ end }}": "a range",
		"{{ if true }}{{ range 9 }}{{ end }}{{ end }}":                 "a range must be over",
		"{{ with .Key }}{{ else }}{{ template \"a\" }}{{ end }}":       "template is not allowed",
	} {
		if _, err := Parse(text, ".Scopes"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", text, err, says)
		}
	}
}

func TestLengthIsBounded(t *testing.T) {
	template, err := Parse("{{ .Key }}{{ .Key }}")
	if err != nil {
		t.Fatal(err)
	}
	half := strings.Repeat("x", MaxLength/2)
	if got, err := template.Render(data{Key: half}); err != nil || len(got) != MaxLength {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, MaxLength)
	}
	if got, err := template.Render(data{Key: half + "x"}); err == nil || got != nil || !strings.Contains(err.Error(), "longer than 16384 bytes") {
		t.Errorf("got %d bytes, %v, want an error that names the bound", len(got), err)
	}
}

func TestUnknownFields(t *testing.T) {
	template, err := Parse("{{ .Kye }}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := template.Render(example); err == nil || !strings.Contains(err.Error(), "can't evaluate field Kye") {
		t.Errorf("got %v, want an error that names the field", err)
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{"{{ .Key }}", "{{ range .Scopes }}x{{ end }}", "{{ json . }}", "{{ index .Map .Key }}", "{{ eq 1 2 3 }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			t.Skip()
		}
		template, err := Parse(text, ".Scopes", ".Map")
		if err != nil {
			return
		}
		if out, _ := template.Render(example); len(out) > MaxLength {
			t.Errorf("%d bytes came out", len(out))
		}
	})
}
