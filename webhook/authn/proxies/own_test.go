package proxies

import (
	"fmt"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/safetemplate"
)

// A client sees the response that the API wants, to the letter. Only a status of
// 2xx can't be told to every proxy: through those a client sees 401 or 403 with the
// API's headers and body.
func TestDenialsOfTheAPI(t *testing.T) {
	body, err := safetemplate.Parse(`{"success": false,"why": {{ .Error | json }},"status": {{ .Status }}}`)
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, s *system) {
		suspended := s.key("suspended", func(k *keyring.Key) { k.State = keyring.Suspended })
		for _, status := range []int{200, 202, 302, 400, 401, 404, 418, 451, 500, 503, 599} {
			api := billoget()
			api.Denials = map[string]keyring.Denial{keyring.DefaultDenial: {
				Status: status, Body: body,
				Headers: [][2]string{{"Content-Type", "application/problem+json"}, {"X-Own", "a \"b\", c"}, {"Location", "/login?x=y"}},
			}}
			s.ring.SetAPI(api)
			for _, row := range []struct {
				code, challenge string
				told            int
				request         request
			}{
				{"unauthorized", "Www-Authenticate: Bearer realm=\"apis/billoget\"\n", 401, request{}},
				{"key_suspended", "", 403, request{fields: bearer(suspended)}},
			} {
				before := s.upstream.requests.Load()
				got := s.send(t, row.request)
				sees, told := status, ""
				switch {
				case status < 300 && s.door.not2xx:
					sees, told = row.told, fmt.Sprintf("X-Apikey-Status: %d\n", status)
				case status >= 500 && s.door.told != "":
					sees, told = 503, fmt.Sprintf("X-Apikey-Status: %d\n", status)
				}
				want := fmt.Sprintf("%d\nCache-Control: no-store\nContent-Type: application/problem+json\nLocation: /login?x=y\n%s%sX-Own: a \"b\", c\n\n"+
					`{"success": false,"why": "%s","status": %d}`, sees, row.challenge, told, row.code, status)
				if got.String() != want {
					t.Errorf("%d, %s: got %s\nwant %s", status, row.code, got, want)
				}
				if s.upstream.requests.Load() != before {
					t.Errorf("%d, %s: the upstream saw it", status, row.code)
				}
			}
		}
	})
}
