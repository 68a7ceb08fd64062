package apikey

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// later moves the clock.
func (w *world) later(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

func (w *world) deleteSecret(name string) {
	w.Helper()
	w.must(w.client.Delete(w.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}))
}

func (w *world) changeSecret(name string, change func(*corev1.Secret)) {
	w.Helper()
	w.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		s := w.secret(name)
		change(s)
		return w.client.Update(w.Context(), s)
	}))
}

func (w *world) wantNoSecret(name string) {
	w.Helper()
	if !w.isGone(name) {
		w.Errorf("Secret %s is there", name)
	}
}

// TestLostSecret: a new key, and the old one accepted for the overlap.
func TestLostSecret(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		name string
		lose func(w *world, secret string)
	}{
		{"deleted", func(w *world, secret string) { w.deleteSecret(secret) }},
		{"changed", func(w *world, secret string) {
			w.changeSecret(secret, func(s *corev1.Secret) { s.Data["api-key"] = []byte("something-else") })
		}},
		{"emptied", func(w *world, secret string) { w.changeSecret(secret, func(s *corev1.Secret) { s.Data = nil }) }},
		{"no-key", func(w *world, secret string) {
			w.changeSecret(secret, func(s *corev1.Secret) { s.Data["api-key"] = []byte("with a space") })
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			w.told = nil
			w.create(row.name)
			w.reconcile(row.name)
			before := w.raw(row.name)
			row.lose(w, row.name)
			if result := w.reconcile(row.name); result.RequeueAfter != DefaultOverlap {
				t.Errorf("looks again in %v, want %v", result.RequeueAfter, DefaultOverlap)
			}
			w.want(row.name, "Active | True Issued | Present "+row.name+" | Current, Retiring 1h")
			w.wantTold("Normal Issued", "Warning KeyLost", "Normal Rotated the key is ak_", "Normal Issued")
			if w.raw(row.name) == before {
				t.Error("the lost key is back")
			}
			w.later(DefaultOverlap - time.Second)
			w.reconcile(row.name)
			w.want(row.name, "Active | True Issued | Present "+row.name+" | Current, Retiring 1s")
			w.later(time.Second)
			w.reconcile(row.name)
			w.want(row.name, "Active | True Issued | Present "+row.name+" | Current")
		})
	}
}

// TestPutBack: a Secret that was put back to a retiring key is a lost key too.
func TestPutBack(t *testing.T) {
	w := newWorld(t)
	w.create("key")
	w.reconcile("key")
	first := w.raw("key")
	w.deleteSecret("key")
	w.reconcile("key")
	w.later(10 * time.Minute)
	w.changeSecret("key", func(s *corev1.Secret) { s.Data["api-key"] = []byte(first) })
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 1h, Retiring 50m")
	w.deleteSecret("key")
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 1h, Retiring 1h, Retiring 50m")
	w.deleteSecret("key")
	if result := w.reconcile("key"); result.RequeueAfter != 50*time.Minute {
		t.Errorf("looks again in %v, want 50m", result.RequeueAfter)
	}
	w.want("key", "Active | False TooManyVersions | Present key | Current, Retiring 1h, Retiring 1h, Retiring 50m")
	w.later(50 * time.Minute)
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current, Retiring 1h, Retiring 10m, Retiring 10m")
}

// TestRepair: what somebody changed around the raw key is put right, and the key
// stays. What they added that is theirs stays as well.
func TestRepair(t *testing.T) {
	w := newWorld(t)
	w.create("key", secretLike(v1alpha1.SecretTemplate{
		Labels: map[string]v1alpha1.LabelValue{"team": "a"}, Annotations: map[string]v1alpha1.AnnotationValue{"note": "b"},
		Data: map[string]v1alpha1.Template{"extra": "{{ .Name }}"},
	}))
	w.reconcile("key")
	good := w.secret("key")
	for _, row := range []struct {
		name  string
		spoil func(*corev1.Secret)
	}{
		{"our label is removed", func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelAPIKeyUID) }},
		{"our label is changed", func(s *corev1.Secret) { s.Labels[v1alpha1.LabelAPIKeyUID] = "other" }},
		{"all labels are removed", func(s *corev1.Secret) { s.Labels = nil }},
		{"a declared label is changed", func(s *corev1.Secret) { s.Labels["team"] = "z" }},
		{"all annotations are removed", func(s *corev1.Secret) { s.Annotations = nil }},
		{"our annotations are changed", func(s *corev1.Secret) {
			for name := range s.Annotations {
				s.Annotations[name] = "other"
			}
		}},
		{"an entry is added", func(s *corev1.Secret) { s.Data["more"] = []byte("x") }},
		{"an entry is changed", func(s *corev1.Secret) { s.Data["extra"] = []byte("x") }},
		{"an entry is removed", func(s *corev1.Secret) { delete(s.Data, "extra") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			w.changeSecret("key", row.spoil)
			w.reconcile("key")
			w.want("key", "Active | True Issued | Present key | Current")
			if now := w.secret("key"); !sameSecret(now, good) {
				t.Errorf("not put right: %+v", now.ObjectMeta)
			}
		})
	}
	w.changeSecret("key", func(s *corev1.Secret) { s.Labels["theirs"], s.Annotations["theirs"] = "x", "y" })
	w.reconcile("key")
	w.edit("key", func(s *v1alpha1.APIKeySpec) { s.Secret = nil })
	w.reconcile("key")
	w.wantSecret("key", "key", map[string]string{"api-key": "KEY"}, map[string]string{"theirs": "x"}, map[string]string{"theirs": "y"})
}

// TestSecretRename: a new name or entry keeps the raw key.
func TestSecretRename(t *testing.T) {
	w := newWorld(t)
	w.create("key")
	w.reconcile("key")
	raw := w.raw("key")
	for _, row := range []struct {
		name string
		to   v1alpha1.SecretTemplate
		old  string
	}{
		{"name", v1alpha1.SecretTemplate{Name: "second"}, "key"},
		{"name and entry", v1alpha1.SecretTemplate{Name: "third", Entry: "token"}, "second"},
		{"entry", v1alpha1.SecretTemplate{Name: "third", Entry: "api-key", Data: map[string]v1alpha1.Template{"token": "{{ .Key }}!"}}, ""},
		{"entry, where a template was", v1alpha1.SecretTemplate{Name: "third", Entry: "token", Data: map[string]v1alpha1.Template{"api-key": "-"}}, ""},
		{"back to the first name", v1alpha1.SecretTemplate{Name: "key"}, "third"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			w.edit("key", secretLike(row.to))
			w.reconcile("key")
			w.want("key", "Active | True Issued | Present "+row.to.Name+" | Current")
			if w.raw(row.to.Name) != raw {
				t.Error("the raw key has changed")
			}
			if row.old != "" {
				w.wantNoSecret(row.old)
			}
			if n := len(w.ours(w.key("key"))); n != 1 {
				t.Errorf("%d Secrets, want 1", n)
			}
		})
	}
}

// TestLifecycle: suspend, resume, expire, extend, revoke: never a new key.
func TestLifecycle(t *testing.T) {
	w := newWorld(t)
	w.create("key")
	w.reconcile("key")
	good := w.secret("key")
	w.told = nil
	w.edit("key", suspended)
	w.reconcile("key")
	w.want("key", "Suspended | True Suspended | Present key | Current")
	w.edit("key", func(s *v1alpha1.APIKeySpec) { s.State = v1alpha1.DesiredActive })
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	end := w.clock.Now().Add(time.Hour)
	w.edit("key", func(s *v1alpha1.APIKeySpec) { s.ExpiresAt = new(metav1.NewTime(end)) })
	if result := w.reconcile("key"); result.RequeueAfter != time.Hour {
		t.Errorf("looks again in %v, want 1h", result.RequeueAfter)
	}
	w.clock.SetTime(end)
	w.reconcile("key")
	w.want("key", "Expired | False Expired | Present key | Current")
	w.edit("key", func(s *v1alpha1.APIKeySpec) { s.ExpiresAt = nil })
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	w.wantSame(good)
	w.wantTold("Normal Suspended", "Normal Issued", "Warning Expired", "Normal Issued")

	digest := w.key("key").Status.Keys[0].Digest
	w.edit("key", revoked)
	w.reconcile("key")
	w.want("key", "Revoked | True Revoked | None | Current")
	w.wantNoSecret("key")
	w.wantTold(`Normal SecretDeleted deleted Secret "key"`, "Normal Revoked")
	if now := w.key("key").Status.Keys[0].Digest; now != digest {
		t.Errorf("the digest has changed from %s to %s", digest, now)
	}
	if len(w.random.keys()) != 1 {
		t.Error("more than one key was made")
	}
}

// TestNeverIssued: revoked or expired before its first issue.
func TestNeverIssued(t *testing.T) {
	w := newWorld(t)
	w.create("revoked", revoked)
	w.create("expired", func(s *v1alpha1.APIKeySpec) { s.ExpiresAt = new(metav1.NewTime(w.clock.Now())) })
	w.reconcile("revoked")
	w.reconcile("expired")
	w.want("revoked", "Revoked | True Revoked | None | ")
	w.want("expired", "Expired | False Expired | None | ")
	if n := len(w.random.keys()); n != 0 {
		t.Errorf("%d keys were made", n)
	}
	w.edit("expired", func(s *v1alpha1.APIKeySpec) { s.ExpiresAt = nil })
	w.reconcile("expired")
	w.want("expired", "Active | True Issued | Present expired | Current")
}

// TestGone: an APIKey that isn't there, or is going, is left alone.
func TestGone(t *testing.T) {
	w := newWorld(t)
	w.reconcile("never-there")
	w.create("going")
	k := w.key("going")
	k.Finalizers = []string{"example.com/hold"}
	w.must(w.client.Update(w.Context(), k))
	w.must(w.client.Delete(w.Context(), k))
	w.reconcile("going")
	w.wantNoSecret("going")
	k = w.key("going")
	k.Finalizers = nil
	w.must(w.client.Update(w.Context(), k))
}

// TestRecreated: the Secret of the former APIKey is waited out and never adopted,
// or a revoked key could be brought back.
func TestRecreated(t *testing.T) {
	w := newWorld(t)
	w.create("key")
	w.reconcile("key")
	w.changeSecret("key", func(s *corev1.Secret) { s.Finalizers = []string{"example.com/hold"} })
	former := w.raw("key")
	formerUID := w.key("key").UID
	w.must(w.client.Delete(w.Context(), w.key("key")))
	w.create("key")
	if result := w.reconcile("key"); result.RequeueAfter != collectionRetry {
		t.Errorf("looks again in %v, want %v", result.RequeueAfter, collectionRetry)
	}
	w.want("key", "Pending | False SecretTerminating | None | ")
	w.eventually("the garbage collector deletes the former Secret", func() bool { return !w.secret("key").DeletionTimestamp.IsZero() })
	w.reconcile("key")
	w.want("key", "Pending | False SecretTerminating | None | ")
	w.changeSecret("key", func(s *corev1.Secret) { s.Finalizers = nil })
	w.eventually("the former Secret is gone", func() bool { return w.isGone("key") })
	w.reconcile("key")
	w.want("key", "Active | True Issued | Present key | Current")
	if w.raw("key") == former || w.key("key").UID == formerUID {
		t.Error("the former key is back")
	}
	// What is there now isn't collected: its owner lives.
	if owner := metav1.GetControllerOf(w.secret("key")); owner == nil || owner.UID != w.key("key").UID {
		t.Errorf("owned by %+v", owner)
	}
}
