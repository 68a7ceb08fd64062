package apikey

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// source makes a Secret with an entry "token".
func (w *world) source(name, token string, labels map[string]string) {
	w.Helper()
	w.must(w.client.Create(w.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: labels}, Data: map[string][]byte{"token": []byte(token)},
	}))
	if len(token) >= minLength {
		w.raws[token] = true
	}
}

var importable = map[string]string{v1alpha1.LabelImport: "true"}

// TestImportRefused: what can't be imported, and why.
func TestImportRefused(t *testing.T) {
	w := newWorld(t)
	w.source("unlabelled", w.existing("unlabelled"), nil)
	w.source("labelled-no", w.existing("labelled-no"), map[string]string{v1alpha1.LabelImport: "false"})
	w.source("short", "sk_live_0123", importable)
	w.source("newline", w.existing("newline")+"\n", importable)
	w.must(w.client.Create(w.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "empty", Labels: importable}}))
	for _, row := range []struct{ source, reason, says string }{
		{"absent", v1alpha1.ReasonExistingKeyNotFound, `there is no Secret "absent"`},
		{"empty", v1alpha1.ReasonExistingKeyNotFound, `Secret "empty" has no entry "token"`},
		{"unlabelled", v1alpha1.ReasonImportNotAllowed, `apikey-operator.dev/import: "true"`},
		{"labelled-no", v1alpha1.ReasonImportNotAllowed, `apikey-operator.dev/import: "true"`},
		{"short", v1alpha1.ReasonWeakKey, "at least 20 characters, and 8 different ones"},
		{"newline", v1alpha1.ReasonWeakKey, "no newline at the end"},
	} {
		t.Run(row.source, func(t *testing.T) {
			w := w.in(t)
			name := "key-" + row.source
			w.create(name, imports(row.source))
			if again := w.reconcile(name).RequeueAfter; again != conflictRetry {
				t.Errorf("looks again in %v: no watch tells of that Secret", again)
			}
			w.want(name, "Pending | False "+row.reason+" | None | ")
			w.wantReady(name, row.reason, "spec.existingKey.secretKeyRef", row.says)
			if !w.isGone(name) {
				t.Error("there is a Secret")
			}
		})
	}
	w.source("absent", w.existing("absent"), importable)
	w.reconcile("key-absent")
	w.want("key-absent", "Active | True Issued | Present key-absent | Current")
}

// want's hint is empty for keys of another shape: see wantImported.
func (w *world) wantKey(name, raw string) {
	w.Helper()
	if got := w.raw(name); got != raw {
		w.Errorf("%s: the Secret holds another key", name)
	}
}

// TestImportAndRotate: an imported key is rotated into one of ours, and its source
// stays as it was; a hint is shown only of the API's shape.
func TestImportAndRotate(t *testing.T) {
	w := newWorld(t)
	w.source("old", w.existing("old"), importable)
	shaped, err := key.Default.Generate(w.random)
	w.must(err)
	w.source("shaped", shaped.Reveal(), importable)
	before := w.secret("old")

	w.create("key", imports("old"), rotation(v1alpha1.Rotation{Trigger: "1"}))
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantKey("key", w.existing("old"))
	if hint := w.key("key").Status.Hint; hint != "" {
		t.Errorf("hint %q of a key of another shape", hint)
	}
	w.create("other", imports("shaped"))
	w.reconcile("other")
	if hint := w.key("other").Status.Hint; hint != shaped.Reveal()[:7] {
		t.Errorf("hint %q", hint)
	}

	w.edit("key", rotation(v1alpha1.Rotation{Trigger: "2"}))
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 1h")
	if !key.Default.Matches(key.NewRaw(w.raw("key"))) {
		t.Error("the next key isn't of ours")
	}
	w.wantSame(before)
	w.deleteSecret("old")
	w.later(time.Hour)
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
}

// TestImportByHash: no raw key is ever in the cluster, until it rotates.
func TestImportByHash(t *testing.T) {
	w := newWorld(t)
	w.create("key", w.importsHash("key"))
	w.reconcile("key")
	w.want("key", "Active | True Issued | None | Current")
	if got, want := w.key("key").Status.Keys[0].Digest, key.NewRaw(w.existing("key")).Digest().String(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	if !w.isGone("key") {
		t.Error("there is a Secret")
	}
	w.edit("key", rotation(v1alpha1.Rotation{Trigger: "1"}))
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 1h")
}

// TestDuplicates: the older keeps the key, the younger says so; deleting one leaves
// the other.
func TestDuplicates(t *testing.T) {
	w := newWorld(t)
	w.create("a-older", w.importsHash("same"))
	w.create("b-younger", w.importsHash("same"))
	w.reconcile("a-older")
	w.reconcile("b-younger")
	w.want("a-older", "Active | True Issued | None | Current")
	w.want("b-younger", "Pending | False DuplicateKey | None | ")
	w.wantReady("b-younger", v1alpha1.ReasonDuplicateKey, `APIKey "a-older"`)
	w.wantCondition("b-younger", v1alpha1.ConditionStalled, "True DuplicateKey")

	w.must(w.client.Delete(w.Context(), w.key("a-older")))
	w.reconcile("b-younger")
	w.want("b-younger", "Active | True Issued | None | Current")
	w.wantCondition("b-younger", v1alpha1.ConditionStalled, "")

	w.create("c-revoked", w.importsHash("revoked"))
	w.reconcile("c-revoked")
	w.edit("c-revoked", revoked)
	w.reconcile("c-revoked")
	w.create("d-after", w.importsHash("revoked"))
	w.reconcile("d-after")
	w.want("d-after", "Pending | False DuplicateKey | None | ")

	w.create("e-other-api", opens("shop"), w.importsHash("same"))
	w.must(w.client.Create(w.Context(), &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop"}, Spec: v1alpha1.ProtectedAPISpec{
		Credentials: []v1alpha1.Credential{{Type: v1alpha1.CredentialBearer}},
	}}))
	w.reconcile("e-other-api")
	w.want("e-other-api", "Active | True Issued | None | Current")
}

// TestAdoption: a Secret that came with a backup is taken over with its key and its
// time; one that isn't what it says, or is somebody's, is left alone.
func TestAdoption(t *testing.T) {
	w := newWorld(t)
	w.clock.SetTime(w.clock.Now().Add(-48 * time.Hour))
	withOrphan(w, "key")
	w.later(48 * time.Hour)
	issuedAt := w.clock.Now().Add(-48 * time.Hour)
	w.create("key", rotation(v1alpha1.Rotation{Trigger: "1", Interval: "72h"}))
	w.reconcile("key")
	w.wantKey("key", w.existing("key"))
	k := w.key("key")
	if got := w.outcome("key"); got != "Active | True Issued | Present key | Current" || !k.Status.Keys[0].IssuedAt.Time.Equal(issuedAt) {
		t.Errorf("%s, issued at %v", got, k.Status.Keys[0].IssuedAt)
	}
	if next := k.Status.NextRotationAt; next == nil || !next.Time.Equal(issuedAt.Add(72*time.Hour)) {
		t.Errorf("rotates at %v", next)
	}
	s := w.secret("key")
	if owner := metav1.GetControllerOf(s); owner == nil || owner.UID != k.UID || s.Labels[v1alpha1.LabelAPIKeyUID] != string(k.UID) {
		t.Errorf("not made ours: %+v", s.ObjectMeta)
	}

	withOrphan(w, "forged")
	w.changeSecret("forged", func(s *corev1.Secret) { s.Data["api-key"] = []byte("another-key-than-the-digest-says") })
	w.create("forged")
	w.reconcile("forged")
	w.want("forged", "Pending | False SecretConflict | None | ")

	withOrphan(w, "of-another")
	w.create("renamed", secretLike(v1alpha1.SecretTemplate{Name: "of-another"}))
	w.reconcile("renamed")
	w.want("renamed", "Pending | False SecretConflict | None | ")
}

// TestOrphanedOnPurpose: an APIKey that is deleted with --cascade=orphan and created
// again has its key back, which was denied in between.
func TestOrphanedOnPurpose(t *testing.T) {
	w := newWorld(t)
	w.create("key")
	w.reconcile("key")
	before, k := w.raw("key"), w.key("key")
	w.must(w.client.Delete(w.Context(), k, client.PropagationPolicy(metav1.DeletePropagationOrphan)))
	w.eventually("the Secret is let go", func() bool { return !w.exists("key") && len(w.secret("key").OwnerReferences) == 0 })
	w.create("key")
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantKey("key", before)
	if w.key("key").UID == k.UID {
		t.Fatal("it is the same APIKey")
	}
}

// TestShownOnce, over time.
func TestShownOnce(t *testing.T) {
	w := newWorld(t)
	w.create("key", deletedAfter("15m"))
	if again := w.reconcile("key").RequeueAfter; again != 15*time.Minute {
		t.Errorf("looks again in %v", again)
	}
	w.want("key", "Active | True Issued | Present key | Current")
	w.later(15 * time.Minute)
	w.reconcile("key")
	w.want("key", "Active | True Issued | Delivered | Current")
	if !w.isGone("key") {
		t.Error("the Secret is there")
	}
	w.edit("key", secretLike(v1alpha1.SecretTemplate{DeleteAfter: "15m", Entry: "token"}))
	w.reconcile("key")
	w.want("key", "Active | True Issued | Delivered | Current")
	w.wantCondition("key", v1alpha1.ConditionSecretOutdated, "True Delivered")
	w.edit("key", rotation(v1alpha1.Rotation{Trigger: "1"}))
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 1h")
	w.wantCondition("key", v1alpha1.ConditionSecretOutdated, "")
	if s := w.secret("key"); len(s.Data["token"]) == 0 {
		t.Error("the next Secret isn't as spec has it")
	}
}
