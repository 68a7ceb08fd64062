package admission

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/namespaces"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(devcluster.Run(m, devcluster.Options{CRDPaths: []string{"../../config/crd/bases"}}))
}

var (
	today   = time.Date(2026, 11, 3, 9, 41, 7, 0, time.UTC)
	created = metav1.NewTime(today.Add(-24 * time.Hour))
)

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// rights are what a user has, as "issue billoget", "scope billoget:READ" and "scopes"
// for all of them, and who was asked for which, with the namespace before them.
type rights struct {
	has  string
	fail error

	mu    sync.Mutex
	asked []string
	users []authenticationv1.UserInfo
}

func (r *rights) Allowed(_ context.Context, user authenticationv1.UserInfo, right Right) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := "issue " + right.Name
	switch {
	case right.Subresource == subScopes && right.Name == "":
		name = "scopes"
	case right.Subresource == subScopes:
		name = "scope " + right.Name
	}
	r.asked = append(r.asked, right.Namespace+": "+name)
	r.users = append(r.users, user)
	return slices.Contains(splitList(r.has), name), r.fail
}

// splitList reads "a, b".
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ", ")
}

// outcome is all that whoever asks, and the API server, see of an answer.
type outcome struct {
	code int32 // 200 is allowed
	// message is what is particular about it: see particular.
	message  string
	warnings []string
	asked    []string // sorted
}

// row is one request.
type row struct {
	name string
	// before and after are YAML of the spec; no before is a new object.
	before, after string
	// status is YAML of the status, and edit changes the object after it was read.
	status string
	edit   func(o client.Object)
	// with is what is in the cluster beside it, in YAML documents.
	with string
	has  string // rights
	fail error  // of asking for them
	want outcome

	watched []string // --namespaces
	hosts   keyring.HostPolicy
}

// in reads YAML.
func in(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// indexes are those that the controller puts on the cache.
var indexes = map[string]client.IndexerFunc{
	apikey.IndexAPI:    func(o client.Object) []string { return []string{compile.APIName(o.(*v1alpha1.APIKey)).String()} },
	apikey.IndexSecret: func(o client.Object) []string { return []string{apikey.SecretName(o.(*v1alpha1.APIKey))} },
	apikey.IndexDigest: func(o client.Object) []string {
		var digests []string
		for _, v := range o.(*v1alpha1.APIKey).Status.Keys {
			digests = append(digests, v.Digest)
		}
		return digests
	},
}

// cluster reads objects from YAML and has them in a fake client with our indexes.
func cluster(t *testing.T, documents string) client.Client {
	t.Helper()
	b := fake.NewClientBuilder().WithScheme(newScheme(t))
	for name, index := range indexes {
		b = b.WithIndex(&v1alpha1.APIKey{}, name, index)
	}
	for _, text := range strings.Split(documents, "\n---\n") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		kind := struct{ Kind string }{}
		if err := yaml.Unmarshal([]byte(text), &kind); err != nil {
			t.Fatal(err)
		}
		o := map[string]client.Object{
			"APIKey": &v1alpha1.APIKey{}, "ProtectedAPI": &v1alpha1.ProtectedAPI{}, "Secret": &corev1.Secret{}, "Namespace": &corev1.Namespace{},
		}[kind.Kind]
		in(t, text, o)
		o.SetCreationTimestamp(created)
		b = b.WithObjects(o)
	}
	return b.Build()
}

// object is the APIKey or ProtectedAPI of a row: shop/key or apis/billoget.
func (r row) object(t *testing.T, kind, spec string) client.Object {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "key", UID: "uid-of-key", CreationTimestamp: created}
	var o client.Object
	if kind == "APIKey" {
		k := &v1alpha1.APIKey{ObjectMeta: meta}
		in(t, spec, &k.Spec)
		in(t, r.status, &k.Status)
		o = k
	} else {
		meta.Namespace, meta.Name, meta.UID = "apis", "billoget", "uid-of-billoget"
		p := &v1alpha1.ProtectedAPI{ObjectMeta: meta}
		in(t, spec, &p.Spec)
		o = p
	}
	o.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	if r.edit != nil {
		r.edit(o)
	}
	return o
}

var jane = authenticationv1.UserInfo{Username: "jane", UID: "1", Groups: []string{"shop"}, Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a"}}}

// check sends a row as the API server would, and compares all that comes back.
func (r row) check(t *testing.T, kind string) {
	c, who := cluster(t, r.with), &rights{has: r.has, fail: r.fail}
	v := &Validators{
		Cache: c, Live: c, Authorizer: who, Namespaces: namespaces.Source{Reader: c, Watched: r.watched},
		Hosts: r.hosts, Clock: clocktesting.NewFakePassiveClock(today),
	}
	server := paths{}
	v.Register(server, newScheme(t))
	request := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{UID: "1", Operation: admissionv1.Create, UserInfo: jane}}
	object := r.object(t, kind, r.after)
	request.Name, request.Namespace, request.Object.Raw = object.GetName(), object.GetNamespace(), marshal(t, object)
	if r.before != "" {
		request.Operation, request.OldObject.Raw = admissionv1.Update, marshal(t, r.object(t, kind, r.before))
	}
	response := server[map[string]string{"APIKey": APIKeyPath, "ProtectedAPI": ProtectedAPIPath}[kind]].Handle(t.Context(), request)
	got := outcome{code: response.Result.Code, message: particular(t, response.Result), warnings: response.Warnings, asked: who.asked}
	slices.Sort(got.asked)
	if diff := cmp.Diff(r.want, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if response.Allowed != (response.Result.Code == 200) {
		t.Errorf("allowed is %v with code %d", response.Allowed, response.Result.Code)
	}
	for _, u := range who.users {
		if diff := cmp.Diff(jane, u); diff != "" {
			t.Errorf("asked for another user (-want +got)\n%s", diff)
		}
	}
}

// particular is what a message says beside what all of its kind say.
func particular(t *testing.T, r *metav1.Status) string {
	t.Helper()
	start, end := "", ""
	switch {
	case r.Code == 403:
		start, end = `apikeys.apikey-operator.dev "key" is forbidden: it opens what user "jane" may not grant: `, ". Way out: "
	case r.Code == 422 && r.Details.Kind == "APIKey":
		start = `APIKey.apikey-operator.dev "key" is invalid: `
	case r.Code == 422:
		start = `ProtectedAPI.apikey-operator.dev "billoget" is invalid: `
	case r.Code == 500:
		start = "Internal error occurred: it can't be told now whether to admit this, so it is refused; try again: "
	}
	rest, ok := strings.CutPrefix(r.Message, start)
	if !ok {
		t.Errorf("the message doesn't begin with %q: %s", start, r.Message)
	}
	if end != "" {
		rest, _, ok = strings.Cut(rest, end)
		if !ok {
			t.Errorf("the message has no way out: %s", r.Message)
		}
	}
	return strings.Trim(rest, "[]")
}

func checkRows(t *testing.T, kind string, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { r.check(t, kind) })
	}
}

// paths are what is served, by path.
type paths map[string]admission.Handler

// Register implements Server.
func (p paths) Register(path string, hook http.Handler) {
	if b, ok := hook.(*bounded); ok {
		p[path], _ = b.hook.(*admission.Webhook)
	}
}

func marshal(t *testing.T, o any) []byte {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var errDown = errors.New("the API server is tired")

// ownedBy makes a Secret's owner the APIKey of that name and uid.
func ownedBy(name string, uid types.UID) string {
	return "ownerReferences: [{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, controller: true, name: " + name + ", uid: " + string(uid) + "}]"
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
