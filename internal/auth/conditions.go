package auth

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/condition"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// unmet says that a condition of the API isn't met, or nothing.
func unmet(r *Request, v *Verdict) Reason {
	if len(v.API.Conditions) == 0 {
		return ""
	}
	in := conditionInput(r, v)
	for _, c := range v.API.Conditions {
		if !c.Expression.Met(in) {
			v.ConditionMessage = c.Message
			return ConditionNotMet
		}
	}
	return ""
}

// conditionInput is what conditions see: of the request what was judged, and
// nothing that holds a credential.
func conditionInput(r *Request, v *Verdict) *condition.Input {
	k := v.Key
	in := &condition.Input{
		Method:  r.Method,
		Path:    v.Path,
		Headers: visibleHeaders{r.Headers, v.API.Credentials},
		Time:    r.Time,
		Key: condition.Key{
			Name: k.Name.Name, Namespace: k.Name.Namespace, Project: k.Project, Environment: k.Environment,
			Scopes: k.Scopes, Attributes: k.Attributes.Map(), OwnerName: k.OwnerName, OwnerEmail: k.OwnerEmail, Hint: v.Hint(),
		},
	}
	in.Host, _ = NormalizeHost(r.Host) // one that is not normal never gets here
	_, query, _ := strings.Cut(r.Path, "?")
	in.Query = visibleQuery{query, v.API.Credentials}
	if v.Client.IsValid() {
		in.ClientIP = v.Client.String()
	}
	return in
}

// errRepeated is for what was sent more than once: which one an upstream reads
// can't be known.
var errRepeated = errors.New("sent more than once")

// visibleHeaders are headers without those where the API looks for keys, and those
// that hold credentials of others. Envoy's pseudo headers aren't headers.
type visibleHeaders struct {
	headers     Headers
	credentials []keyring.Credential
}

// Value implements condition.Values.
func (h visibleHeaders) Value(name string) (string, bool, error) {
	if condition.Hidden(name) || strings.HasPrefix(name, ":") || slices.Contains(h.credentials, keyring.Credential{Place: keyring.Header, Name: name}) {
		return "", false, nil
	}
	value, sent := first(h.headers, name)
	if sent > 1 {
		return "", true, errRepeated
	}
	return trimBlanks(value), sent == 1, nil
}

// visibleQuery are the parameters of a query without those where the API looks for
// keys.
type visibleQuery struct {
	query       string
	credentials []keyring.Credential
}

// Value implements condition.Values.
func (q visibleQuery) Value(name string) (value string, sent bool, err error) {
	if slices.Contains(q.credentials, keyring.Credential{Place: keyring.Query, Name: name}) {
		return "", false, nil
	}
	for rest := q.query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		k, text, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(k); err != nil || k != name {
			continue
		}
		if sent {
			return "", true, errRepeated
		}
		sent = true
		if value, err = url.QueryUnescape(text); err != nil {
			return "", true, err
		}
	}
	return value, sent, nil
}
