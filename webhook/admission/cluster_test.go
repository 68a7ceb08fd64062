package admission

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/namespaces"
	"github.com/apikey-operator/apikey-operator/hack/authority"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

// world is a real API server that asks admission, as shipped but for where it is.
type world struct {
	*testing.T
	admin  client.Client
	scheme *runtime.Scheme
	cache  cache.Cache
	stop   context.CancelFunc // of admission
	// shop and apis are namespaces.
	shop, apis string
}

// newWorld starts admission, with rights on the cluster or on its two namespaces only.
func newWorld(t *testing.T, namespaced bool) *world {
	t.Helper()
	w := &world{T: t, scheme: newScheme(t)}
	var err error
	w.admin, err = client.New(devcluster.For(t).Config, client.Options{Scheme: w.scheme})
	w.must(err)
	w.shop, w.apis = w.namespace(map[string]string{"keys": "welcome"}), w.namespace(nil)
	w.applyRoles()
	w.serve(namespaced)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) namespace(labels map[string]string) string {
	w.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "admission-", Labels: labels}}
	w.must(w.admin.Create(w.Context(), n))
	return n.Name
}

// until polls what happens in other processes.
func (w *world) until(what string, done func(context.Context) bool) {
	w.Helper()
	err := wait.PollUntilContextTimeout(w.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		return done(ctx), nil
	})
	if err != nil {
		w.Fatalf("waiting until %s: %v", what, err)
	}
}

// documents reads a shipped manifest.
func (w *world) documents(file string, into func(text []byte)) {
	w.Helper()
	content, err := os.ReadFile(file)
	w.must(err)
	for _, text := range strings.Split(string(content), "\n---\n") {
		into([]byte(text))
	}
}

// applyRoles installs the ClusterRoles as shipped, and waits until they are aggregated.
func (w *world) applyRoles() {
	w.Helper()
	w.documents("../../config/rbac/aggregated.yaml", func(text []byte) {
		role := &rbacv1.ClusterRole{}
		w.must(yaml.UnmarshalStrict(text, role))
		w.must(client.IgnoreAlreadyExists(w.admin.Create(w.Context(), role)))
	})
	w.until("roles are aggregated", func(ctx context.Context) bool {
		for _, name := range []string{"view", "edit", "admin"} {
			role := &rbacv1.ClusterRole{}
			if w.admin.Get(ctx, client.ObjectKey{Name: name}, role) != nil || !strings.Contains(fmt.Sprint(role.Rules), "protectedapis") {
				return false
			}
		}
		return true
	})
}

// serve runs admission and has the API server ask it.
func (w *world) serve(namespaced bool) {
	w.Helper()
	config := rest.CopyConfig(devcluster.For(w.T).Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: w.operator(namespaced), Groups: []string{"system:authenticated"}}
	options, source := cache.Options{Scheme: w.scheme}, namespaces.Source{}
	if namespaced {
		options.DefaultNamespaces = map[string]cache.Config{w.shop: {}, w.apis: {}}
		source.Watched = []string{w.shop, w.apis}
	}
	var err error
	w.cache, err = cache.New(config, options)
	w.must(err)
	source.Reader = w.cache
	for name, index := range indexes {
		w.must(w.cache.IndexField(w.Context(), &v1alpha1.APIKey{}, name, index))
	}
	live, err := client.New(config, client.Options{Scheme: w.scheme})
	w.must(err)

	ca, dir, port := authority.New(w.T), w.TempDir(), freePort(w.T)
	ca.IssueTo(w.T, dir, "127.0.0.1")
	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: port, CertDir: dir})
	v := &Validators{Cache: w.cache, Live: live, Authorizer: Reviews{Client: live, Namespaced: namespaced}, Namespaces: source, Clock: clock.RealClock{}}
	v.Register(server, w.scheme)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	done := make(chan error, 2)
	go func() { done <- w.cache.Start(ctx) }()
	go func() { done <- server.Start(ctx) }()
	stopped := false
	w.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			for range 2 {
				if err := <-done; err != nil {
					w.Error(err)
				}
			}
		}
	}
	w.Cleanup(w.stop)
	if !w.cache.WaitForCacheSync(ctx) {
		w.Fatal("the cache isn't filled")
	}
	w.configure(ca.PEM, port)
}

// operator is a user with what admission needs, and nothing else.
func (w *world) operator(namespaced bool) string {
	w.Helper()
	name := "operator-" + w.shop
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"apikeys", "protectedapis"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}},
	}
	if namespaced {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"localsubjectaccessreviews"}, Verbs: []string{"create"}})
		for _, n := range []string{w.shop, w.apis} {
			r := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: n}, Rules: rules}
			w.must(w.admin.Create(w.Context(), r))
			w.bindTo(n, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}, []string{name})
		}
	} else {
		rules = append(rules,
			rbacv1.PolicyRule{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list", "watch"}})
		w.must(w.admin.Create(w.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}))
		w.must(w.admin.Create(w.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
		}))
	}
	w.until("the operator has its rights", func(ctx context.Context) bool { return w.may(ctx, name, w.apis, "watch", "protectedapis", "") })
	return name
}

// configure installs the ValidatingWebhookConfiguration as shipped, for its own
// namespaces, and waits until the API server heeds it.
func (w *world) configure(ca []byte, port int) {
	w.Helper()
	w.documents("../../config/webhook/validating.yaml", func(text []byte) {
		c := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		w.must(yaml.UnmarshalStrict(text, c))
		for i := range c.Webhooks {
			h := &c.Webhooks[i]
			url := fmt.Sprintf("https://127.0.0.1:%d%s", port, *h.ClientConfig.Service.Path)
			h.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca}
			h.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: []string{w.shop, w.apis}},
			}}
		}
		c.Name = w.shop
		w.must(w.admin.Create(w.Context(), c))
		w.Cleanup(func() { w.must(w.admin.Delete(context.WithoutCancel(w.Context()), c)) })
	})
	somebody := w.as("somebody")
	w.bind(w.shop, "apikey-operator-requester", "somebody")
	w.until("admission is asked", func(ctx context.Context) bool {
		err := somebody.Create(ctx, w.key("probe"), client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "admission webhook")
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// as is somebody's client.
func (w *world) as(user string, groups ...string) client.Client {
	w.Helper()
	config := rest.CopyConfig(devcluster.For(w.T).Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated"), Extra: map[string][]string{"reason": {"test"}}}
	c, err := client.New(config, client.Options{Scheme: w.scheme})
	w.must(err)
	return c
}

// bind gives a ClusterRole in a namespace to a user, or to a service account.
func (w *world) bind(namespace, role string, users ...string) {
	w.Helper()
	w.bindTo(namespace, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}, users)
}

func (w *world) bindTo(namespace string, role rbacv1.RoleRef, users []string) {
	w.Helper()
	b := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Namespace: namespace}, RoleRef: role}
	for _, u := range users {
		b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: u})
	}
	w.must(w.admin.Create(w.Context(), b))
}

// grant gives rights on single objects, in the way that docs/admission.md shows.
func (w *world) grant(namespace, user string, rules ...rbacv1.PolicyRule) {
	w.Helper()
	r := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Namespace: namespace}, Rules: rules}
	w.must(w.admin.Create(w.Context(), r))
	w.bindTo(namespace, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: r.Name}, []string{user})
	w.until(user+" has it", func(ctx context.Context) bool {
		return w.may(ctx, user, namespace, "issue", rules[0].Resources[0], rules[0].ResourceNames[0])
	})
}

func toIssue(api string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"protectedapis"}, Verbs: []string{"issue"}, ResourceNames: []string{api}}
}

func toScopes(scopes ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"protectedapis/scopes"}, Verbs: []string{"issue"}, ResourceNames: scopes}
}

// may asks the API server what a user may do.
func (w *world) may(ctx context.Context, user, namespace, verb, resource, name string) bool {
	w.Helper()
	resource, sub, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource, Subresource: sub, Name: name,
	}}}
	w.must(w.admin.Create(ctx, review))
	return review.Status.Allowed
}

// key is an APIKey of the API billoget with a scope.
func (w *world) key(name string, scopes ...v1alpha1.Scope) *v1alpha1.APIKey {
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: name}}
	k.Spec.APIRef = &v1alpha1.ProtectedAPIReference{Namespace: w.apis, Name: "billoget"}
	k.Spec.Scopes = scopes
	return k
}

// patch is an edit by kubectl patch --type=merge.
func patch(ctx context.Context, c client.Client, k *v1alpha1.APIKey, change string) error {
	return c.Patch(ctx, k.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(change)))
}

// want demands an outcome: "" is success, else a reason of the API server and words of
// its message.
func want(t *testing.T, err error, reason metav1.StatusReason, words ...string) {
	t.Helper()
	if got := apierrors.ReasonForError(err); got != reason || err == nil != (reason == "") {
		t.Errorf("%q: %v; want %q", got, err, reason)
		return
	}
	for _, text := range words {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("nothing says %q: %v", text, err)
		}
	}
}
