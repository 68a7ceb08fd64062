package audit

import (
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

var withKey = fields{"authorization": {"Bearer " + rawKey}}

// The lines are the schema of docs/audit.md.
func TestLines(t *testing.T) {
	const (
		identity = `"key":{"namespace":"team","name":"integration","uid":"4f2c","hint":"bk_live_1234","project":"proj_abc123","environment":"live","owner":{"name":"Shop team","email":"ops@shop.example"}}`
		time     = `{"time":"2026-11-03T09:41:07.12Z"`
		asked    = `"method":"GET","host":"api.shop.dev","route":"/v1/budgets/{id}","path":"/v1/budgets/7","client":"203.0.113.7","caller":"10.0.0.9"`
		end      = `"source":"API","latencyMicros":21}` + "\n"
	)
	for _, tc := range []struct {
		name    string
		change  func(*world)
		request *auth.Request
		want    string
	}{
		{
			name: "allowed", request: request(withKey),
			want: time + `,"verdict":"allowed","reason":"allowed","status":200,"door":"ext_authz","api":"apis/shop",` + identity + `,` + asked + `,` + end,
		},
		{
			name: "allowed, with a source and a request ID",
			request: request(fields{
				"authorization":  {"Bearer " + rawKey},
				"x-audit-source": {"API - <Registration> Page & \"more\""}, "x-request-id": {"5e7a1c86-0d6c-4c5f-9a70-2f9c5ce2f1f0"},
			}),
			want: time + `,"verdict":"allowed","reason":"allowed","status":200,"door":"ext_authz","api":"apis/shop",` + identity + `,` + asked +
				`,"source":"API - <Registration> Page & \"more\"","requestId":"5e7a1c86-0d6c-4c5f-9a70-2f9c5ce2f1f0","latencyMicros":21}` + "\n",
		},
		{
			name: "without a credential", request: request(nil),
			want: time + `,"verdict":"denied","reason":"missing_credential","status":401,"door":"ext_authz","api":"apis/shop",` + asked + `,` + end,
		},
		{
			name: "a key that isn't known", request: request(fields{"authorization": {"Bearer " + otherKey}}),
			want: time + `,"verdict":"denied","reason":"unknown_key","status":401,"door":"ext_authz","api":"apis/shop",` + asked + `,` + end,
		},
		{
			name: "too many keys that aren't known", change: (*world).throttled, request: request(fields{"authorization": {"Bearer " + otherKey}}),
			want: time + `,"verdict":"denied","reason":"wrong_key_throttled","status":429,"door":"ext_authz","api":"apis/shop",` + asked + `,` + end,
		},
		{
			name: "a known key without the scope",
			request: func() *auth.Request {
				r := request(withKey)
				r.Method = "POST"
				return r
			}(),
			want: time + `,"verdict":"denied","reason":"insufficient_scope","status":403,"door":"ext_authz","api":"apis/shop",` + identity + `,` +
				strings.Replace(asked, "GET", "POST", 1) + `,` + end,
		},
		{
			name: "over the rate limit", change: (*world).limited, request: request(withKey),
			want: time + `,"verdict":"denied","reason":"rate_limited","status":429,"door":"ext_authz","api":"apis/shop",` + identity + `,` + asked + `,` + end,
		},
		{
			name: "a denial that its client sees as 200", request: request(nil),
			change: func(w *world) {
				w.api.Denials = map[string]keyring.Denial{keyring.DefaultDenial: {Status: 200}}
			},
			want: time + `,"verdict":"denied","reason":"missing_credential","status":200,"door":"ext_authz","api":"apis/shop",` + asked + `,` + end,
		},
		{
			name: "a host of no API", request: &auth.Request{
				Caller: netip.MustParseAddr("::ffff:10.0.0.9"), Method: "GET", Host: "other.dev", Path: "/a?b", Source: "203.0.113.7", Time: at,
			},
			want: time + `,"verdict":"denied","reason":"unknown_api","status":503,"door":"ext_authz","method":"GET","host":"other.dev","path":"/a","client":"203.0.113.7","caller":"10.0.0.9",` + end,
		},
		{
			name: "a path that isn't normal", request: &auth.Request{
				Caller: netip.MustParseAddr("10.0.0.9"), Method: "GET", Host: "api.shop.dev", Path: "/v1/../admin\n?a=b", Source: "@", Time: at,
			},
			want: time + `,"verdict":"denied","reason":"invalid_path","status":400,"door":"ext_authz","method":"GET","host":"api.shop.dev","path":"/v1/../admin","caller":"10.0.0.9",` + end,
		},
		{
			name: "a caller that isn't trusted, with an absolute URL", request: &auth.Request{
				Caller: netip.MustParseAddr("192.0.2.1"), Method: "GET", Host: "api.shop.dev", Path: "http://u:p@api.shop.dev/", Source: "203.0.113.7", Time: at,
			},
			want: time + `,"verdict":"denied","reason":"caller_not_trusted","status":403,"door":"ext_authz","method":"GET","host":"api.shop.dev","caller":"192.0.2.1",` + end,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if tc.change != nil {
				tc.change(w)
			}
			if got := w.ask(tc.request); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	none := request(withKey)
	none.Host = "other.dev"
	for _, tc := range []struct {
		name    string
		level   keyring.AuditLevel
		request *auth.Request
		lines   int
	}{
		{"All, allowed", keyring.AuditAll, request(withKey), 1},
		{"All, denied", keyring.AuditAll, request(nil), 1},
		{"Denied, allowed", keyring.AuditDenied, request(withKey), 0},
		{"Denied, denied", keyring.AuditDenied, request(nil), 1},
		{"None, allowed", keyring.AuditNone, request(withKey), 0},
		{"None, denied", keyring.AuditNone, request(nil), 0},
		{"None, but the request is of no API", keyring.AuditNone, none, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.api.Audit.Level = tc.level
			if got := strings.Count(w.ask(tc.request), "\n"); got != tc.lines {
				t.Errorf("got %d lines, want %d", got, tc.lines)
			}
		})
	}
	t.Run("no audit log", func(t *testing.T) {
		next := newWorld(t).door.next
		if got := (*Log)(nil).Door("nginx", next); got != next {
			t.Errorf("got %v, want the Authenticator itself", got)
		}
	})
}

func TestSource(t *testing.T) {
	custom := keyring.Audit{SourceHeader: "x-origin", DefaultSource: "Shop API"}
	for _, tc := range []struct {
		name     string
		settings keyring.Audit
		headers  fields
		want     string
	}{
		{"none", keyring.Audit{}, nil, "API"},
		{"the client's", keyring.Audit{}, fields{"x-audit-source": {"API - Registration Page"}}, "API - Registration Page"},
		{"of several the first", keyring.Audit{}, fields{"x-audit-source": {"first", "second"}}, "first"},
		{"joined by the gateway", keyring.Audit{}, fields{"x-audit-source": {"first,second"}}, "first,second"},
		{"nothing printable", keyring.Audit{}, fields{"x-audit-source": {" \x00\u202e\t"}}, "API"},
		{"another header, not sent", custom, fields{"x-audit-source": {"ignored"}}, "Shop API"},
		{"another header", custom, fields{"x-origin": {"pipeline"}}, "pipeline"},
		{"too long", keyring.Audit{}, fields{"x-audit-source": {strings.Repeat("é", 200)}}, strings.Repeat("é", 128)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.api.Audit = tc.settings
			if got := w.record(t, tc.headers).Source; got != tc.want {
				t.Errorf("got source %q, want %q", got, tc.want)
			}
		})
	}
}

// The default API and requests of a broken one are logged too.
func TestDefaultAndBrokenAPIs(t *testing.T) {
	w := newWorld(t)
	r := request(fields{"x-audit-source": {"me"}})
	r.Target.Kind = auth.ByDefault
	if got := parse(t, w.ask(r)); got.API != "default" || got.Reason != "missing_credential" || got.Source != "me" {
		t.Errorf("got %+v, want a line of the default API", got)
	}
	w.api.Err = auth.ErrPath
	if got := parse(t, w.ask(request(withKey))); got.API != "apis/shop" || got.Reason != "broken_api" || got.Status != 503 {
		t.Errorf("got %+v, want a line of the broken API", got)
	}
}

func TestSchemaIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for prefix, of := range map[string]reflect.Type{"": reflect.TypeFor[Record](), "key.": reflect.TypeFor[Key](), "key.owner.": reflect.TypeFor[Owner]()} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name != "owner" && !strings.Contains(page, "`"+prefix+name+"`") {
				t.Errorf("docs/audit.md doesn't name `%s%s`", prefix, name)
			}
		}
	}
	_, example, _ := strings.Cut(page, "```json\n")
	example, _, _ = strings.Cut(example, "\n```")
	if got := parse(t, example); got.Reason != "insufficient_scope" || got.Key.Owner.Name == "" {
		t.Errorf("the example is %+v", got)
	}
}

// What a client sends has bounds in the log.
func TestBounds(t *testing.T) {
	r := request(withKey)
	r.Method, r.Host = strings.Repeat("M-", 999), strings.Repeat("h.", 999)
	r.Path = "/v1/" + strings.Repeat("a/", 1999) + "?" + strings.Repeat("q", 999)
	got := parse(t, newWorld(t).ask(r))
	if len(got.Method) != maxMethod || len(got.Host) != maxHost || len(got.Path) != maxPath {
		t.Errorf("got %d characters of the method, %d of the host, %d of the path", len(got.Method), len(got.Host), len(got.Path))
	}
}

// Requests of the ordinary kind leave nothing to the garbage collector, and a line
// that is used again holds no credential.
func TestLinesAreUsedAgain(t *testing.T) {
	w := newWorld(t)
	only := new(line)
	w.door.log.lines.New = func() any { return only } // the race detector loses what is put back
	for name, r := range map[string]*auth.Request{"allowed": ordinary(rawKey), "denied": ordinary(otherKey), "nothing sent": request(nil)} {
		v := w.door.next.Authenticate(r)
		if n := testing.AllocsPerRun(100, func() {
			w.out.Reset()
			w.door.log.write("ext_authz", r, &v, 0)
		}); n != 0 || strings.Count(w.out.String(), "\n") != 1 {
			t.Errorf("%s: %v allocations, wrote %q", name, n, w.out.String())
		}
		held := only.secrets.presented
		if s := only.secrets; len(only.text) != 0 || len(held) != 0 || s.api != nil || s.tooMany || strings.Join(held[:cap(held)], "") != "" {
			t.Errorf("%s: afterwards the line holds %q and %+v", name, only.text, s)
		}
	}
}
