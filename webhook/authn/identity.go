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

// ScopesHeader is the index of that with the scopes in IdentityHeaders.
const ScopesHeader = 3

// Hidden reports whether the API keeps the i-th of IdentityHeaders from its upstream.
func Hidden(v *auth.Verdict, i int) bool {
	return v.API != nil && v.API.HideHeaders[IdentityHeaders[i]]
}

// IdentityValue returns the value of the i-th of IdentityHeaders for a request that
// was let through. One that the key lacks, or that the API keeps from its upstream, is
// empty.
func IdentityValue(v *auth.Verdict, i int) string {
	k := v.Key
	if k == nil || Hidden(v, i) {
		return ""
	}
	value := ""
	switch i {
	case 0:
		value = k.Name.Name
	case 1:
		value = k.Name.Namespace
	case 2:
		value = k.Project
	case ScopesHeader:
		value = k.ScopesText()
	case 4:
		value = k.Environment
	case 5:
		value = v.Hint()
	case 6:
		value = k.OwnerName
	case 7:
		value = k.OwnerEmail
	}
	return headerValue(value)
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
	if isHeaderValue(s) {
		return s
	}
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

func isHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '%' {
			return false
		}
	}
	return true
}
