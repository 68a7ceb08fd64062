package forwardauth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// scopesParameter names the scopes that a key must have.
const scopesParameter = "scopes"

var (
	errAPI      = errors.New("path: want /authorize/<convention>[/<namespace>/<api>]")
	errAppended = errors.New("path: want /authorize/envoy/<namespace>/<api> before the client's path, or - for either")
)

// splitTarget reads what follows "/authorize/<convention>": the gateway's own
// configuration and, for a proxy that appends it, the client's path and query.
//
// What a client sends must never be read as configuration. So where its path is
// appended both segments are demanded, with "-" for what isn't named, and there
// are no parameters.
func splitTarget(rest string, appends bool) (t auth.Target, appended string, err error) {
	var path, query string
	if appends {
		end := third(rest)
		if end < 0 || rest[0] != '/' {
			return t, "", errAppended
		}
		path, appended = rest[:end], rest[end:]
	} else {
		path, query, _ = strings.Cut(rest, "?")
	}
	api, err := apiOf(path)
	if err != nil {
		return t, "", err
	}
	scopes, err := scopesOf(query)
	if err != nil {
		return t, "", err
	}
	return authn.ParseTarget(api, scopes), appended, nil
}

// third is where the third slash is, or negative.
func third(s string) int {
	slashes := 0
	for i := range len(s) {
		if s[i] == '/' {
			if slashes++; slashes == 3 {
				return i
			}
		}
	}
	return -1
}

// apiOf reads the segments that name an API, each with the slash before it, as
// authn.ParseTarget wants them.
func apiOf(path string) (string, error) {
	switch path {
	case "", "/-/-":
		return "", nil
	case "/default", "/-/default":
		return "default", nil
	}
	if strings.Count(path, "/") != 2 {
		return "", errAPI
	}
	return path[1:], nil
}

// scopesOf reads the one parameter that there may be.
func scopesOf(query string) (string, error) {
	if query == "" {
		return "", nil
	}
	// Nearly always there is nothing to decode.
	if scopes, ok := strings.CutPrefix(query, scopesParameter+"="); ok && scopes != "" && !strings.ContainsAny(scopes, "%+&;") {
		return scopes, nil
	}
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("query: %w", err)
	}
	for name, values := range parameters {
		// Empty, it may be what is left of a variable that isn't set.
		if name != scopesParameter || len(values) != 1 || values[0] == "" {
			return "", fmt.Errorf("query: unknown, repeated or empty parameter %q, want %s once", name, scopesParameter)
		}
	}
	return parameters.Get(scopesParameter), nil
}
