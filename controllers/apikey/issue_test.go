package apikey

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

func secretLike(t v1alpha1.SecretTemplate) edit {
	return func(s *v1alpha1.APIKeySpec) { s.Secret = &t }
}

// TestSecretOptions applies each option at creation, and then to a key that was
// issued without it: the Secret is the same, and so is the raw key.
func TestSecretOptions(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		name                string
		spec                edit
		secret              string            // unset: the APIKey's name
		data                map[string]string // KEY, UPPERKEY and NAME stand for what they say
		labels, annotations map[string]string
	}{{
		name: "name",
		spec: secretLike(v1alpha1.SecretTemplate{Name: "elsewhere.example"}), secret: "elsewhere.example",
		data: map[string]string{"api-key": "KEY"},
	}, {
		name: "entry",
		spec: secretLike(v1alpha1.SecretTemplate{Entry: "TOKEN"}),
		data: map[string]string{"TOKEN": "KEY"},
	}, {
		name: "labels",
		spec: secretLike(v1alpha1.SecretTemplate{Labels: map[string]v1alpha1.LabelValue{"team": "a", "example.com/empty": ""}}),
		data: map[string]string{"api-key": "KEY"}, labels: map[string]string{"team": "a", "example.com/empty": ""},
	}, {
		name: "annotations",
		spec: secretLike(v1alpha1.SecretTemplate{Annotations: map[string]v1alpha1.AnnotationValue{"example.com/note": "ä \"b\"\n"}}),
		data: map[string]string{"api-key": "KEY"}, annotations: map[string]string{"example.com/note": "ä \"b\"\n"},
	}, {
		name: "data",
		spec: func(s *v1alpha1.APIKeySpec) {
			s.Secret = &v1alpha1.SecretTemplate{Data: map[string]v1alpha1.Template{
				"AUTHORIZATION": "Bearer {{ .Key }}", "basic": `{{ base64 .Key }}`, "who": "{{ .Namespace }}/{{ .Name }} {{ .Hint }}",
				"loud": "{{ .Key | upper }}", "empty": "",
			}}
		},
		data: map[string]string{
			"api-key": "KEY", "AUTHORIZATION": "Bearer KEY", "basic": "BASE64", "who": "NAMESPACE/NAME HINT", "loud": "UPPERKEY", "empty": "",
		},
	}} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			for _, name := range []string{row.name + "-created", row.name + "-changed"} {
				secret := or(row.secret, name)
				raw := ""
				if strings.HasSuffix(name, "changed") {
					w.create(name)
					w.reconcile(name)
					raw = w.raw(name)
					w.edit(name, row.spec)
				} else {
					w.create(name, row.spec)
				}
				w.reconcile(name)
				w.want(name, "Active | True Issued | Present "+secret+" | Current")
				if now := w.raw(secret); raw != "" && raw != now {
					t.Error("the raw key has changed")
				}
				w.wantSecret(name, secret, row.data, row.labels, row.annotations)
				if row.secret != "" { // free the name
					w.edit(name, revoked)
					w.reconcile(name)
				}
			}
		})
	}
}

func (w *world) wantSecret(name, secret string, data, labels, annotations map[string]string) {
	w.Helper()
	s := w.secret(secret)
	k := w.key(name)
	raw := w.raw(secret)
	expand := strings.NewReplacer("UPPERKEY", strings.ToUpper(raw), "KEY", raw, "BASE64", encode(raw), "NAMESPACE", w.namespace, "NAME", name, "HINT", k.Status.Hint)
	got := map[string]string{}
	for entry, v := range s.Data {
		got[entry] = string(v)
	}
	want := map[string]string{}
	for entry, v := range data {
		want[entry] = expand.Replace(v)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("data (-want +got)\n%s", diff)
	}
	without := func(m map[string]string) map[string]string {
		m = maps.Clone(m)
		maps.DeleteFunc(m, func(name, _ string) bool {
			return strings.Contains(name, "apikey-operator.dev/") || strings.Contains(name, "kubernetes.io/")
		})
		return m
	}
	if diff := cmp.Diff(labels, without(s.Labels), cmpEmpty); diff != "" {
		w.Errorf("labels (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(annotations, without(s.Annotations), cmpEmpty); diff != "" {
		w.Errorf("annotations (-want +got)\n%s", diff)
	}
}

// TestFormats issues a key of every shape that an API may want.
func TestFormats(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		name        string
		format      v1alpha1.KeyFormat
		environment v1alpha1.EnvironmentName
		raw, hint   string // patterns
	}{
		{"defaults", v1alpha1.KeyFormat{}, "", `[0-9A-Za-z]{32}`, `.{4}`},
		{"prefix", v1alpha1.KeyFormat{Prefix: "bk"}, "", `bk_[0-9A-Za-z]{32}`, `bk_.{4}`},
		{"environment", v1alpha1.KeyFormat{Prefix: "bk", Environments: []v1alpha1.EnvironmentName{"live", "test"}}, "test", `bk_test_[0-9A-Za-z]{32}`, `bk_test_.{4}`},
		{"only an environment", v1alpha1.KeyFormat{Environments: []v1alpha1.EnvironmentName{"live"}}, "live", `live_[0-9A-Za-z]{32}`, `live_.{4}`},
		{"separator", v1alpha1.KeyFormat{Prefix: "bk", Separator: new(v1alpha1.Separator("-"))}, "", `bk-[0-9A-Za-z]{32}`, `bk-.{4}`},
		{"no separator", v1alpha1.KeyFormat{Prefix: "MDp", Separator: new(v1alpha1.Separator("")), Encoding: "Base64", Length: 85}, "", `MDp[A-Za-z0-9+/]{85}`, `MDp.{4}`},
		{"hex", v1alpha1.KeyFormat{Prefix: "bs", Encoding: "Hex", Length: 48}, "", `bs_[0-9a-f]{48}`, `bs_.{4}`},
		{"base36", v1alpha1.KeyFormat{Encoding: "Base36", Length: 40}, "", `[0-9a-z]{40}`, `.{4}`},
		{"base62", v1alpha1.KeyFormat{Encoding: "Base62", Length: 22}, "", `[0-9A-Za-z]{22}`, `.{4}`},
		{"base64", v1alpha1.KeyFormat{Encoding: "Base64", Length: 256}, "", `[A-Za-z0-9+/]{256}`, `.{4}`},
		{"checksum", v1alpha1.KeyFormat{Prefix: "bk", Encoding: "Hex", Length: 32, Checksum: "CRC32"}, "", `bk_[0-9a-f]{40}`, `bk_.{4}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			api := w.createAPI(v1alpha1.ProtectedAPISpec{KeyFormat: &row.format})
			w.create(api, opens(api), func(s *v1alpha1.APIKeySpec) { s.Environment = row.environment })
			w.reconcile(api)
			w.want(api, "Active | True Issued | Present "+api+" | Current")
			if raw := w.raw(api); !regexp.MustCompile("^" + row.raw + "$").MatchString(raw) {
				t.Errorf("%q isn't like %s", raw, row.raw)
			}
			if hint := w.key(api).Status.Hint; !regexp.MustCompile("^" + row.hint + "$").MatchString(hint) {
				t.Errorf("hint %q isn't like %s", hint, row.hint)
			}
		})
	}
}

// createAPI makes a ProtectedAPI and returns its name.
func (w *world) createAPI(spec v1alpha1.ProtectedAPISpec) string {
	w.Helper()
	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "api-"}, Spec: spec}
	w.must(w.client.Create(w.Context(), p))
	return p.Name
}

// opens refers to an API, of the same namespace unless another is named.
func opens(api string, namespace ...string) edit {
	return func(s *v1alpha1.APIKeySpec) {
		s.APIRef = &v1alpha1.ProtectedAPIReference{Name: api, Namespace: strings.Join(namespace, "")}
	}
}
