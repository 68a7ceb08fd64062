package apikey

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// TestBrokenTemplates: what is wrong is named, nothing is issued, and mending it
// is enough.
func TestBrokenTemplates(t *testing.T) {
	w := newWorld(t)
	template := func(text v1alpha1.Template) edit {
		return secretLike(v1alpha1.SecretTemplate{Data: map[string]v1alpha1.Template{"extra": text}})
	}
	w.create("new", template("{{ .Nothing }}"))
	w.reconcile("new")
	w.want("new", "Pending | False InvalidTemplate | None | ")
	w.wantReady("new", "InvalidTemplate", "spec.secret.data[extra]", "Nothing")
	w.wantTold("Warning InvalidTemplate spec.secret.data[extra]")
	w.edit("new", template("mended"))
	w.reconcile("new")
	w.want("new", "Active | True Issued | Present new | Current")
	w.wantTold("Normal Issued")

	before := w.secret("new")
	w.edit("new", template("{{ printf `%s` .Key }}"))
	w.reconcile("new")
	w.want("new", "Active | False InvalidTemplate | Present new | Current")
	w.wantSame(before)
	w.edit("new", func(s *v1alpha1.APIKeySpec) { s.Secret = nil })
	w.reconcile("new")
	w.want("new", "Active | True Issued | Present new | Current")
	if raw := w.raw("new"); raw != string(before.Data["api-key"]) {
		t.Error("a template was mended, and the raw key has changed")
	}
}

// TestTemplateThatFailsOnRealKeys passes the check around the stand-in, whose
// length it knows. What it fails on isn't shown: it may be the key.
func TestTemplateThatFailsOnRealKeys(t *testing.T) {
	w := newWorld(t)
	treacherous := func(name string) edit {
		return secretLike(v1alpha1.SecretTemplate{Name: name, Data: map[string]v1alpha1.Template{
			"extra": `{{ if ne (len .Key) 64 }}{{ index .Attributes.none .Key }}{{ index .Scopes (len .Key) }}{{ end }}`,
		}})
	}
	w.create("fresh", treacherous(""))
	w.reconcile("fresh")
	w.want("fresh", "Pending | False InvalidTemplate | None | ")
	w.wantReady("fresh", "InvalidTemplate", "spec.secret.data[extra]: can't be rendered for this raw key")

	w.create("issued")
	w.reconcile("issued")
	before := w.secret("issued")
	w.edit("issued", treacherous(""))
	w.reconcile("issued")
	w.want("issued", "Active | False InvalidTemplate | Present issued | Current")
	w.wantSame(before)

	w.edit("issued", treacherous("renamed"))
	w.reconcile("issued")
	w.want("issued", "Active | False InvalidTemplate | Present issued | Current")
	w.wantSame(before)
}

// TestUnusableAPI: a reason a person can act on, and acting on it is enough. No
// other key is disturbed.
func TestUnusableAPI(t *testing.T) {
	w := newWorld(t)
	other := w.newNamespace(nil)
	environments := v1alpha1.ProtectedAPISpec{KeyFormat: &v1alpha1.KeyFormat{Environments: []v1alpha1.EnvironmentName{"live"}}}
	selecting := v1alpha1.ProtectedAPISpec{AllowedNamespaces: &v1alpha1.AllowedNamespaces{
		From: "Selector", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"keys": "welcome"}},
	}}
	invalid := v1alpha1.ProtectedAPISpec{AllowedNamespaces: &v1alpha1.AllowedNamespaces{
		From: "Selector", Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "keys", Operator: "Near"}}},
	}}
	w.create("bystander")
	w.reconcile("bystander")
	bystander, bystandersSecret := w.key("bystander"), w.secret("bystander")
	inEnvironment := func(name v1alpha1.EnvironmentName) edit {
		return func(s *v1alpha1.APIKeySpec) { s.Environment = name }
	}
	for _, row := range []struct {
		name   string
		api    *v1alpha1.ProtectedAPISpec // unset: there is none
		where  string                     // its namespace
		spec   []edit
		reason string
		says   []string
		mend   func(w *world, api string) // nil: only another APIKey would help
	}{{
		name: "missing", where: w.namespace, reason: "APINotFound", says: []string{"spec.apiRef", w.namespace + "/missing", "create it"},
		mend: func(w *world, _ string) {
			p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "missing"}}
			p.Spec.KeyFormat = &v1alpha1.KeyFormat{Prefix: "late"}
			w.must(w.client.Create(w.Context(), p))
		},
	}, {
		name: "no-environment", api: &environments, where: w.namespace, reason: "InvalidEnvironment", says: []string{"spec.environment", "live"},
	}, {
		name: "unknown-environment", api: &environments, where: w.namespace, spec: []edit{inEnvironment("prod")},
		reason: "InvalidEnvironment", says: []string{"spec.environment", `"prod"`, "live"},
		mend: func(w *world, api string) {
			w.editAPI(w.namespace, api, func(s *v1alpha1.ProtectedAPISpec) {
				s.KeyFormat.Environments = append(s.KeyFormat.Environments, "prod")
			})
		},
	}, {
		name: "environment-of-an-api-without", api: &v1alpha1.ProtectedAPISpec{EmptyScopes: "Deny"}, where: w.namespace, spec: []edit{inEnvironment("live")},
		reason: "InvalidEnvironment", says: []string{"spec.environment", "must be unset"},
	}, {
		name: "same-namespace-only", api: &v1alpha1.ProtectedAPISpec{EmptyScopes: "Deny"}, where: other,
		reason: "NamespaceNotAllowed", says: []string{"spec.apiRef", other, w.namespace, "allowedNamespaces", "requests are denied"},
		mend: func(w *world, api string) {
			w.editAPI(other, api, func(s *v1alpha1.ProtectedAPISpec) {
				s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: "All"}
			})
		},
	}, {
		name: "not-selected", api: &selecting, where: other, reason: "NamespaceNotAllowed", says: []string{w.namespace, "allowedNamespaces"},
		mend: func(w *world, _ string) { w.label(map[string]string{"keys": "welcome"}) },
	}, {
		name: "invalid-selector", api: &invalid, where: other, reason: "InvalidAPI", says: []string{"spec.apiRef", other, "Ready condition"},
		mend: func(w *world, api string) {
			w.editAPI(other, api, func(s *v1alpha1.ProtectedAPISpec) {
				s.AllowedNamespaces.Selector.MatchExpressions[0].Operator = "Exists"
			})
		},
	}} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			w.told = nil
			api := row.name
			if row.api != nil {
				p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: row.where, Name: api}, Spec: *row.api}
				w.must(w.client.Create(w.Context(), p))
			}
			w.create(row.name, append([]edit{opens(api, row.where)}, row.spec...)...)
			if result := w.reconcile(row.name); !result.IsZero() {
				t.Errorf("result %+v: a watch will tell", result)
			}
			w.want(row.name, "Pending | False "+row.reason+" | None | ")
			w.wantReady(row.name, row.reason, row.says...)
			w.wantTold("Warning " + row.reason)
			w.reconcile(row.name)
			w.wantTold()
			if row.mend == nil {
				return
			}
			row.mend(w, api)
			w.reconcile(row.name)
			w.want(row.name, "Active | True Issued | Present "+row.name+" | Current")
			w.wantTold("Normal Issued")
		})
	}
	if w.key("bystander").ResourceVersion != bystander.ResourceVersion {
		t.Error("another APIKey was disturbed")
	}
	w.wantSame(bystandersSecret)
}

// TestAPIGoesAndComes: an issued key stays as it is.
func TestAPIGoesAndComes(t *testing.T) {
	w := newWorld(t)
	api := w.createAPI(v1alpha1.ProtectedAPISpec{KeyFormat: &v1alpha1.KeyFormat{Prefix: "one"}})
	w.create("key", opens(api))
	w.reconcile("key")
	before := w.secret("key")
	w.editAPI(w.namespace, api, func(s *v1alpha1.ProtectedAPISpec) { s.KeyFormat.Prefix = "two" })
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantSame(before)
	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: api}}
	w.must(w.client.Delete(w.Context(), p))
	w.reconcile("key")
	w.want("key", "Active | False APINotFound | Present key | Current")
	w.wantSame(before)
	p.Spec.EmptyScopes = "Deny"
	w.must(w.client.Create(w.Context(), p))
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantSame(before)
}

func (w *world) editAPI(namespace, name string, edit func(*v1alpha1.ProtectedAPISpec)) {
	w.Helper()
	p := &v1alpha1.ProtectedAPI{}
	w.must(w.client.Get(w.Context(), client.ObjectKey{Namespace: namespace, Name: name}, p))
	edit(&p.Spec)
	w.must(w.client.Update(w.Context(), p))
}

// label labels the namespace.
func (w *world) label(labels map[string]string) {
	w.Helper()
	n := &corev1.Namespace{}
	w.must(w.client.Get(w.Context(), client.ObjectKey{Name: w.namespace}, n))
	maps.Copy(n.Labels, labels)
	w.must(w.client.Update(w.Context(), n))
}

// wantSame demands that a Secret was not written since.
func (w *world) wantSame(before *corev1.Secret) {
	w.Helper()
	if after := w.secret(before.Name); after.UID != before.UID || after.ResourceVersion != before.ResourceVersion {
		w.Errorf("Secret %s was written", before.Name)
	}
}
