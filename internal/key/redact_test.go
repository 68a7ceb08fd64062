package key_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

const (
	secret   = "bk_live_Zq7KwXy2VtRp9LmNsJhGzWkQvYxTuBnM"
	redacted = "[redacted key]"
)

type exported struct {
	Key  key.Raw
	Keys []key.Raw
}

type unexported struct {
	key   key.Raw
	keys  [2]key.Raw
	named map[string]key.Raw
	boxed any
}

type pointing struct {
	key  *key.Raw
	Next *unexported
}

type embedding struct{ key.Raw }

type nested struct {
	inner unexported
	deep  struct{ list []unexported }
}

// holders are the ways in which a raw key gets into what is printed.
func holders() map[string]any {
	raw := key.NewRaw(secret)
	hidden := unexported{key: raw, keys: [2]key.Raw{raw, raw}, named: map[string]key.Raw{"a": raw}, boxed: raw}
	deep := nested{inner: hidden}
	deep.deep.list = []unexported{hidden}
	return map[string]any{
		"value":                    raw,
		"pointer":                  &raw,
		"slice":                    []key.Raw{raw, raw},
		"slice of pointers":        []*key.Raw{&raw},
		"array":                    [1]key.Raw{raw},
		"map":                      map[string]key.Raw{"a": raw},
		"map of any":               map[string]any{"a": raw, "b": []any{raw, &raw}},
		"exported field":           exported{Key: raw, Keys: []key.Raw{raw}},
		"pointer to exported":      &exported{Key: raw},
		"unexported field":         hidden,
		"pointer to unexported":    &hidden,
		"slice of unexported":      []unexported{hidden},
		"map of unexported":        map[string]unexported{"a": hidden},
		"unexported in unexported": deep,
		"pointers in fields":       pointing{key: &raw, Next: &hidden},
		"embedded":                 embedding{raw},
		"anonymous struct":         struct{ key any }{hidden},
	}
}

// notations are the parts of the secret in all ways in which fmt and encoders
// write them.
var notations = func() []string {
	const window = 5
	var all []string
	for i := len("bk_live_"); i+window <= len(secret); i++ {
		part := secret[i : i+window]
		decimal := strings.Trim(fmt.Sprintf("%d", []byte(part)), "[]")
		all = append(all,
			part, hex.EncodeToString([]byte(part)), strings.ToUpper(hex.EncodeToString([]byte(part))),
			fmt.Sprintf("% x", part), fmt.Sprintf("% X", part), decimal, strings.ReplaceAll(decimal, " ", ","),
			strings.ReplaceAll(decimal, " ", ", "), strings.Trim(fmt.Sprintf("%U", []byte(part)), "[]"),
			strings.Trim(fmt.Sprintf("%#v", []byte(part)), "[]byte{}"),
			base64.StdEncoding.EncodeToString([]byte(secret))[i:i+8],
		)
	}
	return all
}()

// leak returns a part of the secret that can be read from a text, or "".
func leak(text string) string {
	for _, notation := range notations {
		if strings.Contains(text, notation) {
			return notation
		}
	}
	return ""
}

func TestLeakFinds(t *testing.T) {
	for _, text := range []string{
		secret, fmt.Sprintf("%x", secret), fmt.Sprintf("% X", secret), fmt.Sprintf("%q", secret), fmt.Sprintf("%#v", []byte(secret)),
		fmt.Sprintf("%d", []byte(secret)), fmt.Sprintf("%U", []byte(secret)), fmt.Sprintf("%v", struct{ s string }{secret}),
		base64.StdEncoding.EncodeToString([]byte(secret)),
	} {
		if leak(text) == "" {
			t.Errorf("nothing found in %s", text)
		}
	}
}

func TestRawRedactsUnderEveryVerb(t *testing.T) {
	for name, holder := range holders() {
		for _, verb := range "vsqxXdoObcUeEfFgGtTpw" {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "# ", "60", ".20", "-60.20"} {
				format := "%" + flags + string(verb)
				if got := fmt.Sprintf(format, holder); leak(got) != "" {
					t.Errorf("%s under %s shows %q: %s", name, format, leak(got), got)
				}
			}
		}
	}
	for _, raw := range []any{key.NewRaw(secret), key.NewRaw("")} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%#x", "%80.3s"} {
			if got := fmt.Sprintf(format, raw); got != redacted {
				t.Errorf("%s: got %q, want %q", format, got, redacted)
			}
		}
	}
}

func TestRawRedactsInEveryEncoding(t *testing.T) {
	encodings := map[string]func(v any) string{
		"fmt.Sprint":  func(v any) string { return fmt.Sprint(v, v) },
		"fmt.Append":  func(v any) string { return string(fmt.Appendln(nil, v)) },
		"error":       func(v any) string { return fmt.Errorf("key %v: %w", v, errors.New("bad")).Error() },
		"json":        func(v any) string { return text(json.Marshal(v)) },
		"json indent": func(v any) string { return text(json.MarshalIndent(v, "", " ")) },
		"yaml":        func(v any) string { return text(yaml.Marshal(v)) },
		"xml":         func(v any) string { return text(xml.Marshal(v)) },
		"gob": func(v any) string {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return text(b.Bytes(), err)
		},
		"log": func(v any) string {
			var b bytes.Buffer
			log.New(&b, "", 0).Print("key ", v)
			return b.String()
		},
		"template": func(v any) string {
			var b bytes.Buffer
			err := template.Must(template.New("").Parse(`{{.}} {{printf "%v %s" . .}} {{print .}} {{html .}}`)).Execute(&b, v)
			return text(b.Bytes(), err)
		},
		"slog text": func(v any) string {
			return logged(v, func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) })
		},
		"slog json": func(v any) string {
			return logged(v, func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) })
		},
	}
	for name, holder := range holders() {
		for encoding, encode := range encodings {
			if got := encode(holder); got == "" || leak(got) != "" {
				t.Errorf("%s in %s shows %q: %s", name, encoding, leak(got), got)
			}
		}
	}
}

func text(b []byte, err error) string {
	return fmt.Sprintf("%s %v", b, err)
}

func logged(v any, handler func(*bytes.Buffer) slog.Handler) string {
	var b bytes.Buffer
	l := slog.New(handler(&b)).With("with", v).WithGroup("group")
	l.Info("message", "any", v, slog.Group("inner", "v", v))
	return b.String()
}

func TestRawRedactedForms(t *testing.T) {
	raw := key.NewRaw(secret)
	tests := map[string]struct{ got, want string }{
		"String":   {raw.String(), redacted},
		"GoString": {raw.GoString(), redacted},
		"LogValue": {raw.LogValue().String(), redacted},
		"json":     {text(json.Marshal(exported{Key: raw})), `{"Key":"[redacted key]","Keys":null} <nil>`},
		"yaml":     {text(yaml.Marshal(exported{Key: raw})), "Key: '[redacted key]'\nKeys: null\n <nil>"},
		"xml":      {text(xml.Marshal(exported{Key: raw})), "<exported><Key>[redacted key]</Key></exported> <nil>"},
		"field":    {fmt.Sprintf("%+v", exported{Key: raw}), "{Key:[redacted key] Keys:[]}"},
	}
	for name, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", name, tt.got, tt.want)
		}
	}
}

// Reading a document never quotes what was in it.
func TestRawIsNotUnmarshalled(t *testing.T) {
	var v exported
	err := json.Unmarshal([]byte(`{"Key":"`+secret+`"}`), &v)
	if err == nil || leak(err.Error()) != "" || !v.Key.IsZero() {
		t.Errorf("got %v, %v, want an error that doesn't quote the key", v, err)
	}
}
