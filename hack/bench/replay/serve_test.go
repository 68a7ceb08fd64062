package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/feed"
	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

const testKeys = 300

// start runs a replay until the test ends.
func start(t *testing.T, churn int) *rest.Config {
	t.Helper()
	o := options{address: "127.0.0.1:0", kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), keys: testKeys, churn: churn}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	var c *rest.Config
	until(t, "the kubeconfig is there", func() bool {
		var err error
		c, err = clientcmd.BuildConfigFromFlags("", o.kubeconfig)
		return err == nil
	})
	return c
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) { return is(), nil })
	if err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

// What the auth server reads with is filled, and follows changes.
func TestFeed(t *testing.T) {
	c := start(t, 500)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	ring := keyring.New(keyring.HostPolicy{})
	f, err := feed.New(c, scheme, ring)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Start(ctx) }()
	defer func() { stop(); <-ended }()
	until(t, "the feed has synced", f.HasSynced)

	api, ok := ring.API(keyring.Name{Namespace: apiNamespace, Name: apiName})
	if !ok || api.Err != nil {
		t.Fatalf("the API: %v, %v", ok, api)
	}
	raws, err := checkrequest.Keys(testKeys)
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range raws {
		if _, ok := ring.Find(api.Name, key.NewRaw(raw).Digest()); !ok {
			t.Errorf("key %d isn't in the ring", i)
		}
	}
	before := f.Position()
	until(t, "the position moves with changes", func() bool { return f.Position() > before })
	said, err := ask(t, c, http.MethodGet, "/replay/state", "")
	if err != nil || !strings.Contains(said, `"sent":`) || strings.Contains(said, `"sent":0`) {
		t.Errorf("the replay's state: %s, %v", said, err)
	}
}

// Leases are kept as the API server keeps them.
func TestLeases(t *testing.T) {
	client, err := kubernetes.NewForConfig(start(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	leases, ctx := client.CoordinationV1().Leases("apikey-operator-system"), t.Context()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "one", Annotations: map[string]string{"seen": "1"}}}
	if _, err := leases.Update(ctx, lease, metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("update before create: %v", err)
	}
	created, err := leases.Create(ctx, lease, metav1.CreateOptions{})
	if err != nil || created.ResourceVersion == "" || created.UID == "" || created.Annotations["seen"] != "1" {
		t.Fatalf("create: %v, %v", created, err)
	}
	if _, err := leases.Create(ctx, lease, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("create twice: %v", err)
	}
	updated, err := leases.Update(ctx, created, metav1.UpdateOptions{})
	if err != nil || updated.ResourceVersion == created.ResourceVersion || updated.UID != created.UID {
		t.Errorf("update: %v, %v", updated, err)
	}
	if _, err := leases.Update(ctx, created, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("update of an old one: %v", err)
	}
	if got, err := leases.Get(ctx, "one", metav1.GetOptions{}); err != nil || got.ResourceVersion != updated.ResourceVersion {
		t.Errorf("get: %v, %v", got, err)
	}
	if err := leases.Delete(ctx, "one", metav1.DeleteOptions{}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := leases.Get(ctx, "one", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get after delete: %v", err)
	}
}

// ask returns the answer's body, and an error that names another status than 200 and 204.
func ask(t *testing.T, c *rest.Config, method, path, accept string) (string, error) {
	t.Helper()
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, c.Host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return string(body), err
}

// What isn't asked by our feed: lists, watches without a list, what is wrong.
func TestRequests(t *testing.T) {
	c := start(t, 0)
	const keys = "/apis/apikey-operator.dev/v1alpha1/apikeys"
	metadata := "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	for _, row := range []struct {
		method, path, accept string
		objects              int    // how many uids are in the answer
		holds, wrong         string // parts of the body and of the error
	}{
		{"GET", keys, "", testKeys, `"kind":"APIKeyList"`, ""},
		{"GET", keys + "?watch=true&sendInitialEvents=true&timeoutSeconds=1", "", testKeys, `"k8s.io/initial-events-end":"true"`, ""},
		{"GET", keys + "?watch=true&resourceVersion=10000000&timeoutSeconds=1", "", 0, "", ""},
		{"GET", keys + "?watch=true", "", 0, "sendInitialEvents", "400"},
		{"GET", "/apis/apikey-operator.dev/v1alpha1/protectedapis", "", 1, `"kind":"ProtectedAPIList"`, ""},
		{"GET", "/api/v1/namespaces", metadata, teams + 1, `"kind":"PartialObjectMetadataList"`, ""},
		{"GET", "/api/v1/namespaces", "application/json", 0, "only metadata", "406"},
		{"GET", "/apis", "", 0, "coordination.k8s.io/v1", ""},
		{"GET", "/api/v1/secrets", "", 0, "", "404"},
		{"POST", "/replay/churn?rate=1000", "", 0, "", ""},
		{"POST", "/replay/churn?rate=100001", "", 0, "want 0 to 100000", "400"},
		{"POST", "/replay/churn", "", 0, "rate", "400"},
	} {
		body, err := ask(t, c, row.method, row.path, row.accept)
		wrong := fmt.Sprint(err)
		if (err == nil) != (row.wrong == "") || !strings.Contains(wrong, row.wrong) {
			t.Errorf("%s %s: got error %v, want %q", row.method, row.path, err, row.wrong)
		}
		if n := strings.Count(body, `"uid":`); n != row.objects || !strings.Contains(body, row.holds) {
			t.Errorf("%s %s: got %d objects, want %d, and %q in\n%.500s", row.method, row.path, n, row.objects, row.holds, body)
		}
	}
}

// A watch that begins again gets what changed since, in order, with what is new in it.
func TestWatchFromRevision(t *testing.T) {
	s, err := newStore(10)
	if err != nil {
		t.Fatal(err)
	}
	s.change(3)
	from := s.now()
	s.advance() // something else
	s.change(2)
	changes, _ := s.since(from)
	if len(changes) != 2 || changes[0].version != from+2 || changes[1].version != from+3 {
		t.Fatalf("since %d: got %+v", from, changes)
	}
	text := string(s.appendChange(nil, changes[0]))
	if !strings.Contains(text, fmt.Sprintf(`"resourceVersion":"%d"`, from+2)) || !strings.Contains(text, "(renamed)") {
		t.Errorf("the change is not in\n%s", text)
	}
	if changes, _ := s.since(s.now()); len(changes) != 0 {
		t.Errorf("since now: got %+v", changes)
	}
}

func TestFlagsAreChecked(t *testing.T) {
	for _, row := range []struct {
		o    options
		want string
	}{
		{options{address: "0.0.0.0:0", kubeconfig: "x", keys: 1}, "-address"},
		{options{address: "127.0.0.1:0", keys: 1}, "-kubeconfig"},
		{options{address: "127.0.0.1:0", kubeconfig: "x"}, "-keys"},
		{options{address: "127.0.0.1:0", kubeconfig: "x", keys: 1, churn: -1}, "-churn"},
	} {
		if err := run(t.Context(), row.o); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%+v: got %v", row.o, err)
		}
	}
}
