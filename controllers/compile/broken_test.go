package compile

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// What the schema lets pass by mistake must not become "no restriction".
func TestKeysThatCanNotBeRead(t *testing.T) {
	for name, tc := range map[string]struct {
		spec v1alpha1.APIKeySpec
		says string
	}{
		"an address that is none":   {v1alpha1.APIKeySpec{AllowedIPs: []v1alpha1.IPBlock{"10.0.0.0/8", "10.0.0.0/33"}}, "spec.allowedIPs"},
		"an address with a zone":    {v1alpha1.APIKeySpec{AllowedIPs: []v1alpha1.IPBlock{"fe80::1%eth0"}}, "spec.allowedIPs"},
		"a period that is none":     {v1alpha1.APIKeySpec{RateLimit: &v1alpha1.RateLimit{Requests: 1, Period: "1d"}}, "spec.rateLimit"},
		"a period of nothing":       {v1alpha1.APIKeySpec{RateLimit: &v1alpha1.RateLimit{Requests: 1, Period: "0s"}}, "spec.rateLimit"},
		"no requests":               {v1alpha1.APIKeySpec{RateLimit: &v1alpha1.RateLimit{Period: "1h"}}, "spec.rateLimit"},
		"a state that nobody knows": {v1alpha1.APIKeySpec{State: "Paused"}, "spec.state"},
	} {
		t.Run(name, func(t *testing.T) {
			k := Key(&v1alpha1.APIKey{Spec: tc.spec})
			if k.Err == nil || !strings.Contains(k.Err.Error(), tc.says) {
				t.Errorf("the error is %v, want one of %s", k.Err, tc.says)
			}
		})
	}
}

func TestKeyStates(t *testing.T) {
	now := metav1.Now()
	for _, tc := range []struct {
		name    string
		state   v1alpha1.DesiredState
		deleted *metav1.Time
		want    keyring.State
	}{
		{"unset", "", nil, keyring.Active},
		{"active", v1alpha1.DesiredActive, nil, keyring.Active},
		{"suspended", v1alpha1.DesiredSuspended, nil, keyring.Suspended},
		{"revoked", v1alpha1.DesiredRevoked, nil, keyring.Revoked},
		{"active, being deleted", v1alpha1.DesiredActive, &now, keyring.Deleted},
		{"suspended, being deleted", v1alpha1.DesiredSuspended, &now, keyring.Deleted},
		{"revoked, being deleted: its digest stays denied", v1alpha1.DesiredRevoked, &now, keyring.Revoked},
	} {
		k := Key(&v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: tc.deleted}, Spec: v1alpha1.APIKeySpec{State: tc.state}})
		if k.State != tc.want || k.Err != nil {
			t.Errorf("%s: got %v, %v, want %v", tc.name, k.State, k.Err, tc.want)
		}
	}
}

// status.state is for people: what is enforced is spec and the versions.
func TestStatusStateIsNotEnforced(t *testing.T) {
	end := metav1.NewTime(time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC))
	digest := "sha256:" + strings.Repeat("ab", 32)
	k := Key(&v1alpha1.APIKey{Status: v1alpha1.APIKeyStatus{
		State: v1alpha1.StateRevoked,
		Keys: []v1alpha1.KeyVersion{
			{Digest: digest, Hint: "ak_abcd", Phase: v1alpha1.KeyRetiring, NotAfter: &end},
			{Digest: "sha256:short", Phase: v1alpha1.KeyCurrent},
		},
	}})
	if k.State != keyring.Active || len(k.Versions) != 1 || k.Versions[0].Digest.String() != digest ||
		k.Versions[0].Hint != "ak_abcd" || !k.Versions[0].NotAfter.Equal(end.Time) {
		t.Errorf("got %v with versions %+v, want it active with the one version that has a digest", k.State, k.Versions)
	}
}

func TestAPIsThatCanNotBeRead(t *testing.T) {
	for name, tc := range map[string]struct {
		spec     v1alpha1.ProtectedAPISpec
		says     string
		selector bool
	}{
		"a selector with an operator that is none": {v1alpha1.ProtectedAPISpec{AllowedNamespaces: &v1alpha1.AllowedNamespaces{
			From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Is"}}},
		}}, "spec.allowedNamespaces.selector", true},
		"a key that is too weak":   {v1alpha1.ProtectedAPISpec{KeyFormat: &v1alpha1.KeyFormat{Encoding: v1alpha1.EncodingHex, Length: 31}}, "spec.keyFormat", false},
		"a proxy that is none":     {v1alpha1.ProtectedAPISpec{ClientIP: &v1alpha1.ClientIP{TrustedProxies: []v1alpha1.IPBlock{"proxy"}}}, "spec.clientIP.trustedProxies", false},
		"a field that no key has":  {v1alpha1.ProtectedAPISpec{Bindings: []v1alpha1.Binding{{Equals: "owner.phone"}}}, "spec.bindings[0].equals", false},
		"an alphabet that is none": {v1alpha1.ProtectedAPISpec{KeyFormat: &v1alpha1.KeyFormat{Encoding: "Base1", Length: 32}}, "spec.keyFormat", false},
	} {
		t.Run(name, func(t *testing.T) {
			api := API(&v1alpha1.ProtectedAPI{Spec: tc.spec}, nil)
			if api.Err == nil || !strings.Contains(api.Err.Error(), tc.says) || errors.As(api.Err, new(SelectorError)) != tc.selector {
				t.Errorf("the error is %v, want one of %s", api.Err, tc.says)
			}
		})
	}
}

func TestAllowedNamespaces(t *testing.T) {
	namespaces := Namespaces{"apis": {}, "shop": {"keys": "yes"}, "other": {"keys": "no"}}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"keys": "yes"}}
	for name, tc := range map[string]struct {
		from *v1alpha1.AllowedNamespaces
		want string
	}{
		"unset":    {nil, "apis"},
		"same":     {&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSame}, "apis"},
		"all":      {&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}, "apis shop other unseen"},
		"selector": {&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: selector}, "shop"},
	} {
		p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: "apis"}, Spec: v1alpha1.ProtectedAPISpec{AllowedNamespaces: tc.from}}
		api := API(p, namespaces)
		var admitted []string
		for _, n := range []string{"apis", "shop", "other", "unseen"} {
			if api.Admits(n) {
				admitted = append(admitted, n)
			}
		}
		if got := strings.Join(admitted, " "); got != tc.want {
			t.Errorf("%s: admits %q, want %q", name, got, tc.want)
		}
	}
}

func TestEnvironments(t *testing.T) {
	both := &v1alpha1.KeyFormat{Prefix: "bk", Encoding: v1alpha1.EncodingHex, Length: 32, Environments: []v1alpha1.EnvironmentName{"live", "test"}}
	none := &v1alpha1.KeyFormat{Prefix: "bs", Encoding: v1alpha1.EncodingHex, Length: 48}
	for _, tc := range []struct {
		name   string
		format *v1alpha1.KeyFormat
		env    v1alpha1.EnvironmentName
		says   string
	}{
		{"one of them", both, "live", ""},
		{"none of them", both, "prod", `"prod" is not one of the API's: live, test`},
		{"missing", both, "", "must be one of the API's: live, test"},
		{"none declared, none named", none, "", ""},
		{"none declared, one named", none, "live", "the API has no environments, must be unset"},
		{"the default API's", nil, "", ""},
		{"one for the default API", nil, "live", "must be unset"},
	} {
		f, err := Format(tc.format, tc.env)
		if tc.says == "" && (err != nil || f.Environment != string(tc.env)) {
			t.Errorf("%s: got %+v, %v", tc.name, f, err)
		}
		if tc.says != "" && (!errors.Is(err, ErrEnvironment) || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: got %v, want an error that says %q", tc.name, err, tc.says)
		}
	}
}
