package authn

import (
	"strconv"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
)

// Headers that tell a client of its rate limit and what is left of it
// (draft-ietf-httpapi-ratelimit-headers-10).
const (
	RatePolicyHeader = "RateLimit-Policy"
	RateHeader       = "RateLimit"
)

// AppendRatePolicy appends the value of RatePolicyHeader for a verdict that is
// Limited.
func AppendRatePolicy(b []byte, v *auth.Verdict) []byte {
	return appendRatePolicy(b, v.Key.Limit.Requests, seconds(v.Key.Limit.Period))
}

// AppendRate appends the value of RateHeader for a verdict that is Limited.
func AppendRate(b []byte, v *auth.Verdict) []byte {
	return appendRate(b, v.Rate.Remaining, seconds(v.Rate.Reset))
}

func appendRatePolicy(b []byte, requests, window int64) []byte {
	b = strconv.AppendInt(append(b, `"default";q=`...), requests, 10)
	return strconv.AppendInt(append(b, ";w="...), window, 10)
}

func appendRate(b []byte, remaining, reset int64) []byte {
	b = strconv.AppendInt(append(b, `"default";r=`...), remaining, 10)
	return strconv.AppendInt(append(b, ";t="...), reset, 10)
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
