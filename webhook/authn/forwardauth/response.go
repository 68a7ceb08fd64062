package forwardauth

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// deny tells the proxy no in its way. It is never told 2xx, whatever the client
// shall see: to the proxy it would mean allow. One that relays may put the client's
// status, which is then in a header, in place of ours.
func (c *convention) deny(w http.ResponseWriter, denial authn.Rendered) {
	response, status := denial.Response, http.StatusForbidden
	if denial.DefaultStatus() == http.StatusUnauthorized {
		status = http.StatusUnauthorized
	}
	switch {
	case c.asksAgain:
		w.Header().Set(DenialHeader, denial.Encode())
		// A body would be discarded, with the connection.
		response.Status, response.Body = status, nil
	case response.Status < 300, c.fails && response.Status >= http.StatusInternalServerError:
		w.Header().Set(StatusHeader, strconv.Itoa(response.Status))
		response.Status = status
	case c.obeys:
		w.Header().Set(StatusHeader, strconv.Itoa(response.Status))
	default:
	}
	write(w, response)
}

// allow lets the request through.
func allow(w http.ResponseWriter, removes bool, v *auth.Verdict) {
	var room [16]authn.Field
	set(w.Header(), allowed(room[:0], removes, v))
	w.WriteHeader(http.StatusOK)
}

// allowed appends the key's identity, for the upstream. Headers that the key has no
// value for are there and empty, so that a proxy that copies them also takes a
// client's own away. Envoy is told to remove them. Names are as net/http holds them.
func allowed(to []authn.Field, removes bool, v *auth.Verdict) []authn.Field {
	var names [16]string
	remove := names[:0]
	for i, key := range identityKeys {
		value := authn.IdentityValue(v, i)
		to = append(to, authn.Field{Name: key, Value: value})
		if value == "" {
			remove = append(remove, authn.IdentityHeaders[i])
		}
	}
	if name := authn.CredentialHeader(v); name != "" {
		if removes {
			to = append(to, authn.Field{Name: RemoveHeader, Value: name})
		}
		remove = append(remove, name)
	}
	if len(remove) > 0 {
		to = append(to, authn.Field{Name: "X-Envoy-Auth-Headers-To-Remove", Value: strings.Join(remove, ",")})
	}
	if v.Limited {
		var room [128]byte
		b := authn.AppendRatePolicy(room[:0], v)
		end := len(b)
		both := string(authn.AppendRate(b, v))
		to = append(to, authn.Field{Name: ratePolicyKey, Value: both[:end]}, authn.Field{Name: rateKey, Value: both[end:]})
	}
	return to
}

func write(w http.ResponseWriter, r authn.Response) {
	var room [16]authn.Field
	fields := room[:0]
	for _, f := range r.Headers {
		fields = append(fields, authn.Field{Name: http.CanonicalHeaderKey(f.Name), Value: f.Value})
	}
	set(w.Header(), fields)
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // the proxy hung up
}

// set sets header fields, whose values share one array.
func set(h http.Header, fields []authn.Field) {
	values := make([]string, len(fields))
	for i, f := range fields {
		values[i] = f.Value
		h[f.Name] = values[i : i+1 : i+1]
	}
}

// Names as net/http holds them: http.Header.Set would spell them so each time.
var (
	identityKeys  = canonical(authn.IdentityHeaders)
	rateKey       = http.CanonicalHeaderKey(authn.RateHeader)
	ratePolicyKey = http.CanonicalHeaderKey(authn.RatePolicyHeader)
)

func canonical(names []string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = http.CanonicalHeaderKey(name)
	}
	return keys
}
