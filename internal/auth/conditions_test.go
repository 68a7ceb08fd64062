package auth

import (
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/condition"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func compiled(expression, message string) keyring.Condition {
	c, err := condition.Compile(expression)
	if err != nil {
		panic(err)
	}
	return keyring.Condition{Expression: c, Message: message}
}

func TestConditions(t *testing.T) {
	secret := func(place keyring.Credential, headers fields, target string) func(w *world) {
		return func(w *world) {
			*w = *simpleWorld(good, place)
			w.send(headers)
			w.request.Path = target
		}
	}
	nothing := func(*world) {}
	for _, c := range []struct {
		name, expression string
		apply            func(w *world)
		met              bool
	}{
		{"method", "request.method == 'GET'", nothing, true},
		{"method override headers are headers", "request.method == 'GET'", func(w *world) { w.headers["x-http-method-override"] = []string{"DELETE"} }, true},
		{"the path that was judged", "request.path == '/v1/budgets'", nothing, true},
		{"the host without port, in lower case", "request.host == 'api.shop.dev'", nothing, true},
		{"the time of the request", "request.time == timestamp('2026-11-03T09:41:07Z')", nothing, true},
		{"all of the key", "key.name == 'integration' && key.namespace == 'team' && key.project == 'budgets' && key.owner.email == 'ops@shop.example' && " +
			"key.attributes.version == 'v1' && key.hint == 'bk_live_1234' && key.scopes == ['READ_BUDGETS', 'customers:*']", nothing, true},
		{"no owner's name, no environment", "!has(key.owner.name) && !has(key.environment)", nothing, true},

		{"the client", "request.clientIP == '203.0.113.7'", nothing, true},
		{"the client behind a trusted proxy", "request.clientIP == '203.0.113.9'", func(w *world) {
			w.request.Source, w.request.ForwardedFor = "10.0.0.1", []string{"198.51.100.1, 203.0.113.9"}
		}, true},
		{"an unknown client", "request.clientIP != '10.0.0.1'", func(w *world) { w.request.Source, w.key.AllowedIPs = "unix", nil }, false},

		{"a header", "request.headers['email'] == 'OPS@shop.example'", nothing, true},
		{"a header with spaces around", "request.headers['x-a'] == 'b c'", func(w *world) { w.headers["x-a"] = []string{" \tb c "} }, true},
		{"a repeated header is there", "'x-a' in request.headers", func(w *world) { w.headers["x-a"] = []string{"a", "a"} }, true},
		{"and can't be read", "request.headers['x-a'] == 'a'", func(w *world) { w.headers["x-a"] = []string{"a", "a"} }, false},
		{"an empty header", "request.headers['x-a'] == ''", func(w *world) { w.headers["x-a"] = []string{""} }, true},
		{"a pseudo header", "':path' in request.headers", func(w *world) { w.headers[":path"] = []string{"/?k=" + good} }, false},

		{"a parameter", "request.query['page'] == '2'", nothing, true},
		{"a parameter, decoded", "request.query['a b'] == 'c d'", func(w *world) { w.request.Path += "&a+b=c%20d" }, true},
		{"a parameter without a value", "request.query.flag == ''", func(w *world) { w.request.Path += "&flag" }, true},
		{"a missing parameter", "request.query['size'] != '1000'", nothing, false},
		{"a repeated parameter", "request.query['page'] != '3'", func(w *world) { w.request.Path += "&page=3" }, false},
		{"one repeated under another spelling", "request.query['page'] != '3'", func(w *world) { w.request.Path += "&%70age=3" }, false},
		{"a parameter that can't be decoded", "request.query['q'] != 'x'", func(w *world) { w.request.Path += "&q=%zz" }, false},

		{"not the header that held the credential", "'x-api-key' in request.headers", secret(header, fields{"x-api-key": {good}}, "/"), false},
		{"not one where the API looks for keys", "'x-api-key' in request.headers", nothing, false},
		{"not the parameter that held the credential", "'api_key' in request.query", secret(query, fields{}, "/?api_key="+good), false},
		{"nor under another spelling", "'api_key' in request.query || '%61pi_key' in request.query", secret(query, fields{}, "/?%61pi_key="+good), false},
		{"another parameter beside it", "request.query['a'] == 'b'", secret(query, fields{}, "/?a=b&api_key="+good), true},
		{"not by a name that the key brings", "key.attributes.name in request.headers", func(w *world) {
			secret(bearer, fields{"authorization": {"Bearer " + good}}, "/")(w)
			w.key.Attributes = keyring.NewAttributes(map[string]string{"name": "authorization"})
		}, false},
		{"nor in capitals", "key.attributes.name in request.headers", func(w *world) {
			secret(header, fields{"x-api-key": {good}}, "/")(w)
			w.key.Attributes = keyring.NewAttributes(map[string]string{"name": "X-API-Key"})
		}, false},
		{"nor the cookie", "key.attributes.name in request.headers", func(w *world) {
			secret(cookie, fields{"cookie": {"key=" + good}}, "/")(w)
			w.key.Attributes = keyring.NewAttributes(map[string]string{"name": "cookie"})
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			c.apply(w)
			w.api.Conditions = []keyring.Condition{compiled("true", "never"), compiled(c.expression, "Not so")}
			got, want, message := w.outcome(), Allowed, ""
			if !c.met {
				want, message = ConditionNotMet, "Not so"
			}
			if got.Reason != want || got.ConditionMessage != message {
				t.Errorf("got %s %q, want %s %q", got.Reason, got.ConditionMessage, want, message)
			}
		})
	}
}

func TestConditionThatWasNotCompiledDenies(t *testing.T) {
	w := newWorld()
	w.api.Conditions = []keyring.Condition{{}}
	expectReason(t, w.outcome(), ConditionNotMet)
}

func TestFirstUnmetConditionIsTold(t *testing.T) {
	w := newWorld()
	w.api.Conditions = []keyring.Condition{compiled("true", "a"), compiled("false", "b"), compiled("false", "c")}
	if got := w.outcome(); got.ConditionMessage != "b" {
		t.Errorf("got message %q, want b", got.ConditionMessage)
	}
}

func TestConditionsUseNoQuota(t *testing.T) {
	w := newWorld()
	a := w.authenticator()
	w.headers["x-blocked"] = []string{""}
	for range 5 {
		if v := a.Authenticate(&w.request); v.Reason != ConditionNotMet || v.Limited {
			t.Fatalf("got %s with rate %+v", v.Reason, v.Rate)
		}
	}
	delete(w.headers, "x-blocked")
	if v := a.Authenticate(&w.request); !v.Limited || v.Rate.Remaining != w.key.Limit.Requests-1 {
		t.Errorf("got %s with rate %+v", v.Reason, v.Rate)
	}
}

func TestPublicRoutesHaveNoConditions(t *testing.T) {
	w := newWorld()
	w.request.Method = "OPTIONS"
	w.headers["origin"], w.headers["access-control-request-method"] = []string{"https://shop.dev"}, []string{"POST"}
	w.api.AllowPreflight = true
	expectReason(t, w.outcome(), Allowed)
}

func TestNoConditionsCostNothing(t *testing.T) {
	w := newWorld()
	v := Verdict{API: &keyring.API{}, Key: w.key}
	if n := testing.AllocsPerRun(100, func() { _ = unmet(&w.request, &v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkConditions(b *testing.B) {
	w := newWorld()
	a := w.authenticator()
	w.key.Limit.Requests = 1 << 40
	b.ReportAllocs()
	for b.Loop() {
		if v := a.Authenticate(&w.request); !v.OK() {
			b.Fatal(v.Reason)
		}
	}
}
