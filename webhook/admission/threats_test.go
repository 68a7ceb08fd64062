package admission

import (
	"context"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// TestAdminsGrantThemselvesNothing: the admin of a namespace may write Roles and
// RoleBindings there, and can't get by that what lets issue, or what is as good.
func TestAdminsGrantThemselvesNothing(t *testing.T) {
	w := newWorld(t, false)
	w.withAPI()
	ctx := t.Context()
	for _, namespace := range []string{w.shop, w.apis} { // of the API's, too
		w.bind(namespace, "admin", "anna")
	}
	w.until("anna may", func(ctx context.Context) bool {
		return w.may(ctx, "anna", w.shop, "create", "protectedapis", "") && w.may(ctx, "anna", w.apis, "create", "protectedapis", "")
	})
	anna := w.as("anna")
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: w.apis, Name: name} }
	for name, role := range map[string]string{"issuer": "apikey-operator-issuer", "everything": "cluster-admin"} {
		want(t, anna.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: meta(name), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "anna"}},
		}), forbidden)
	}
	status := rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"apikeys/status"}, Verbs: []string{"update"}}
	for name, rule := range map[string]rbacv1.PolicyRule{"api": toIssue("billoget"), "scope": toScopes("billoget:READ"), "status": status} {
		want(t, anna.Create(ctx, &rbacv1.Role{ObjectMeta: meta(name), Rules: []rbacv1.PolicyRule{rule}}), forbidden)
	}
	want(t, anna.Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "aggregated", Labels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-admin": "true"}},
		Rules:      []rbacv1.PolicyRule{status},
	}), forbidden)
	want(t, anna.Create(ctx, w.key("key", "READ")), forbidden, "Missing: verb issue on")
	want(t, anna.Get(ctx, client.ObjectKey{Namespace: w.apis, Name: "billoget"}, &v1alpha1.ProtectedAPI{}), "") // whatever its keys open
}
