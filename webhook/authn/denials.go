package authn

import (
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// Denials renders denials. Those that say nothing of the one request, of an unknown
// key first of all, are rendered once for each API: to deny shall not cost more than
// to allow. The zero Denials is ready, and safe for concurrent use.
type Denials struct {
	rendered memo[denialOf, Rendered]
}

type denialOf struct {
	api    *keyring.API
	reason auth.Reason
}

// Rendered is a denial with its response.
type Rendered struct {
	Denial
	// Response is shared: it must not be changed.
	Response Response
	// text is what Encode writes, "" where that isn't known yet.
	text string
}

// Of renders the denial of a verdict.
func (d *Denials) Of(v *auth.Verdict) Rendered {
	if v.MissingScope != "" || v.ConditionMessage != "" || v.Limited || v.RetryAfter != 0 {
		denial := NewDenial(v)
		return Rendered{Denial: denial, Response: denial.Response()}
	}
	return d.rendered.get(denialOf{v.API, v.Reason}, func() Rendered {
		denial := NewDenial(v)
		return Rendered{denial, denial.Response(), denial.Encode()}
	})
}

// Encode writes the denial as Denial.Encode does.
func (r *Rendered) Encode() string {
	if r.text != "" {
		return r.text
	}
	return r.Denial.Encode()
}
