package authn

import (
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// IdentityHeaders are the headers that tell an upstream whose request it is, in
// lower case. A client's own are always taken away.
var IdentityHeaders = []string{
	"x-apikey-name", "x-apikey-namespace", "x-apikey-project", "x-apikey-scopes",
	"x-apikey-environment", "x-apikey-hint", "x-apikey-owner", "x-apikey-owner-email",
}

// Identity returns the values of IdentityHeaders, in their order, for a request
// that was let through. Those that the key lacks, or that the API keeps from its
// upstream, are empty.
func Identity(v *auth.Verdict) []Field {
	values := make([]string, len(IdentityHeaders))
	if k := v.Key; k != nil {
		values = []string{
			k.Name.Name, k.Name.Namespace, k.Project, strings.Join(k.Scopes, ","),
			k.Environment, v.Hint(), k.OwnerName, k.OwnerEmail,
		}
	}
	fields := make([]Field, len(values))
	for i, value := range values {
		if v.API != nil && v.API.HideHeaders[IdentityHeaders[i]] {
			value = ""
		}
		fields[i] = Field{IdentityHeaders[i], headerValue(value)}
	}
	return fields
}

// CredentialHeader returns the header that held the credential and shall not reach
// the upstream, in lower case, or "" if there is none.
func CredentialHeader(v *auth.Verdict) string {
	if v.API != nil && v.API.KeepCredential {
		return ""
	}
	switch v.Credential.Place {
	case keyring.Bearer, keyring.Basic:
		return "authorization"
	case keyring.Header:
		return v.Credential.Name
	default:
		return ""
	}
}

// headerValue percent-encodes what isn't printable ASCII, and "%" itself.
func headerValue(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '%' {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&0xf])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
