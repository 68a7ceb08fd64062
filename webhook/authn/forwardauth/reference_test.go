package forwardauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// referenceTarget is splitTarget as it reads best.
func referenceTarget(rest string, appends bool) (t auth.Target, appended string, err error) {
	if appends {
		parts := strings.SplitN(rest, "/", 4)
		if len(parts) != 4 || parts[0] != "" {
			return t, "", errAppended
		}
		api, err := referenceAPI(parts[1:3])
		if err != nil {
			return t, "", err
		}
		return authn.ParseTarget(api, ""), "/" + parts[3], nil
	}
	path, query, _ := strings.Cut(rest, "?")
	var segments []string
	if path != "" {
		segments = strings.Split(path[1:], "/")
	}
	api, err := referenceAPI(segments)
	if err != nil {
		return t, "", err
	}
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return t, "", fmt.Errorf("query: %w", err)
	}
	for name, values := range parameters {
		if name != scopesParameter || len(values) != 1 || values[0] == "" {
			return t, "", errors.New("query: unknown, repeated or empty parameter")
		}
	}
	return authn.ParseTarget(api, parameters.Get(scopesParameter)), "", nil
}

func referenceAPI(segments []string) (string, error) {
	switch {
	case len(segments) == 0:
		return "", nil
	case len(segments) == 1 && segments[0] == "default":
		return "default", nil
	case len(segments) == 2 && segments[0] == "-" && segments[1] == "-":
		return "", nil
	case len(segments) == 2 && segments[0] == "-" && segments[1] == "default":
		return "default", nil
	case len(segments) == 2:
		return segments[0] + "/" + segments[1], nil
	default:
		return "", errAPI
	}
}

func FuzzSplitTarget(f *testing.F) {
	for _, rest := range []string{
		"", "/", "//", "///", "////", "/default", "/-", "/-/-", "/-/default", "/default/-", "/apis/billoget", "/apis/billoget/", "/apis/billoget/x/y?z",
		"?", "?scopes=a,b", "?scopes=a=b", "?scopes=", "?scopes", "?scopes=a&scopes=b", "?scopes=a&", "?&scopes=a", "?scopes=a+b", "?scopes=a%2Cb", "?scopes=%zz",
		"?scopes=a;b", "?scope=a", "/apis/billoget?scopes=a?b", "/a?b/c/d/e", "/apis/billoget?scopes=a/x", "?scopes=*", "?scopes=a,,b", "?scopes= a", "?x/y/z/",
	} {
		f.Add(rest, false)
		f.Add(rest, true)
	}
	f.Fuzz(func(t *testing.T, rest string, appends bool) {
		if rest != "" && rest[0] != '/' && rest[0] != '?' {
			t.Skip("nothing else follows a convention")
		}
		got, path, err := splitTarget(rest, appends)
		want, wantPath, wantErr := referenceTarget(rest, appends)
		if !reflect.DeepEqual(got, want) || path != wantPath || (err == nil) != (wantErr == nil) {
			t.Errorf("%q: got %+v, %q, %v, want %+v, %q, %v", rest, got, path, err, want, wantPath, wantErr)
		}
	})
}

func FuzzHeaderValue(f *testing.F) {
	for _, name := range []string{
		"authorization", "x-api-key", "X-Api-Key", "x--key", "-", "x-", "x-1a-2b", "www-authenticate", "x_api_key", "x api key", "é", "", "x:y", "\x00",
		strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("x", 65),
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		h := http.Header{http.CanonicalHeaderKey(name): {"one", "two"}}
		for i, want := range []string{"one", "two", ""} {
			if got, ok := headers(h).Value(name, i); got != want || ok != (i < 2) {
				t.Errorf("%q %d: got %q, %v", name, i, got, ok)
			}
		}
		if _, ok := headers(http.Header{"\xff": {"x"}}).Value(name, 0); ok && name != "\xff" {
			t.Errorf("%q: found, and isn't there", name)
		}
	})
}
