package apikey

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// owned is an APIKey with a Secret as spec says.
func owned(t *v1alpha1.SecretTemplate) *v1alpha1.APIKey {
	k := &v1alpha1.APIKey{}
	k.Name, k.Namespace, k.UID = "shop", "apps", "uid-1"
	k.Spec.Secret = t
	return k
}

var someKey = issued{raw: rawOf("k1"), hint: "ak_k1", at: start}

// desired is the Secret, changed from what there is.
func desired(t *testing.T, k *v1alpha1.APIKey, existing *corev1.Secret) *corev1.Secret {
	t.Helper()
	s, err := desiredSecret(k, someKey, existing)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ownMetadata is what is on every Secret of ours.
func ownMetadata(entry string) (labels, annotations map[string]string) {
	labels = map[string]string{"app.kubernetes.io/managed-by": "apikey-operator", "apikey-operator.dev/apikey-uid": "uid-1"}
	annotations = map[string]string{
		"apikey-operator.dev/apikey": "shop", "apikey-operator.dev/digest": digestOf("k1").String(),
		"apikey-operator.dev/entry": entry, "apikey-operator.dev/issued-at": "2026-03-01T12:00:00Z",
	}
	return labels, annotations
}

func TestDesiredSecret(t *testing.T) {
	labelled := &v1alpha1.SecretTemplate{
		Labels:      map[string]v1alpha1.LabelValue{"team": "a", "tier": "gold"},
		Annotations: map[string]v1alpha1.AnnotationValue{"note": "n"},
	}
	both := `{"labels":["team","tier"],"annotations":["note"]}`
	for _, row := range []struct {
		name                    string
		spec                    *v1alpha1.SecretTemplate
		labels, annotations     map[string]string // of the Secret before
		wantName, wantEntry     string
		wantLabels, wantApplied map[string]string // beside ownMetadata
		data                    map[string]string
	}{
		{name: "nothing said"},
		{name: "an empty template", spec: &v1alpha1.SecretTemplate{}},
		{name: "name", spec: &v1alpha1.SecretTemplate{Name: "other"}, wantName: "other"},
		{name: "entry", spec: &v1alpha1.SecretTemplate{Entry: "TOKEN"}, wantEntry: "TOKEN"},
		{name: "data", spec: &v1alpha1.SecretTemplate{Data: map[string]v1alpha1.Template{"h": "Bearer {{ .Key }}"}}, data: map[string]string{"h": "Bearer " + rawOf("k1").Reveal()}},
		{
			name: "labels and annotations are set", spec: labelled,
			wantLabels: map[string]string{"team": "a", "tier": "gold"}, wantApplied: map[string]string{"note": "n", v1alpha1.AnnotationApplied: both},
		}, {
			name: "they win over what somebody put there", spec: labelled,
			labels: map[string]string{"team": "z"}, annotations: map[string]string{"note": "z"},
			wantLabels: map[string]string{"team": "a", "tier": "gold"}, wantApplied: map[string]string{"note": "n", v1alpha1.AnnotationApplied: both},
		}, {
			name:   "those of others stay",
			labels: map[string]string{"theirs": "x"}, annotations: map[string]string{"theirs": "y"},
			wantLabels: map[string]string{"theirs": "x"}, wantApplied: map[string]string{"theirs": "y"},
		}, {
			name:   "removed from spec: taken off",
			labels: map[string]string{"team": "a", "tier": "gold", "theirs": "x"}, annotations: map[string]string{"note": "n", "theirs": "y", v1alpha1.AnnotationApplied: both},
			wantLabels: map[string]string{"theirs": "x"}, wantApplied: map[string]string{"theirs": "y"},
		}, {
			name: "one removed from spec, one left", spec: &v1alpha1.SecretTemplate{Labels: map[string]v1alpha1.LabelValue{"tier": "gold"}},
			labels: map[string]string{"team": "a", "tier": "gold"}, annotations: map[string]string{"note": "n", v1alpha1.AnnotationApplied: both},
			wantLabels: map[string]string{"tier": "gold"}, wantApplied: map[string]string{v1alpha1.AnnotationApplied: `{"labels":["tier"]}`},
		}, {
			name:   "somebody broke the list of what came from spec: it stays on the Secret",
			labels: map[string]string{"team": "a"}, annotations: map[string]string{v1alpha1.AnnotationApplied: "{"},
			wantLabels: map[string]string{"team": "a"},
		}, {
			name:   "somebody put ours on that list: they stay",
			labels: map[string]string{v1alpha1.LabelAPIKeyUID: "x"}, annotations: map[string]string{
				v1alpha1.AnnotationApplied: `{"labels":["apikey-operator.dev/apikey-uid"],"annotations":["apikey-operator.dev/digest"]}`,
			},
		}, {
			name:   "our own were changed",
			labels: map[string]string{v1alpha1.LabelAPIKeyUID: "x", managedBy: "me"}, annotations: map[string]string{v1alpha1.AnnotationDigest: "x", v1alpha1.AnnotationEntry: "y"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := owned(row.spec)
			existing := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Name: "shop", Namespace: "apps", UID: "s", ResourceVersion: "7", Labels: row.labels, Annotations: row.annotations,
			}, Data: map[string][]byte{"more": []byte("x")}}
			before := existing.DeepCopy()
			got := desired(t, k, existing)
			if diff := cmp.Diff(before, existing); diff != "" {
				t.Errorf("the Secret that was read has changed:\n%s", diff)
			}
			entry := or(row.wantEntry, "api-key")
			labels, annotations := ownMetadata(entry)
			maps.Copy(labels, row.wantLabels)
			maps.Copy(annotations, row.wantApplied)
			want := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{
					Name: or(row.wantName, "shop"), Namespace: "apps", UID: "s", ResourceVersion: "7", Labels: labels, Annotations: annotations,
					OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(k, v1alpha1.GroupVersion.WithKind("APIKey"))},
				},
				Type: corev1.SecretTypeOpaque, Data: map[string][]byte{entry: []byte(rawOf("k1").Reveal())},
			}
			for name, v := range row.data {
				want.Data[name] = []byte(v)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !sameSecret(got, desired(t, k, got)) {
				t.Error("made again from itself, it is another")
			}
			if fresh := desired(t, k, nil); !sameSecret(fresh, desired(t, k, fresh)) || fresh.ResourceVersion != "" || fresh.UID != "" {
				t.Errorf("a new one is %+v", fresh.ObjectMeta)
			}
			if !sameSecret(existing, before) || sameSecret(existing, got) {
				t.Error("sameSecret can't tell before from after")
			}
		})
	}
}

// TestOwner: the APIKey controls the Secret, and others may own it too.
func TestOwner(t *testing.T) {
	k := owned(nil)
	theirs := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "uid-x"}
	stale := *metav1.NewControllerRef(k, v1alpha1.GroupVersion.WithKind("APIKey"))
	stale.Name, stale.Controller = "former-name", new(false)
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{theirs, stale}}}
	want := []metav1.OwnerReference{*metav1.NewControllerRef(k, v1alpha1.GroupVersion.WithKind("APIKey")), theirs}
	if diff := cmp.Diff(want, desired(t, k, s).OwnerReferences); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// orphan is a Secret that was made in another cluster, or orphaned.
func orphan(changes ...func(*corev1.Secret)) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.OwnerReferences, s.Labels[v1alpha1.LabelAPIKeyUID] = nil, "uid-of-former"
		for _, change := range changes {
			change(s)
		}
	}
}

// TestHeld: whose Secret it is, and which key is in it.
func TestHeld(t *testing.T) {
	k := owned(nil)
	k.Status.Keys = versions(t, "k1 Current")
	good := desired(t, k, nil)
	ref := func(kind, name string, uid types.UID) func(*corev1.Secret) {
		return func(s *corev1.Secret) {
			o := metav1.NewControllerRef(&metav1.ObjectMeta{Name: name, UID: uid}, v1alpha1.GroupVersion.WithKind(kind))
			s.OwnerReferences = []metav1.OwnerReference{*o}
		}
	}
	ours := Held{Ownership: Ours, Digest: digestOf("k1"), Adoptable: true, IssuedAt: start}
	unconfirmed := Held{Ownership: Ours, Digest: digestOf("k1"), IssuedAt: start}
	for _, row := range []struct {
		name   string
		change func(*corev1.Secret)
		want   Held
	}{
		{"ours", func(*corev1.Secret) {}, ours},
		{"our ownership was taken off", func(s *corev1.Secret) { s.OwnerReferences = nil }, Held{Ownership: Foreign}},
		{"no owner, no uid of ours", orphan(), Held{Ownership: Orphan, Digest: digestOf("k1"), Adoptable: true, IssuedAt: start}},
		{"no owner, another name", orphan(func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationAPIKey] = "other" }), Held{Ownership: Foreign}},
		{"no owner, not managed by us", orphan(func(s *corev1.Secret) { delete(s.Labels, managedBy) }), Held{Ownership: Foreign}},
		{"no owner, no label with a uid", orphan(func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelAPIKeyUID) }), Held{Ownership: Foreign}},
		{"no owner, another key's digest", orphan(func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationDigest] = digestOf("k2").String() }), Held{Ownership: Foreign}},
		{"no owner, no key", orphan(func(s *corev1.Secret) { s.Data = nil }), Held{Ownership: Foreign}},
		{"no owner, no time", orphan(func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationIssuedAt) }), Held{Ownership: Foreign}},
		{"not controlled", func(s *corev1.Secret) { s.OwnerReferences[0].Controller = nil }, Held{Ownership: Foreign}},
		{"of another kind", ref("ProtectedAPI", "shop", "uid-2"), Held{Ownership: Foreign}},
		{"of another APIKey", ref("APIKey", "other", "uid-2"), Held{Ownership: Foreign}},
		{"of a former APIKey of this name", ref("APIKey", "shop", "uid-2"), Held{Ownership: Former}},
		{"going", func(s *corev1.Secret) { s.DeletionTimestamp = new(metav1.Now()) }, Held{Ownership: Ours, Digest: digestOf("k1"), Adoptable: true, IssuedAt: start, Terminating: true}},
		{"empty", func(s *corev1.Secret) { s.Data = nil }, Held{Ownership: Ours}},
		{"too long a key", func(s *corev1.Secret) { s.Data["api-key"] = []byte(strings.Repeat("x", 513)) }, Held{Ownership: Ours}},
		{"not ASCII", func(s *corev1.Secret) { s.Data["api-key"] = []byte("schlüssel") }, Held{Ownership: Ours}},
		{"another key", func(s *corev1.Secret) { s.Data["api-key"] = []byte(rawOf("k2").Reveal()) }, Held{Ownership: Ours, Digest: digestOf("k2"), IssuedAt: start}},
		{"another key's digest", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationDigest] = digestOf("k2").String() }, unconfirmed},
		{"another APIKey's name", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationAPIKey] = "other" }, unconfirmed},
		{"no time", func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationIssuedAt) }, Held{Ownership: Ours, Digest: digestOf("k1")}},
		{"in another entry, as the annotation says", func(s *corev1.Secret) {
			s.Data, s.Annotations[v1alpha1.AnnotationEntry] = map[string][]byte{"x": s.Data["api-key"]}, "x"
		}, ours},
		{"the annotation names no entry", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationEntry] = "x" }, ours},
		{"the annotation names another entry", func(s *corev1.Secret) {
			s.Annotations[v1alpha1.AnnotationEntry], s.Data["x"] = "x", []byte("something")
		}, ours},
		{"something else where spec wants it", func(s *corev1.Secret) {
			s.Annotations[v1alpha1.AnnotationEntry], s.Data["token"], s.Data["api-key"] = "token", s.Data["api-key"], []byte("something")
		}, ours},
		{"no annotations", func(s *corev1.Secret) { s.Annotations = nil }, Held{Ownership: Ours, Digest: digestOf("k1")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := good.DeepCopy()
			row.change(s)
			got, i := held(k, s)
			if diff := cmp.Diff(row.want, got, cmpEmpty); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if (got.Digest == nil) != i.raw.IsZero() || got.Digest != nil && i.raw.Digest() != *got.Digest {
				t.Error("the raw key isn't the digest's")
			}
		})
	}
	if got, _ := held(k, nil); got != (Held{}) {
		t.Errorf("no Secret: %+v", got)
	}
}
