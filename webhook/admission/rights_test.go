package admission

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/hack/parts"
)

const (
	forbidden = metav1.StatusReasonForbidden
	invalidly = metav1.StatusReasonInvalid
	down      = metav1.StatusReasonInternalError
)

// withAPI creates the API that keys of the world open, and waits until admission knows
// it.
func (w *world) withAPI() {
	w.Helper()
	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.apis, Name: "billoget"}}
	in(w.T, "{allowedNamespaces: {from: All}, scopes: [{name: READ}, {name: WRITE}, {name: 'customers:read'}, {name: 'customers:write'}]}", &p.Spec)
	w.must(w.admin.Create(w.Context(), p))
	w.known(p)
}

// known waits until admission knows of an object.
func (w *world) known(o client.Object) {
	w.Helper()
	name := client.ObjectKeyFromObject(o)
	w.until("admission knows "+name.String(), func(ctx context.Context) bool {
		return w.cache.Get(ctx, name, o.DeepCopyObject().(client.Object)) == nil
	})
}

// TestWhoMayGrantWhat asks the real API server, with rights as it has them.
func TestWhoMayGrantWhat(t *testing.T) {
	for name, namespaced := range map[string]bool{"with rights on the cluster": false, "with rights on two namespaces": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, namespaced)
			w.withAPI()
			const flux = "system:serviceaccount:gitops:flux"
			w.bind(w.shop, "apikey-operator-requester", "rita", "ivan", "will", "dora", "nora", flux)
			w.bind(w.shop, "edit", "edna")
			w.grant(w.apis, "ivan", toIssue("billoget"), toScopes("billoget:READ"))
			w.grant(w.apis, "will", toIssue("billoget"), toScopes("billoget:customers:*"))
			w.grant(w.apis, "nora", toIssue("billoget"), toScopes("billoget:customers:read", "billoget:customers:write"))
			w.grant(w.shop, "dora", toIssue("default"), toScopes("default:*"))
			w.grant(w.apis, flux, toIssue("billoget"), toScopes("billoget:*"))
			w.bind(w.apis, "apikey-operator-issuer", "paul")
			w.bind(w.shop, "apikey-operator-requester", "paul")
			w.until("paul may", func(ctx context.Context) bool { return w.may(ctx, "paul", w.apis, "issue", "protectedapis/scopes", "") })
			t.Run("requester", func(t *testing.T) { w.in(t).requester() })
			t.Run("issuers", func(t *testing.T) { w.in(t).issuers() })
			t.Run("resumed", func(t *testing.T) { w.in(t).resumed() })
		})
	}
}

func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.T = t
	return &sub
}

// requester may take away, and give nothing.
func (w *world) requester() {
	ctx, t := w.Context(), w.T
	for _, user := range []string{"rita", "edna"} { // edna by aggregation to edit
		c := w.as(user)
		want(t, c.Create(ctx, w.key(user, "READ")), forbidden, `user "`+user+`"`, `"billoget"`, `"billoget:READ"`, "kubectl create role")
		k := w.key(user, "READ", "WRITE")
		k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 10, Period: "1s"}
		w.must(w.admin.Create(ctx, k))
		for change, reason := range map[string]metav1.StatusReason{
			`{"spec":{"scopes":["READ"]}}`: "", `{"spec":{"allowedIPs":["192.0.2.0/24"]}}`: "", `{"spec":{"expiresAt":"2099-01-01T00:00:00Z"}}`: "",
			`{"spec":{"rateLimit":{"requests":5}}}`: "", `{"metadata":{"labels":{"a":"b"}}}`: "",
		} {
			want(t, patch(ctx, c, k, change), reason)
		}
		for _, change := range []string{
			`{"spec":{"scopes":["READ","WRITE"]}}`, `{"spec":{"scopes":["*"]}}`, `{"spec":{"allowedIPs":null}}`, `{"spec":{"allowedIPs":["192.0.2.0/23"]}}`,
			`{"spec":{"expiresAt":null}}`, `{"spec":{"rateLimit":{"requests":6}}}`, `{"spec":{"rateLimit":null}}`,
		} {
			want(t, patch(ctx, c, k, change), forbidden, "Missing: verb issue on")
		}
		want(t, patch(ctx, c, k, `{"spec":{"state":"Suspended"}}`), "")
		want(t, patch(ctx, c, k, `{"spec":{"state":"Active"}}`), forbidden, "spec.state")
		want(t, patch(ctx, c, k, `{"spec":{"state":"Revoked"}}`), "")
		want(t, c.Delete(ctx, k), "")
		want(t, c.Create(ctx, &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "mine"}}), forbidden)
	}
}

// issuers grant what they may.
func (w *world) issuers() {
	ctx, t := w.Context(), w.T
	type try struct {
		user   string
		scopes []v1alpha1.Scope
		reason metav1.StatusReason
	}
	for _, row := range []try{
		{"ivan", []v1alpha1.Scope{"READ"}, ""},
		{"ivan", []v1alpha1.Scope{"READ", "WRITE"}, forbidden},
		{"ivan", []v1alpha1.Scope{"*"}, forbidden},
		{"ivan", []v1alpha1.Scope{"REED"}, invalidly},
		{"ivan", nil, ""}, // which is nothing here
		{"will", []v1alpha1.Scope{"customers:*"}, ""},
		{"will", []v1alpha1.Scope{"customers:read"}, ""},
		{"will", []v1alpha1.Scope{"*"}, forbidden},
		{"nora", []v1alpha1.Scope{"customers:*"}, ""},
		{"nora", []v1alpha1.Scope{"customers:*", "READ"}, forbidden},
		{"paul", []v1alpha1.Scope{"*"}, ""},
		{"paul", []v1alpha1.Scope{"READ", "WRITE"}, ""},
		{"dora", []v1alpha1.Scope{"READ"}, forbidden},
		{"system:serviceaccount:gitops:flux", []v1alpha1.Scope{"*", "READ"}, ""},
	} {
		k := w.key("", row.scopes...)
		k.GenerateName = "issued-"
		want(t, w.as(row.user).Create(ctx, k), row.reason)
	}
	ofDefault := func(scopes ...v1alpha1.Scope) *v1alpha1.APIKey {
		k := w.key("", scopes...)
		k.GenerateName, k.Spec.APIRef = "default-", nil
		return k
	}
	want(t, w.as("dora").Create(ctx, ofDefault()), "")
	want(t, w.as("dora").Create(ctx, ofDefault("a")), "")
	want(t, w.as("ivan").Create(ctx, ofDefault()), forbidden, `"default"`, `"default:*"`)
	want(t, w.as("paul").Create(ctx, ofDefault()), forbidden, `in namespace "`+w.shop+`"`) // issuer of another namespace

	k := w.key("flux", "READ")
	apply := func() error { return w.as("system:serviceaccount:gitops:flux").Patch(ctx, k.DeepCopy(), client.Merge) }
	want(t, w.as("system:serviceaccount:gitops:flux").Create(ctx, k), "")
	want(t, apply(), "") // what is as declared needs no right
}

// resumed takes rights, and so does what would be open once it is: a pipeline that
// resumes it may have them, and not look.
func (w *world) resumed() {
	ctx, t := w.Context(), w.T
	k := w.key("resumed", "READ")
	k.Spec.State = v1alpha1.DesiredSuspended
	w.must(w.admin.Create(ctx, k))
	want(t, patch(ctx, w.as("rita"), k, `{"spec":{"scopes":["WRITE"]}}`), forbidden, `"billoget:WRITE"`)
	want(t, patch(ctx, w.as("paul"), k, `{"spec":{"scopes":["WRITE","NOTHING"]}}`), invalidly, "spec.scopes[1]", `"NOTHING"`)
	want(t, patch(ctx, w.as("paul"), k, `{"spec":{"scopes":["WRITE"]}}`), "")
	want(t, patch(ctx, w.as("ivan"), k, `{"spec":{"state":"Active"}}`), forbidden, `"billoget:WRITE"`)
	want(t, patch(ctx, w.as("paul"), k, `{"spec":{"state":"Active"}}`), "")
	want(t, patch(ctx, w.as("rita"), k, `{"spec":{"state":"Suspended","scopes":["READ","WRITE"]}}`), forbidden, `"billoget:READ"`)
	want(t, patch(ctx, w.as("rita"), k, `{"spec":{"expiresAt":"2020-01-01T00:00:00Z","scopes":["READ","WRITE"]}}`), forbidden, `"billoget:READ"`)
}

// TestNobodyWritesStatus: who may write the status of an APIKey says which raw keys are
// accepted.
func TestNobodyWritesStatus(t *testing.T) {
	w := newWorld(t, false)
	for _, role := range []string{"view", "edit", "admin", "apikey-operator-viewer", "apikey-operator-requester", "apikey-operator-admin", "apikey-operator-issuer"} {
		user := "user-of-" + role
		w.bind(w.shop, role, user)
		w.until(user+" has the role", func(ctx context.Context) bool {
			return w.may(ctx, user, w.shop, "list", "apikeys", "") || w.may(ctx, user, w.shop, "create", "apikeys", "") ||
				w.may(ctx, user, w.shop, "create", "protectedapis", "") || w.may(ctx, user, w.shop, "issue", "protectedapis", "")
		})
		for _, resource := range []string{"apikeys/status", "protectedapis/status", "apikeys/finalizers", "apikeys/scale"} {
			for _, verb := range []string{"update", "patch", "create", "delete", "*"} {
				if w.may(t.Context(), user, w.shop, verb, resource, "") {
					t.Errorf("%s may %s %s", role, verb, resource)
				}
			}
		}
	}
	for _, row := range []struct {
		role, verb, resource string
		may                  bool
	}{
		{"view", "list", "apikeys", true}, {"view", "list", "protectedapis", true}, {"view", "create", "apikeys", false}, {"view", "list", "secrets", false},
		{"edit", "list", "apikeys", true}, {"edit", "create", "apikeys", true}, {"edit", "delete", "apikeys", true}, {"edit", "create", "protectedapis", false},
		{"admin", "create", "apikeys", true}, {"admin", "create", "protectedapis", true}, {"admin", "list", "apikeys", true},
		{"edit", "issue", "protectedapis", false}, {"admin", "issue", "protectedapis", false}, {"admin", "issue", "protectedapis/scopes", false},
		{"apikey-operator-issuer", "issue", "protectedapis", true}, {"apikey-operator-issuer", "issue", "protectedapis/scopes", true},
		{"apikey-operator-issuer", "create", "apikeys", false}, {"apikey-operator-requester", "list", "apikeys", true}, {"apikey-operator-requester", "list", "protectedapis", false},
	} {
		if got := w.may(t.Context(), "user-of-"+row.role, w.shop, row.verb, row.resource, ""); got != row.may {
			t.Errorf("%s may %s %s: %v, want %v", row.role, row.verb, row.resource, got, row.may)
		}
	}
}

// TestOutage: without admission nothing is granted, and all that takes away works.
func TestOutage(t *testing.T) {
	w := newWorld(t, false)
	w.withAPI()
	ctx := t.Context()
	k, other := w.key("key", "READ"), w.key("other", "READ")
	w.must(w.admin.Create(ctx, k))
	w.must(w.admin.Create(ctx, other))
	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.apis, Name: "billoget"}}
	w.stop()

	const says = "failed calling webhook"
	want(t, w.admin.Create(ctx, w.key("new", "READ")), down, says)
	want(t, patch(ctx, w.admin, k, `{"spec":{"scopes":["*"]}}`), down, says)
	want(t, patch(ctx, w.admin, k, `{"spec":{"displayName":"Shop"}}`), down, says)
	want(t, w.admin.Create(ctx, &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.apis, Name: "new"}}), down, says)
	want(t, w.admin.Patch(ctx, p, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"plainHTTP":"Deny"}}`))), down, says)

	for _, change := range []string{
		`{"metadata":{"labels":{"a":"b"}}}`, `{"spec":{"state":"Suspended"}}`,
	} {
		want(t, patch(ctx, w.admin, k, change), "")
	}
	want(t, patch(ctx, w.admin, k, `{"spec":{"displayName":"Shop"}}`), down, says)
	want(t, patch(ctx, w.admin, other, `{"spec":{"state":"Suspended","displayName":"Shop"}}`), down, says)
	want(t, patch(ctx, w.admin, k, `{"spec":{"state":"Revoked"}}`), "")
	want(t, patch(ctx, w.admin, other, `{"spec":{"state":"Revoked","displayName":"Shop"}}`), "")
	w.must(w.admin.Get(ctx, client.ObjectKeyFromObject(k), k))
	k.Status.ObservedGeneration = k.Generation
	want(t, w.admin.Status().Update(ctx, k), "")
	want(t, w.admin.Delete(ctx, k), "")
	want(t, w.admin.Patch(ctx, p, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))), "")
	want(t, w.admin.Delete(ctx, p), "")
	want(t, w.admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "other"}}), "")
	want(t, w.admin.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "other"}}), "")
}

// TestAnswersReachPeople: problems come with their fields, warnings beside what is
// allowed.
func TestAnswersReachPeople(t *testing.T) {
	w := newWorld(t, false)
	w.withAPI()
	ctx := t.Context()
	err := w.admin.Create(ctx, w.key("key", "READ", "REED"))
	want(t, err, invalidly, `admission webhook "apikeys.apikey-operator.dev" denied the request`)
	if s, ok := err.(apierrors.APIStatus); !ok || s.Status().Details == nil || len(s.Status().Details.Causes) != 1 || s.Status().Details.Causes[0].Field != "spec.scopes[1]" {
		t.Errorf("%+v", err)
	}
	p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: w.apis, Name: "broken"}}
	p.Spec.Conditions = []v1alpha1.KeyCondition{{Expression: "1"}}
	want(t, w.admin.Create(ctx, p), invalidly, "spec.conditions[0].expression", "must be bool")

	w.must(w.admin.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "taken"}}))
	want(t, w.admin.Create(ctx, w.key("taken", "READ")), invalidly, "metadata.name", "belongs to somebody else")
}

// TestDocumentedRoles: what docs/admission.md shows can be applied, and does what it says.
func TestDocumentedRoles(t *testing.T) {
	w := newWorld(t, false)
	content, err := os.ReadFile("../../docs/admission.md")
	w.must(err)
	blocks := strings.Split(string(content), "```yaml\n")[1:]
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		for _, text := range strings.Split(block, "\n---\n") {
			text = strings.NewReplacer("namespace: apis", "namespace: "+w.apis, "namespace: shop", "namespace: "+w.shop).Replace(text)
			u := &unstructured.Unstructured{}
			w.must(yaml.Unmarshal([]byte(text), &u.Object))
			w.must(w.admin.Create(t.Context(), u, &client.CreateOptions{Raw: &metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}}))
		}
	}
	w.bindTo(w.shop, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "issue-default"}, []string{"dan"})
	w.bindTo(w.apis, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "issue-billoget"}, []string{"sue"})
	const flux = "system:serviceaccount:flux-system:kustomize-controller"
	for _, row := range []struct {
		user, namespace, verb, resource, name string
		may                                   bool
	}{
		{flux, w.shop, "create", "apikeys", "", true}, {flux, w.shop, "get", "apikeys", "", true}, {flux, w.shop, "watch", "apikeys", "", true}, {flux, w.shop, "patch", "apikeys", "", true},
		{flux, w.apis, "issue", "protectedapis", "billoget", true}, {flux, w.apis, "issue", "protectedapis/scopes", "", true},
		{flux, w.shop, "issue", "protectedapis", "default", false},
		{"dan", w.shop, "issue", "protectedapis", "default", true}, {"dan", w.shop, "issue", "protectedapis/scopes", "default:*", true}, {"dan", w.apis, "issue", "protectedapis", "default", false},
		{"sue", w.apis, "issue", "protectedapis", "billoget", true}, {"sue", w.apis, "issue", "protectedapis/scopes", "billoget:READ_BUDGETS", true},
		{"sue", w.apis, "issue", "protectedapis/scopes", "billoget:*", false}, {"sue", w.apis, "issue", "protectedapis", "other", false},
	} {
		if row.may {
			w.until(row.user+" may", func(ctx context.Context) bool {
				return w.may(ctx, row.user, row.namespace, row.verb, row.resource, row.name)
			})
		} else if w.may(t.Context(), row.user, row.namespace, row.verb, row.resource, row.name) {
			t.Errorf("%s may %s %s %q", row.user, row.verb, row.resource, row.name)
		}
	}
}

// TestTheWayOut: the commands in a refusal, as they are written, give the right.
func TestTheWayOut(t *testing.T) {
	kubectl := parts.Need(t, parts.Kubectl)
	w := newWorld(t, false)
	w.withAPI()
	w.bind(w.shop, "apikey-operator-requester", "wanda")
	wanda, k := w.as("wanda"), w.key("key", "READ", "customers:*")
	var err error
	w.until("wanda may create APIKeys", func(ctx context.Context) bool {
		err = wanda.Create(ctx, k.DeepCopy())
		return strings.Contains(err.Error(), "admission webhook")
	})
	want(t, err, forbidden)
	_, way, _ := strings.Cut(err.Error(), "gives the right: ")
	way, _, _ = strings.Cut(way, "; for all APIs")
	role, binding, found := strings.Cut(way, ", and then ")
	if !found {
		t.Fatal(err)
	}
	for _, command := range []string{role, binding} {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", command)
		cmd.Env = []string{"PATH=" + filepath.Dir(kubectl) + ":" + os.Getenv("PATH"), "KUBECONFIG=" + devcluster.For(t).Kubeconfig, "HOME=" + t.TempDir()}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	w.until("wanda may issue", func(ctx context.Context) bool {
		return w.may(ctx, "wanda", w.apis, "issue", "protectedapis", "billoget")
	})
	want(t, wanda.Create(t.Context(), k), "")
}
