package apikey

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/safetemplate"
)

// templated is an APIKey with something in every field that a template sees.
func templated() *v1alpha1.APIKey {
	k := &v1alpha1.APIKey{}
	k.Name, k.Namespace = "shop", "apps"
	k.Spec = v1alpha1.APIKeySpec{
		DisplayName: `My "Shop" & Söhne`, Project: "proj_1", Environment: "live",
		APIRef: &v1alpha1.ProtectedAPIReference{Name: "billoget", Namespace: "apis"},
		Scopes: []v1alpha1.Scope{"READ", "WRITE:*"}, Attributes: map[string]v1alpha1.AttributeValue{"team": "t1", "a.b": "c"},
		Owner:     &v1alpha1.Owner{Name: "Ops", Email: "ops@shop.example"},
		ExpiresAt: new(metav1.NewTime(time.Date(2026, 12, 31, 23, 59, 59, 0, time.FixedZone("", 3600)))),
	}
	return k
}

const templateKey = "bk_live_0123456789abcdef0123456789abcdef"

func TestTemplates(t *testing.T) {
	data := newTemplateData(templated(), key.NewRaw(templateKey), "bk_live_0123")
	for _, row := range []struct{ name, text, want, err string }{
		{name: "nothing", text: "", want: ""},
		{name: "text", text: "plain", want: "plain"},
		{name: "only a comment", text: "{{/* nothing */}}", want: ""},
		{name: "header", text: "Bearer {{ .Key }}", want: "Bearer " + templateKey},
		{name: "fields", text: "{{ .Name }} {{ .Namespace }} {{ .API }} {{ .Project }} {{ .Environment }} {{ .Hint }}", want: "shop apps apis/billoget proj_1 live bk_live_0123"},
		{name: "more fields", text: "{{ .DisplayName }} {{ .Owner.Name }} {{ .Owner.Email }} {{ .ExpiresAt }}", want: `My "Shop" & Söhne Ops ops@shop.example 2026-12-31T22:59:59Z`},
		{name: "base64", text: "{{ base64 .Key }} {{ .Key | base64 }}", want: encode(templateKey) + " " + encode(templateKey)},
		{name: "json", text: `{"k":{{ json .Key }},"s":{{ .Scopes | json }},"a":{{ json .Attributes }},"d":{{ json .DisplayName }}}`, want: `{"k":"` + templateKey + `","s":["READ","WRITE:*"],"a":{"a.b":"c","team":"t1"},"d":"My \"Shop\" \u0026 Söhne"}`},
		{name: "upper, lower, trim", text: `{{ upper "a" }}{{ lower "B" }}{{ trim " c " }}`, want: "Abc"},
		{name: "join", text: `{{ join "," .Scopes }}`, want: "READ,WRITE:*"},
		{name: "urlquery", text: "{{ urlquery .DisplayName }}", want: "My+%22Shop%22+%26+S%C3%B6hne"},
		{name: "index", text: `{{ index .Scopes 1 }} {{ index .Attributes "a.b" }} {{ index .Attributes "none" }}.`, want: "WRITE:* c ."},
		{name: "len", text: "{{ len .Key }} {{ len .Scopes }}", want: "40 2"},
		{name: "conditions", text: `{{ if and (eq .Project "proj_1") (ne .Name "x") (not (or false "")) }}yes{{ else }}no{{ end }}`, want: "yes"},
		{name: "with", text: "{{ with .Owner }}{{ .Email }}{{ else }}none{{ end }}", want: "ops@shop.example"},
		{name: "range over scopes", text: "{{ range .Scopes }}<{{ . }}>{{ end }}", want: "<READ><WRITE:*>"},
		{name: "range with index, break, continue", text: "{{ range $i, $s := .Scopes }}{{ if $i }}{{ break }}{{ end }}{{ $s }}{{ continue }}x{{ end }}", want: "READ"},
		{name: "range over attributes", text: "{{ range $n, $v := .Attributes }}{{ $n }}={{ $v }};{{ end }}", want: "a.b=c;team=t1;"},
		{name: "range from within", text: "{{ with .Owner }}{{ range $.Scopes }}{{ . }}{{ end }}{{ end }}", want: "READWRITE:*"},
		{name: "two ranges, one after the other", text: "{{ range .Scopes }}1{{ end }}{{ range .Scopes }}2{{ end }}", want: "1122"},
		{name: "variables and trimming", text: "{{ $a := .Name }}  {{- $a }}", want: "shop"},
		{name: "exactly as long as allowed", text: strings.Repeat("x", safetemplate.MaxLength), want: strings.Repeat("x", safetemplate.MaxLength)},

		{name: "too long", text: strings.Repeat("x", safetemplate.MaxLength) + "{{ .Name }}", err: "the result is longer than 16384 bytes"},
		{name: "grown in a variable", text: `{{ $a := .Key }}` + strings.Repeat(`{{ $a = urlquery (base64 $a) }}`, 30), err: "the result is longer than 16384 bytes"},
		{name: "unknown function", text: "{{ env `HOME` }}", err: `function "env" not defined`},
		{name: "unclosed", text: "{{ .Key", err: "unclosed action"},
		{name: "unclosed range", text: "{{ range .Scopes }}", err: "unexpected EOF"},
		{name: "no such field", text: "{{ .Keys }}", err: "can't evaluate field Keys"},
		{name: "no such attribute", text: "{{ .Attributes.none }}", err: `map has no entry for key "none"`},
		{name: "no such scope", text: "{{ index .Scopes 2 }}", err: "index out of range"},
		{name: "method of a field", text: "{{ .Key.Reveal }}", err: "can't evaluate field Reveal"},
		{name: "printf", text: "{{ printf `%d` 1 }}", err: `function "printf" is not allowed`},
		{name: "print", text: "{{ print 1 }}", err: `function "print" is not allowed`},
		{name: "println", text: "{{ .Key | println }}", err: `function "println" is not allowed`},
		{name: "html", text: "{{ html .Key }}", err: `function "html" is not allowed`},
		{name: "js", text: "{{ js .Key }}", err: `function "js" is not allowed`},
		{name: "slice", text: "{{ slice .Key 1 2 }}", err: `function "slice" is not allowed`},
		{name: "call", text: "{{ call .Key }}", err: `function "call" is not allowed`},
		{name: "lt", text: "{{ if lt 1 2 }}{{ end }}", err: `function "lt" is not allowed`},
		{name: "gt, in parentheses", text: "{{ if (and true (gt 1 2)) }}{{ end }}", err: `function "gt" is not allowed`},
		{name: "in a variable", text: "{{ $x := printf `a` }}", err: `function "printf" is not allowed`},
		{name: "in else", text: "{{ if .Key }}{{ else }}{{ print 1 }}{{ end }}", err: `function "print" is not allowed`},
		{name: "in else if", text: "{{ if .Key }}{{ else if print 1 }}{{ end }}", err: `function "print" is not allowed`},
		{name: "in with", text: "{{ with print 1 }}{{ end }}", err: `function "print" is not allowed`},
		{name: "in range's else", text: "{{ range .Scopes }}{{ else }}{{ print 1 }}{{ end }}", err: `function "print" is not allowed`},
		{name: "in a chain", text: "{{ (print .).Key }}", err: `function "print" is not allowed`},
		{name: "template", text: "{{ template `x` }}", err: "template is not allowed"},
		{name: "template of itself", text: "{{ template `template` }}", err: "template is not allowed"},
		{name: "define", text: "{{ define `x` }}{{ end }}a", err: "define and block are not allowed"},
		{name: "define as the whole is the template", text: "{{ define `template` }}a{{ end }}", want: "a"},
		{name: "define that calls itself", text: "{{ define `template` }}{{ template `template` }}{{ end }}", err: "template is not allowed"},
		{name: "block", text: "{{ block `x` . }}{{ end }}", err: "define and block are not allowed"},
		{name: "range in range", text: "{{ range .Scopes }}{{ range $.Scopes }}{{ end }}{{ end }}", err: "a range within a range is not allowed"},
		{name: "range in range, deeper", text: "{{ range .Scopes }}{{ if . }}{{ with $ }}{{ range .Scopes }}{{ end }}{{ end }}{{ end }}{{ end }}", err: "a range within a range is not allowed"},
		{name: "range in range's else", text: "{{ range .Scopes }}{{ else }}{{ range $.Scopes }}{{ end }}{{ end }}", err: "a range within a range is not allowed"},
		{name: "range over a number", text: "{{ range 9223372036854775807 }}{{ end }}", err: "a range must be over .Scopes or .Attributes"},
		{name: "range over a length", text: "{{ range len .Key }}{{ end }}", err: "a range must be over .Scopes or .Attributes"},
		{name: "range over a variable", text: "{{ $n := 9223372036854775807 }}{{ range $n }}{{ end }}", err: "a range must be over .Scopes or .Attributes"},
		{name: "range over a pipe", text: "{{ range .Scopes | len }}{{ end }}", err: "a range must be over .Scopes or .Attributes"},
		{name: "range over an assigned number", text: "{{ $i := 0 }}{{ range $i = 9999999999 }}{{ end }}", err: "a range must be over .Scopes or .Attributes"},
		{name: "range over what is called Scopes", text: "{{ with 9223372036854775807 }}{{ range .Scopes }}{{ end }}{{ end }}", err: "can't evaluate field Scopes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := render(row.text, data)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Fatalf("got %q and error %v, want %q", got, err, row.err)
				}
				return
			}
			if err != nil || string(got) != row.want {
				t.Errorf("got %q and error %v, want %q", got, err, row.want)
			}
		})
	}
}

// TestCheckTemplates: the message names the entry and the rule, and no template is
// checked around the real key.
func TestCheckTemplates(t *testing.T) {
	for _, row := range []struct {
		name string
		data map[string]v1alpha1.Template
		want string
	}{
		{"none", nil, ""},
		{"good", map[string]v1alpha1.Template{"a": "{{ .Key }}", "b": ""}, ""},
		{"the second is bad", map[string]v1alpha1.Template{"a": "{{ .Key }}", "b": "{{ js .Key }}"}, `spec.secret.data[b]: function "js" is not allowed`},
		{"the first of two is named", map[string]v1alpha1.Template{"y": "{{ js .Key }}", "x": "{{ .Nothing }}"}, "spec.secret.data[x]: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := templated()
			k.Spec.Secret = &v1alpha1.SecretTemplate{Data: row.data}
			err := CheckTemplates(k, key.Default)
			if row.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var problem *Problem
			if !errors.As(err, &problem) || problem.Reason != v1alpha1.ReasonInvalidTemplate || !strings.HasPrefix(problem.Message, row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// TestErrorsHoldNoKey: a template may fail only where the key isn't the stand-in,
// and its error may then quote the key. People don't see that error.
func TestErrorsHoldNoKey(t *testing.T) {
	raw := key.NewRaw(templateKey)
	for _, text := range []v1alpha1.Template{
		`{{ if eq .Key "` + templateKey + `" }}{{ index .Scopes 5 }}{{ end }}`,
		`{{ if ne (len .Key) 64 }}{{ index .Attributes .Key 1 }}{{ end }}`,
		`{{ if ne (len .Key) 64 }}{{ index .Scopes .Key }}{{ end }}`,
		`{{ if ne (len .Key) 64 }}{{ join .Key .Key }}{{ end }}`,
		`{{ if ne (len .Key) 64 }}{{ .Key.Nothing }}{{ end }}`,
	} {
		k := templated()
		k.Spec.Secret = &v1alpha1.SecretTemplate{Data: map[string]v1alpha1.Template{"extra": text}}
		if err := CheckTemplates(k, key.Default); err != nil {
			t.Errorf("%s: refused around the stand-in: %v", text, err)
		}
		_, err := desiredSecret(k, issued{raw: raw, hint: "bk_live_0123", at: start}, nil)
		if want := "InvalidTemplate: spec.secret.data[extra]: can't be rendered for this raw key"; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
		if told := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(told, templateKey) {
			t.Errorf("%s: the error holds the key: %s", text, told)
		}
	}
}

// bombs take long, or much memory, if nothing stops them.
var bombs = []string{
	`{{ $a := .Key }}` + strings.Repeat(`{{ $a = join $a .Scopes }}`, 70),
	`{{ $a := .Key }}{{ range .Scopes }}` + strings.Repeat(`{{ $a = base64 $a }}`, 90) + `{{ end }}`,
	`{{ $a := .Key }}{{ range .Scopes }}{{ $a = join $a $.Scopes }}{{ end }}{{ len $a }}`,
	`{{ $a := "\"" }}{{ range .Scopes }}` + strings.Repeat(`{{ $a = json $a }}`, 90) + `{{ end }}`,
	`{{ range .Scopes }}` + strings.Repeat(`{{ $a := json $.Scopes }}`, 70) + `{{ end }}`,
	`{{ range .Scopes }}` + strings.Repeat(`{{ len (urlquery (base64 (join $.Key $.Scopes))) }}`, 38) + `{{ end }}`,
	strings.Repeat("(", 900) + strings.Repeat(")", 900), `{{ ` + strings.Repeat("(", 900) + `1` + strings.Repeat(")", 900) + ` }}`,
	strings.Repeat(`{{ if 1 }}`, 120) + strings.Repeat(`{{ end }}`, 80),
}

// bigData is as large as the schema lets it be.
func bigData() templateData {
	k := templated()
	k.Spec.Scopes, k.Spec.Attributes = nil, map[string]v1alpha1.AttributeValue{}
	for i := range 64 {
		k.Spec.Scopes = append(k.Spec.Scopes, v1alpha1.Scope(fmt.Sprintf("%0128d", i)))
	}
	for i := range 16 {
		k.Spec.Attributes[fmt.Sprintf("a%d", i)] = v1alpha1.AttributeValue(strings.Repeat(`"`, 256))
	}
	return newTemplateData(k, key.NewRaw(strings.Repeat("k", key.MaxLength)), "hint")
}

// renderInTime fails the test if a template panics, hangs, or writes too much.
func renderInTime(t *testing.T, text string, data templateData) {
	t.Helper()
	done := make(chan int, 1)
	go func() {
		out, _ := render(text, data)
		done <- len(out)
	}()
	select {
	case n := <-done:
		if n > safetemplate.MaxLength {
			t.Errorf("%d bytes", n)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("takes longer than 5s")
	}
}

func TestBombs(t *testing.T) {
	data := bigData()
	for _, text := range bombs {
		if len(text) > 2048 {
			t.Fatalf("%d bytes can't be in a manifest: %s", len(text), text)
		}
		renderInTime(t, text, data)
	}
	for text, want := range map[string]error{bombs[0]: safetemplate.ErrTooLong, bombs[4]: safetemplate.ErrTooMuch} {
		if _, err := render(text, data); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", text, err, want)
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, text := range append(bombs, "Bearer {{ .Key }}", "{{ range $i, $s := .Scopes }}{{ json $s }}{{ end }}",
		`{{ with .Owner }}{{ upper .Name | trim | lower }}{{ end }}`, `{{ if and (eq .Key "x") (not .Scopes) }}{{ index .Attributes "a" }}{{ else }}{{ break }}{{ end }}`,
		"{{ define `x` }}{{ end }}{{ template `x` }}", "{{- /* c */ -}}", "{{ range 1 }}{{ end }}", "{{ printf `%*d` 99999999 1 }}") {
		f.Add(text)
	}
	data := bigData()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) <= 2048 {
			renderInTime(t, text, data)
		}
	})
}
