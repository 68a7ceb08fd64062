package authn

import "github.com/apikey-operator/apikey-operator/internal/auth"

// StatusOf is the status of the response to a verdict that denies, as the client
// shall see it: NewDenial(v).Response().Status without the rest of it.
func StatusOf(v *auth.Verdict) int {
	a := Denial{Reason: v.Reason}.answer()
	if v.API != nil {
		if custom, ok := v.API.Denial(a.code); ok && custom.Status != 0 {
			return custom.Status
		}
	}
	return a.status
}
