package compile

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestAudit(t *testing.T) {
	shopKey := []v1alpha1.Credential{{Type: v1alpha1.CredentialHeader, Header: &v1alpha1.HeaderCredential{Name: "X-Shop-Key"}}}
	for _, tc := range []struct {
		name        string
		spec        *v1alpha1.Audit
		credentials []v1alpha1.Credential
		want        keyring.Audit
		err         string
	}{
		{name: "unset is the defaults"},
		{name: "empty is the defaults", spec: &v1alpha1.Audit{}},
		{name: "all", spec: &v1alpha1.Audit{Log: v1alpha1.AuditAll}},
		{name: "denied", spec: &v1alpha1.Audit{Log: v1alpha1.AuditDenied}, want: keyring.Audit{Level: keyring.AuditDenied}},
		{name: "none", spec: &v1alpha1.Audit{Log: v1alpha1.AuditNone}, want: keyring.Audit{Level: keyring.AuditNone}},
		{
			name: "a header is looked up in lower case",
			spec: &v1alpha1.Audit{SourceHeader: "X-Origin", DefaultSource: "Shop API"},
			want: keyring.Audit{SourceHeader: "x-origin", DefaultSource: "Shop API"},
		},
		{
			name: "a level from a later version", spec: &v1alpha1.Audit{Log: "Changes"},
			err: `spec.audit.log: "Changes" is not known`,
		},
		{
			name: "Authorization", spec: &v1alpha1.Audit{SourceHeader: "Authorization"},
			err: "spec.audit.sourceHeader: Authorization holds credentials, which may not be logged",
		},
		{
			name: "Cookie", spec: &v1alpha1.Audit{SourceHeader: "COOKIE"},
			err: "spec.audit.sourceHeader: COOKIE holds credentials, which may not be logged",
		},
		{
			name: "the header of the API's keys", spec: &v1alpha1.Audit{SourceHeader: "x-shop-KEY"}, credentials: shopKey,
			err: "spec.audit.sourceHeader: x-shop-KEY holds credentials, which may not be logged",
		},
		{
			name: "the header of the keys by default", spec: &v1alpha1.Audit{SourceHeader: "X-API-Key"},
			err: "spec.audit.sourceHeader: X-API-Key holds credentials, which may not be logged",
		},
		{
			name: "a header that isn't one of this API's keys", spec: &v1alpha1.Audit{SourceHeader: "X-API-Key"}, credentials: shopKey,
			want: keyring.Audit{SourceHeader: "x-api-key"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			api := API(&v1alpha1.ProtectedAPI{
				ObjectMeta: metav1.ObjectMeta{Namespace: "apis", Name: "shop"},
				Spec:       v1alpha1.ProtectedAPISpec{Audit: tc.spec, Credentials: tc.credentials},
			}, nil)
			got := ""
			if api.Err != nil {
				got = api.Err.Error()
			}
			if got != tc.err || api.Audit != tc.want {
				t.Errorf("got %+v and error %q, want %+v and %q", api.Audit, got, tc.want, tc.err)
			}
		})
	}
}
