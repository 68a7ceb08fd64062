package compile_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func protectedAPI() *v1alpha1.ProtectedAPI {
	p := &v1alpha1.ProtectedAPI{}
	p.Namespace, p.Name, p.CreationTimestamp = "apis", "billoget", created
	return p
}

var namespaces = compile.Namespaces{
	"apis": nil, "apps": {"keys": "welcome"}, "more": {"keys": "welcome", "team": "a"}, "else": {"keys": "none"},
}

func TestAPI(t *testing.T) {
	places := func(c ...keyring.Credential) func(*keyring.API) {
		return func(w *keyring.API) { w.Credentials = c }
	}
	binds := func(b ...keyring.Binding) func(*keyring.API) {
		return func(w *keyring.API) { w.Bindings = b }
	}
	from := func(kind v1alpha1.FromNamespaces, s *metav1.LabelSelector) func(*v1alpha1.ProtectedAPISpec) {
		return func(p *v1alpha1.ProtectedAPISpec) {
			p.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: kind, Selector: s}
		}
	}
	admits := func(names ...string) func(*keyring.API) {
		return func(w *keyring.API) {
			w.Namespaces = map[string]bool{}
			for _, n := range names {
				w.Namespaces[n] = true
			}
		}
	}
	equals := func(field string, compare v1alpha1.Comparison) func(*v1alpha1.ProtectedAPISpec) {
		return func(p *v1alpha1.ProtectedAPISpec) {
			p.Bindings = []v1alpha1.Binding{{From: v1alpha1.BindingSource{Header: "X-Thing"}, Equals: field, Compare: compare}}
		}
	}
	for _, row := range []struct {
		name string
		set  func(*v1alpha1.ProtectedAPISpec)
		want func(*keyring.API)
	}{
		{"empty spec", func(*v1alpha1.ProtectedAPISpec) {}, func(*keyring.API) {}},
		{"hosts", func(p *v1alpha1.ProtectedAPISpec) { p.Hosts = []v1alpha1.Hostname{"a.example", "*.b.example"} }, func(w *keyring.API) { w.Hosts = []string{"a.example", "*.b.example"} }},
		{"emptyScopes Deny", func(p *v1alpha1.ProtectedAPISpec) { p.EmptyScopes = "Deny" }, func(w *keyring.API) { w.DenyEmptyScopes = true }},
		{"emptyScopes FullAccess", func(p *v1alpha1.ProtectedAPISpec) { p.EmptyScopes = "FullAccess" }, func(*keyring.API) {}},
		{"bearer", func(p *v1alpha1.ProtectedAPISpec) { p.Credentials = []v1alpha1.Credential{{Type: "Bearer"}} }, places(keyring.Credential{Place: keyring.Bearer})},
		{"basic", func(p *v1alpha1.ProtectedAPISpec) { p.Credentials = []v1alpha1.Credential{{Type: "Basic"}} }, places(keyring.Credential{Place: keyring.Basic})},
		{"header, in lower case", func(p *v1alpha1.ProtectedAPISpec) {
			p.Credentials = []v1alpha1.Credential{{Type: "Header", Header: &v1alpha1.HeaderCredential{Name: "X-Token"}}}
		}, places(keyring.Credential{Place: keyring.Header, Name: "x-token"})},
		{"query and cookie, in their case, in order", func(p *v1alpha1.ProtectedAPISpec) {
			p.Credentials = []v1alpha1.Credential{
				{Type: "Query", Query: &v1alpha1.QueryCredential{Name: "Key"}}, {Type: "Cookie", Cookie: &v1alpha1.CookieCredential{Name: "Key"}},
			}
		}, places(keyring.Credential{Place: keyring.Query, Name: "Key"}, keyring.Credential{Place: keyring.Cookie, Name: "Key"})},
		{"keyFormat", func(p *v1alpha1.ProtectedAPISpec) {
			p.KeyFormat = &v1alpha1.KeyFormat{Prefix: "bk", Encoding: "Hex", Length: 32}
		}, func(w *keyring.API) {
			w.Formats = []key.Format{{Prefix: "bk", Separator: "_", Alphabet: key.Hex, Length: 32}}
		}},
		{"a format for each environment", func(p *v1alpha1.ProtectedAPISpec) {
			p.KeyFormat = &v1alpha1.KeyFormat{Environments: []v1alpha1.EnvironmentName{"live", "test"}, Encoding: "Hex", Length: 32}
		}, func(w *keyring.API) {
			w.Formats = []key.Format{{Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32}, {Environment: "test", Separator: "_", Alphabet: key.Hex, Length: 32}}
		}},
		{"clientIP", func(p *v1alpha1.ProtectedAPISpec) {
			p.ClientIP = &v1alpha1.ClientIP{TrustedProxies: []v1alpha1.IPBlock{"10.0.0.0/8", "::1"}}
		}, func(w *keyring.API) {
			w.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
		}},
		{"binding to project", equals("project", "Exact"), binds(keyring.Binding{Header: "x-thing", Field: keyring.Project})},
		{"binding to environment", equals("environment", ""), binds(keyring.Binding{Header: "x-thing", Field: keyring.Environment})},
		{"binding to owner.name", equals("owner.name", "CaseInsensitive"), binds(keyring.Binding{Header: "x-thing", Field: keyring.OwnerName, FoldCase: true})},
		{"binding to owner.email", equals("owner.email", "CaseInsensitive"), binds(keyring.Binding{Header: "x-thing", Field: keyring.OwnerEmail, FoldCase: true})},
		{"binding to an attribute", equals("attributes.a.b", ""), binds(keyring.Binding{Header: "x-thing", Field: keyring.Attribute, Attribute: "a.b"})},
		{"from Same", from("Same", nil), admits("apis")},
		{"from All", from("All", nil), func(w *keyring.API) { w.AllNamespaces, w.Namespaces = true, nil }},
		{"from Selector", from("Selector", &metav1.LabelSelector{MatchLabels: map[string]string{"keys": "welcome"}}), admits("apps", "more")},
		{"from Selector, not its own", from("Selector", &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}), admits("more")},
		{"from Selector, everything", from("Selector", &metav1.LabelSelector{}), admits("apis", "apps", "more", "else")},
		{"from Selector, nothing", from("Selector", &metav1.LabelSelector{MatchLabels: map[string]string{"no": "body"}}), admits()},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := protectedAPI()
			row.set(&p.Spec)
			want := &keyring.API{
				Name: keyring.Name{Namespace: "apis", Name: "billoget"}, CreatedAt: created.Time,
				Credentials: []keyring.Credential{{Place: keyring.Bearer}, {Place: keyring.Header, Name: "x-api-key"}},
				Formats:     []key.Format{key.Default}, Namespaces: map[string]bool{"apis": true},
			}
			row.want(want)
			if diff := cmp.Diff(want, compile.API(p, namespaces), compilable); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestBrokenAPI: what can't be read is an error, which answers every request with
// 503. Nothing panics, for one broken object would stop all.
func TestBrokenAPI(t *testing.T) {
	credential := func(c v1alpha1.Credential) func(*v1alpha1.ProtectedAPISpec) {
		return func(p *v1alpha1.ProtectedAPISpec) { p.Credentials = []v1alpha1.Credential{c} }
	}
	from := func(a v1alpha1.AllowedNamespaces) func(*v1alpha1.ProtectedAPISpec) {
		return func(p *v1alpha1.ProtectedAPISpec) { p.AllowedNamespaces = &a }
	}
	near := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "keys", Operator: "Near"}}}
	for _, row := range []struct {
		name     string
		set      func(*v1alpha1.ProtectedAPISpec)
		err      string
		selector bool // is a SelectorError
	}{
		{"header without a name", credential(v1alpha1.Credential{Type: "Header"}), "spec.credentials[0]", false},
		{"query without a name", credential(v1alpha1.Credential{Type: "Query"}), "spec.credentials[0]", false},
		{"cookie without a name", credential(v1alpha1.Credential{Type: "Cookie"}), "spec.credentials[0]", false},
		{"an unknown place", credential(v1alpha1.Credential{Type: "Body"}), "spec.credentials[0]", false},
		{"keyFormat", func(p *v1alpha1.ProtectedAPISpec) { p.KeyFormat = &v1alpha1.KeyFormat{Encoding: "Hex", Length: 8} }, "spec.keyFormat", false},
		{"keyFormat with environments", func(p *v1alpha1.ProtectedAPISpec) {
			p.KeyFormat = &v1alpha1.KeyFormat{Encoding: "Hex", Length: 8, Environments: []v1alpha1.EnvironmentName{"live"}}
		}, "spec.keyFormat", false},
		{"a block that is none", func(p *v1alpha1.ProtectedAPISpec) {
			p.ClientIP = &v1alpha1.ClientIP{TrustedProxies: []v1alpha1.IPBlock{"10.0.0.0/8", "10.0.0.0/99"}}
		}, "spec.clientIP.trustedProxies", false},
		{"a binding to nothing", func(p *v1alpha1.ProtectedAPISpec) {
			p.Bindings = []v1alpha1.Binding{{From: v1alpha1.BindingSource{Header: "X"}, Equals: "owner.phone"}}
		}, "spec.bindings[0].equals", false},
		{"an unknown emptyScopes", func(p *v1alpha1.ProtectedAPISpec) { p.EmptyScopes = "Some" }, "spec.emptyScopes", false},
		{"a selector that is none", from(v1alpha1.AllowedNamespaces{From: "Selector", Selector: near}), "spec.allowedNamespaces.selector", true},
		{"an unknown from", from(v1alpha1.AllowedNamespaces{From: "Cluster", Selector: &metav1.LabelSelector{}}), "spec.allowedNamespaces", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := protectedAPI()
			row.set(&p.Spec)
			got := compile.API(p, namespaces)
			if got.Err == nil || !strings.Contains(got.Err.Error(), row.err) {
				t.Errorf("error %v, want %s", got.Err, row.err)
			}
			if is := errors.As(got.Err, new(compile.SelectorError)); is != row.selector {
				t.Errorf("%v is a SelectorError: %v", got.Err, is)
			}
			if row.selector && (got.Admits("apps") || got.AllNamespaces) {
				t.Error("a namespace is let in")
			}
		})
	}
}

// TestBrokenInTwoWays: the selector's error is told, for it has a reason of its own;
// and it is the API's own error still.
func TestBrokenInTwoWays(t *testing.T) {
	p := protectedAPI()
	p.Spec.KeyFormat = &v1alpha1.KeyFormat{}
	p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: "Selector", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"": "x"}}}
	if err := compile.API(p, namespaces).Err; !errors.As(err, new(compile.SelectorError)) {
		t.Errorf("got %v", err)
	}
}
