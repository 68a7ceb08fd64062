package apikey

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// TestQuota: a refused Secret is told of once, and tried again with the same key, and
// no other one is made.
func TestQuota(t *testing.T) {
	w := newWorld(t)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("0")}},
	}
	w.must(w.client.Create(w.Context(), quota))
	w.eventually("the quota holds", func() bool { return apierrors.IsForbidden(w.dryRun()) })
	w.create("key")
	r := w.controller()
	for range 6 {
		if again := w.with(r, "key"); again != conflictRetry {
			t.Errorf("looks again in %v, want %v", again, conflictRetry)
		}
		w.want("key", "Pending | False WriteFailed | None | Pending")
	}
	w.wantReady("key", "WriteFailed", `"key"`, "403", "Forbidden")
	w.wantTold("Warning WriteFailed")
	w.must(w.client.Delete(w.Context(), quota))
	w.eventually("the quota is lifted", func() bool { return w.dryRun() == nil })
	w.with(r, "key")
	w.want("key", "Active | True Issued | Present key | Current")
	if n := len(w.random.keys()); n != 1 {
		t.Errorf("%d keys were made", n)
	}
}

// dryRun asks whether a Secret would be let in.
func (w *world) dryRun() error {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"}, Data: map[string][]byte{"api-key": []byte("probe")}}
	return w.client.Create(w.Context(), s, client.DryRunAll)
}

// forbid makes the API server refuse operations on Secrets of this namespace, and
// quote them while it does.
func (w *world) forbid(operation admissionv1.OperationType) (lift func()) {
	w.Helper()
	quoted, name := "object", w.namespace+"-"+strings.ToLower(string(operation))
	if operation == admissionv1.Delete {
		quoted = "oldObject"
	}
	quote := fmt.Sprintf(`'refused: ' + string(%s.data['api-key'])`, quoted)
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	policy.Spec = admissionv1.ValidatingAdmissionPolicySpec{
		FailurePolicy: new(admissionv1.Fail),
		MatchConstraints: &admissionv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
			ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{operation},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
			}}},
		},
		Validations: []admissionv1.Validation{{
			Expression: fmt.Sprintf("!('api-key' in %s.data)", quoted), MessageExpression: quote, Reason: new(metav1.StatusReasonForbidden),
		}},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	binding.Spec = admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
	}
	w.must(w.client.Create(w.Context(), policy))
	w.must(w.client.Create(w.Context(), binding))
	return func() {
		w.Helper()
		w.must(w.client.Delete(w.Context(), binding))
		w.must(w.client.Delete(w.Context(), policy))
	}
}

// TestEcho: the API server's answers may quote the Secret. They reach no status,
// event, log line or error (see wantNoLeak).
func TestEcho(t *testing.T) {
	w := newWorld(t)
	w.create("issued")
	w.create("renamed")
	w.reconcile("issued")
	w.reconcile("renamed")
	w.told = nil

	lift := w.forbid(admissionv1.Create)
	w.eventually("creation is forbidden", func() bool { return w.echoes(w.dryRun()) })
	w.create("fresh")
	w.reconcile("fresh")
	w.want("fresh", "Pending | False WriteFailed | None | Pending")
	w.edit("renamed", secretLike(v1alpha1.SecretTemplate{Name: "elsewhere"}))
	w.reconcile("renamed")
	w.want("renamed", "Active | False WriteFailed | Present renamed | Current")
	w.wantTold("Warning WriteFailed", "Warning WriteFailed")
	lift()

	lift = w.forbid(admissionv1.Update)
	w.eventually("updates are forbidden", func() bool {
		return w.echoes(w.client.Update(w.Context(), w.secret("issued"), client.DryRunAll))
	})
	w.edit("issued", secretLike(v1alpha1.SecretTemplate{Labels: map[string]v1alpha1.LabelValue{"a": "b"}}))
	w.reconcile("issued")
	w.want("issued", "Active | False WriteFailed | Present issued | Current")
	w.wantTold("Warning WriteFailed")
	lift()
	w.eventually("creation and updates are allowed", func() bool {
		return w.dryRun() == nil && w.client.Update(w.Context(), w.secret("issued"), client.DryRunAll) == nil
	})

	lift = w.forbid(admissionv1.Delete)
	w.eventually("deletion is forbidden", func() bool {
		return w.echoes(w.client.Delete(w.Context(), w.secret("issued"), client.DryRunAll))
	})
	w.reconcile("renamed")
	w.want("renamed", "Active | False WriteFailed | Present renamed | Current")
	w.edit("issued", revoked)
	w.reconcile("issued")
	w.want("issued", "Revoked | False WriteFailed | Present issued | Current")
	lift()
	w.eventually("deletion is allowed", func() bool {
		return w.client.Delete(w.Context(), w.secret("issued"), client.DryRunAll) == nil
	})
	w.reconcile("issued")
	w.want("issued", "Revoked | True Revoked | None | Current")
	w.reconcile("renamed")
	w.want("renamed", "Active | True Issued | Present elsewhere | Current")
	w.wantNoSecret("renamed")
}

// echoes holds for the refusal that quotes the Secret.
func (w *world) echoes(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "refused: ")
}
