package presence_test

import (
	"context"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/presence"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// account is a service account of the site's namespace that has Roles only.
func (s *site) account(name string, roles map[string][]rbacv1.PolicyRule) *rest.Config {
	s.Helper()
	for namespace, rules := range roles {
		meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
		s.must(s.client.Create(s.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}))
		s.must(s.client.Create(s.Context(), &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.namespace, Name: name}},
		}))
	}
	config, err := devcluster.For(s.T).ConfigFor("system:serviceaccount:" + s.namespace + ":" + name)
	s.must(err)
	return config
}

// readSide is what an auth server may do in each namespace that it watches, and
// reports what it may do in the operator's.
var (
	readSide = []rbacv1.PolicyRule{{APIGroups: []string{"apikey-operator.dev"}, Resources: []string{"apikeys", "protectedapis"}, Verbs: []string{"list", "watch"}}}
	reports  = []rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update", "delete"}}}
)

// seenIn is what the server's Lease says of a namespace.
func (s *site) seenIn(namespace string) string {
	s.Helper()
	var l coordinationv1.Lease
	s.must(s.client.Get(context.Background(), client.ObjectKey{Namespace: s.namespace, Name: "apikey-operator-authserver-server"}, &l))
	return presence.Read(&l).SeenIn[namespace]
}

// TestAnAuthServerWithRolesOnly watches two namespaces. Both are enforced, an event in
// one is told of at once though the other is idle, and what is in a third is not its
// business.
func TestAnAuthServerWithRolesOnly(t *testing.T) {
	s := newGround(t)
	busy, idle, third := s.newNamespace(), s.newNamespace(), s.newNamespace()
	config := s.account("server", map[string][]rbacv1.PolicyRule{busy: readSide, idle: readSide, s.namespace: reports})
	as, err := client.New(config, client.Options{Scheme: s.scheme})
	s.must(err)
	for _, list := range []client.ObjectList{&v1alpha1.APIKeyList{}, &v1alpha1.ProtectedAPIList{}, &corev1.NamespaceList{}} {
		if err := as.List(t.Context(), list); !apierrors.IsForbidden(err) {
			t.Fatalf("it may list %T in all namespaces: %v", list, err)
		}
	}
	early := s.issueIn(idle, "early", v1alpha1.APIKeySpec{})
	s.build(config, busy, idle)
	s.start()
	s.stepping("the server joins", func() bool { return s.reporter.Current() && s.synced() })
	s.stepping("it has told", func() bool { return s.lookIn(idle, early).Seen == 1 })
	if !s.known("early") {
		t.Error("it is current without a key that was there")
	}

	// While nothing happens in the one, the other's position moves without delay: for
	// 200 ms of the server's time at most, which are two steps here.
	before := s.seenIn(idle)
	revision := s.issueIn(busy, "next", v1alpha1.APIKeySpec{})
	s.until("the watch delivers it", func() bool { return s.known("next") })
	began := s.serverClock.Now()
	s.stepping("all have seen it", func() bool { return s.lookIn(busy, revision).Seen == 1 })
	if took := s.serverClock.Since(began); took.Milliseconds() > 400 {
		t.Errorf("it was told of after %v", took)
	}
	if spread := s.lookIn(idle, revision); s.seenIn(idle) != before || spread.Live != 1 || len(spread.Behind) != 1 {
		t.Errorf("the idle namespace is at %s, before %s; and the spread there is %+v", s.seenIn(idle), before, spread)
	}
	other := s.issueIn(third, "invisible", v1alpha1.APIKeySpec{})
	if spread := s.lookIn(third, other); spread.Live != 0 || len(spread.Elsewhere) != 1 {
		t.Errorf("for a namespace that it doesn't watch it counts: %+v", spread)
	}

	// After an outage it joins anew in both.
	s.cable.pull()
	missed := s.issueIn(idle, "missed", v1alpha1.APIKeySpec{})
	s.step(10 * time.Second)
	if s.reporter.Current() {
		t.Error("cut off it is current")
	}
	s.cable.plug()
	s.step(10 * time.Second)
	// Step by step: its first attempt may still go out on a connection that is dead.
	s.stepping("it is current again", func() bool {
		current := s.reporter.Current()
		if current && !s.known("missed") {
			t.Fatal("it is current without the key of the outage")
		}
		return current
	})
	s.stepping("it has told", func() bool { return s.lookIn(idle, missed).Seen == 1 })
	s.must(s.client.Delete(t.Context(), &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: idle, Name: "missed"}}))
	s.until("the deletion comes", func() bool { return !s.known("missed") })
	if !s.known("early") || !s.known("next") || s.known("invisible") {
		t.Errorf("known are: early %v, next %v, that of a third namespace %v", s.known("early"), s.known("next"), s.known("invisible"))
	}
}

// TestConsentAcrossNamespaces: an API admits keys of other namespaces that are
// watched, all or by name. By other labels it admits none.
func TestConsentAcrossNamespaces(t *testing.T) {
	s := newGround(t)
	apis, guests, third := s.newNamespace(), s.newNamespace(), s.newNamespace()
	by := func(key string, values ...string) *v1alpha1.AllowedNamespaces {
		return &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: metav1.LabelSelectorOpNotIn, Values: values}},
		}}
	}
	for _, tt := range []struct {
		name               string
		allowed            *v1alpha1.AllowedNamespaces
		own, guest, broken bool
	}{
		{"same", nil, true, false, false},
		{"all", &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}, true, true, false},
		{"by-name", by("kubernetes.io/metadata.name", apis), false, true, false},
		{"by-label", by("team", "other"), false, false, true},
	} {
		api := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: apis, Name: tt.name}, Spec: v1alpha1.ProtectedAPISpec{AllowedNamespaces: tt.allowed}}
		s.must(s.client.Create(t.Context(), api))
		for _, namespace := range []string{apis, guests, third} {
			s.issueIn(namespace, tt.name+"-"+namespace, v1alpha1.APIKeySpec{APIRef: &v1alpha1.ProtectedAPIReference{Namespace: apis, Name: tt.name}})
		}
		if s.synced == nil {
			s.build(s.account("server", map[string][]rbacv1.PolicyRule{apis: readSide, guests: readSide, s.namespace: reports}), apis, guests)
			s.start()
		}
		name := keyring.Name{Namespace: apis, Name: tt.name}
		find := func(namespace string) bool {
			_, ok := s.ring.Find(name, key.NewRaw(tt.name+"-"+namespace).Digest())
			return ok
		}
		s.until("the keys and "+tt.name+" come", func() bool {
			_, ok := s.ring.API(name)
			return ok && find(apis) && find(guests)
		})
		got, _ := s.ring.API(name)
		if own, guest, broken := got.Admits(apis), got.Admits(guests), got.Err != nil; own != tt.own || guest != tt.guest || broken != tt.broken {
			t.Errorf("%s: admits its own namespace %v and the other %v, and can't be used %v (%v)", tt.name, own, guest, broken, got.Err)
		}
		if find(third) {
			t.Errorf("%s: a key of a namespace that isn't watched is known", tt.name)
		}
	}
}
