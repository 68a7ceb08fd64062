package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// secretHeaders hold credentials of one kind or another, ours or not.
var secretHeaders = []string{"authorization", "cookie", "proxy-authorization"}

// setAudit compiles what the audit log holds. A header of credentials can't name
// the source of a request: it would end in the log.
func setAudit(p *v1alpha1.ProtectedAPI, api *keyring.API) error {
	a := p.Spec.Audit
	if a == nil {
		return nil
	}
	out := keyring.Audit{SourceHeader: strings.ToLower(string(a.SourceHeader)), DefaultSource: a.DefaultSource}
	switch a.Log {
	case "", v1alpha1.AuditAll:
	case v1alpha1.AuditDenied:
		out.Level = keyring.AuditDenied
	case v1alpha1.AuditNone:
		out.Level = keyring.AuditNone
	default:
		return fmt.Errorf("spec.audit.log: %q is not known", a.Log)
	}
	isPlace := func(c keyring.Credential) bool { return c.Place == keyring.Header && c.Name == out.SourceHeader }
	if slices.Contains(secretHeaders, out.SourceHeader) || slices.ContainsFunc(api.Credentials, isPlace) {
		return fmt.Errorf("spec.audit.sourceHeader: %s holds credentials, which may not be logged", a.SourceHeader)
	}
	api.Audit = out
	return nil
}
