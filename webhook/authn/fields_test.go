package authn_test

import (
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// identity is what an upstream is told, as the doors ask for it.
func identity(v *auth.Verdict) []authn.Field {
	fields := make([]authn.Field, len(authn.IdentityHeaders))
	for i, name := range authn.IdentityHeaders {
		fields[i] = authn.Field{Name: name, Value: authn.IdentityValue(v, i)}
	}
	return fields
}

// rateLimitHeaders are what a client is told that was let through.
func rateLimitHeaders(l ratelimit.Limit, r ratelimit.Result) []authn.Field {
	v := &auth.Verdict{Key: &keyring.Key{Terms: &keyring.Terms{Limit: l}}, Limited: true, Rate: r}
	return []authn.Field{
		{Name: authn.RatePolicyHeader, Value: string(authn.AppendRatePolicy(nil, v))},
		{Name: authn.RateHeader, Value: string(authn.AppendRate(nil, v))},
	}
}
