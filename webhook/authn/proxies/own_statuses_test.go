package proxies

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/hack/parts"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/safetemplate"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// words are what an API answers denied requests with.
func words(t testing.TB, status int, headers [][2]string, body string) map[string]keyring.Denial {
	t.Helper()
	template, err := safetemplate.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]keyring.Denial{keyring.DefaultDenial: {Status: status, Headers: headers, Body: template}}
}

// own is a door's reply where an API has words of its own: the default one with
// another status, three headers and a body.
func (d door) own(byDefault string, status int) string {
	head, _, _ := strings.Cut(byDefault, "\n\n")
	lines := strings.Split(head, "\n")
	headers := map[string]string{"Content-Type": "application/problem+json", "Location": "https://login.example/?a=b", "X-Why": "its own"}
	for _, line := range lines[1:] {
		if name, value, ok := strings.Cut(line, ": "); ok && headers[name] == "" && name != "X-Apikey-Status" {
			headers[name] = value
		}
	}
	shown, body := fmt.Sprint(status), `{"own": "words"}`
	if status == 204 {
		body = ""
		if d.part == parts.Envoy { // which says nothing of what isn't there
			delete(headers, "Content-Type")
		}
	}
	if d.recipe == envoyHTTP.recipe && (status < 300 || status >= 500) {
		headers["X-Apikey-Status"] = shown
		switch {
		case status >= 500:
			shown = "503"
		case lines[0] == "401":
			shown = "401"
		default:
			shown = "403"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		shown += "\n" + name + ": " + headers[name]
	}
	return shown + "\n\n" + body
}

// An API may answer denied requests with any status, headers and body. Clients see
// exactly that through Envoy over gRPC and nginx, and nothing passes, least of all
// where the status is 200.
func TestEveryDenialWithAStatusOfTheAPI(t *testing.T) {
	// These are decided before the API is known, so they can't be its own.
	early := []auth.Reason{auth.CallerNotTrusted, auth.InvalidPath, auth.NotSynced, auth.UnknownAPI}
	through(t, func(t *testing.T, s *system) {
		for _, row := range denials(s) {
			if row.scoped && !s.door.scoped || slices.Contains(early, row.reason) {
				continue
			}
			t.Run(row.what, func(t *testing.T) {
				if row.arrange != nil {
					row.arrange(t, s)
				}
				arranged, _ := s.ring.API(billogetName)
				t.Cleanup(func() { s.ring.SetAPI(billoget()) })
				for _, status := range append([]int{401, 503}, authntest.Statuses...) {
					api := *arranged
					api.Denials = words(t, status, [][2]string{{"Content-Type", "application/problem+json"}, {"X-Why", "its own"}, {"Location", "https://login.example/?a=b"}}, `{"own": "words"}`)
					s.ring.SetAPI(&api)
					if got, want := s.unseen(t, fmt.Sprint(status), row.request).String(), s.door.own(row.want, status); got != want {
						t.Errorf("got %s\nwant %s", got, want)
					}
				}
			})
		}
	})
}

// Stax.ai answers 200 to what it can't authenticate, in its own words.
func TestStaxAI(t *testing.T) {
	const failure = `{
    "success": false,
    "authError": true,
    "error": "Invalid authorization request"
}`
	name := keyring.Name{Namespace: "apis", Name: "staxai"}
	denials := words(t, 200, [][2]string{{"Content-Type", "application/json"}}, failure)
	for _, code := range []string{"invalid_path", "invalid_host", "rate_limit_exceeded", "unavailable"} {
		denials[code] = keyring.Denial{}
	}
	failed := func(challenge string) string {
		return "200\n" + common + "Www-Authenticate: Bearer realm=\"apis/staxai\"" + challenge + "\n\n" + failure
	}
	for _, d := range []door{envoyGRPC, nginx} {
		t.Run(d.recipe, func(t *testing.T) {
			parts.Need(t, d.part)
			t.Parallel()
			s := run(t, d)
			s.ring.SetAPI(&keyring.API{
				Name: name, CreatedAt: start, AllNamespaces: true, Hosts: []string{"api.stax.ai"}, Denials: denials,
				Credentials: []keyring.Credential{{Place: keyring.Bearer}}, Formats: []key.Format{{Alphabet: key.Base36, Length: 40}},
				Bindings: []keyring.Binding{{Header: "email", Field: keyring.OwnerEmail, FoldCase: true}},
			})
			raw := s.key("stacks", func(k *keyring.Key) {
				k.API, k.OwnerEmail, k.Limit.Requests, k.Limit.Period = name, "admin@shop.example", 1, 60e9
			})
			at := func(fields ...string) request { return request{host: "api.stax.ai", target: "/", fields: fields} }
			for _, row := range []struct {
				what      string
				fields    []string
				challenge string
			}{
				{"no key", nil, ""},
				{"a key that nobody has", append(bearer(strings.Repeat("z", 40)), "Email: admin@shop.example"), `, error="invalid_token"`},
				{"no email", bearer(raw), `, error="invalid_token"`},
				{"another's email", append(bearer(raw), "Email: eve@shop.example"), `, error="invalid_token"`},
			} {
				if got := s.unseen(t, row.what, at(row.fields...)); got.String() != failed(row.challenge) {
					t.Errorf("%s: got %s\nwant %s", row.what, got, failed(row.challenge))
				}
			}
			ours := append(bearer(raw), "Email:  Admin@Shop.example ")
			s.allowed(t, "key and email", at(ours...))
			if got := s.stopped(t, "over the limit", at(ours...)); got.status != 429 {
				t.Errorf("over the limit: got %s", got)
			}
			path := at(ours...)
			path.target = "/a//b"
			s.denied(t, "a path that isn't normal", path, invalidPath)
		})
	}
}
