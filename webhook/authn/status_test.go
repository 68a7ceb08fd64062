package authn_test

import (
	"strconv"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// Whatever an API makes of its denials, StatusOf is the status of the response.
func TestStatusOfIsTheStatusOfTheResponse(t *testing.T) {
	reasons := append(authntest.Reasons(t), "", "a new one")
	apis := map[string]*keyring.API{
		"no API":           nil,
		"an API":           {},
		"a body":           {Denials: map[string]keyring.Denial{"default": {Body: body(t, "{{ .Status }}")}}},
		"for another code": {Denials: map[string]keyring.Denial{"other": {Status: 418}}},
		"a code of its own": {Denials: map[string]keyring.Denial{
			"default": {Status: 418}, "unauthorized": {}, "insufficient_scope": {Status: 404}, "unavailable": {Status: 200},
		}},
	}
	for _, status := range []int{200, 204, 304, 401, 404, 500} {
		name := strconv.Itoa(status)
		apis[name] = &keyring.API{Denials: map[string]keyring.Denial{"default": {Status: status}}}
		apis[name+" and a body that can't be rendered"] = &keyring.API{Denials: map[string]keyring.Denial{
			"default": {Status: status, Body: body(t, "{{ .Missing }}")},
		}}
	}
	for name, api := range apis {
		for _, reason := range reasons {
			v := auth.Verdict{Reason: reason, API: api}
			if got, want := authn.StatusOf(&v), authn.NewDenial(&v).Response().Status; got != want {
				t.Errorf("%s, reason %q: got %d, want %d", name, reason, got, want)
			}
		}
	}
}
