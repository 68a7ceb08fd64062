package auth

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// failure makes a new world's request fail one check.
type failure struct {
	reason Reason
	apply  func(w *world)
	want   outcome
}

// failures are in the order of DESIGN 4.1, and of the reasons in verdict.go.
var failures = []failure{
	{CallerNotTrusted, func(w *world) { w.request.Caller = netip.MustParseAddr("203.0.113.7") }, received},
	{BadConfiguration, func(w *world) { w.request.Target.Err = errors.New("unknown key") }, received},
	{InvalidPath, func(w *world) { w.request.Path = "/v1/../admin" }, received},
	{InvalidHost, func(w *world) { w.request.Host = "api..shop.dev" }, judged},
	{NotSynced, func(w *world) { w.synced = false }, judged},
	{UnknownAPI, func(w *world) { w.api.Hosts = []string{"other.shop.dev"} }, judged},
	{BrokenAPI, func(w *world) { w.api.Err = errors.New("broken") }, addressed},
	{PlainHTTP, func(w *world) { w.request.TLS = false }, addressed},
	{MissingCredential, func(w *world) { delete(w.headers, "authorization") }, addressed},
	{AmbiguousCredential, func(w *world) { w.headers["x-api-key"] = []string{good} }, addressed},
	{NotCurrent, func(w *world) { w.current, w.headers["authorization"] = false, []string{"Bearer " + other} }, presented},
	{MalformedCredential, func(w *world) { w.headers["authorization"] = []string{"Bearer bk_live_1234"} }, presented},
	{UnknownKey, func(w *world) { w.headers["authorization"] = []string{"Bearer " + other} }, presented},
	{WrongKeyThrottled, func(w *world) {
		w.headers["authorization"] = []string{"Bearer " + other}
		w.wrongKey = func(netip.Addr, time.Time) time.Duration { return time.Minute }
	}, func() outcome {
		o := presented
		o.RetryAfter = time.Minute
		return o
	}()},
	{NamespaceNotAllowed, func(w *world) { w.api.Namespaces = map[string]bool{"apis": true} }, holding},
	{DeletedKey, func(w *world) { w.key.State = keyring.Deleted }, holding},
	{RevokedKey, func(w *world) { w.key.State = keyring.Revoked }, holding},
	{BrokenKey, func(w *world) { w.key.Err = errors.New("broken") }, holding},
	{SuspendedKey, func(w *world) { w.key.State = keyring.Suspended }, holding},
	{ExpiredKey, func(w *world) { w.key.ExpiresAt = keyring.At(now) }, holding},
	{IPNotAllowed, func(w *world) { w.request.Source = "203.0.114.7" }, holding},
	{HeaderMismatch, func(w *world) { w.headers["email"] = []string{"eve@shop.example"} }, holding},
	{ProjectMismatch, func(w *world) { w.key.Project = "customers" }, holding},
	{BindingMismatch, func(w *world) { w.key.Attributes = nil }, holding},
	{InsufficientScope, func(w *world) { w.request.Target.Scopes = []string{"READ_BUDGETS", "WRITE_BUDGETS", "ADMIN"} }, func() outcome {
		o := holding
		o.MissingScope = "WRITE_BUDGETS"
		return o
	}()},
	{RouteNotAllowed, func(w *world) { w.api.DenyUnmatched = true }, holding},
	{ConditionNotMet, func(w *world) { w.headers["x-blocked"] = []string{""} }, func() outcome {
		o := holding
		o.ConditionMessage = "Blocked"
		return o
	}()},
	{RateLimited, func(w *world) { w.spent = true }, func() outcome {
		o := holding
		o.Rate = ratelimit.Result{RetryAfter: time.Hour, Reset: time.Hour}
		return o
	}()},
	{InternalError, func(w *world) { w.request.Headers = panicking{} }, addressed},
}

// panicking headers hold the key in what they panic with.
type panicking struct{}

func (panicking) Value(string, int) (string, bool) { panic(good) }

func TestReasons(t *testing.T) {
	for _, f := range failures {
		t.Run(string(f.reason), func(t *testing.T) {
			w := newWorld()
			f.apply(w)
			v := w.authenticator().Authenticate(&w.request)
			expect(t, outcomeOf(v), f.want.because(f.reason))
			if v.OK() {
				t.Error("the verdict is OK")
			}
			if text := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(text, good[12:]) {
				t.Errorf("the verdict shows the raw key: %s", text)
			}
		})
	}
}

// The constants' comment says that they are in the order of the checks.
func TestFailuresAreAllReasonsInOrder(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "verdict.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []Reason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Reason" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, Reason(text))
		}
		return true
	})
	checked := []Reason{Allowed}
	for _, f := range failures {
		checked = append(checked, f.reason)
	}
	if !slices.Equal(declared, checked) {
		t.Errorf("declared are\n%q, checked are\n%q", declared, checked)
	}
}

// alternatives can't fail together: they say the same thing differently.
var alternatives = [][]Reason{
	{MissingCredential, AmbiguousCredential, InternalError}, {MissingCredential, MalformedCredential, UnknownKey, InternalError},
	{MalformedCredential, UnknownKey, WrongKeyThrottled},
	{DeletedKey, RevokedKey, SuspendedKey},
}

// A request that fails two checks gets the reason of the earlier one.
func TestOrderOfChecks(t *testing.T) {
	pairs := 0
	for i, first := range failures {
		for _, second := range failures[i+1:] {
			if second.reason == InternalError || slices.ContainsFunc(alternatives, func(a []Reason) bool {
				return slices.Contains(a, first.reason) && slices.Contains(a, second.reason)
			}) {
				continue
			}
			w := newWorld()
			second.apply(w)
			first.apply(w)
			if got := w.outcome().Reason; got != first.reason {
				t.Errorf("a request that fails %s and %s: got %s", first.reason, second.reason, got)
			}
			pairs++
		}
	}
	if pairs < 200 {
		t.Errorf("only %d pairs were tried", pairs)
	}
}

// Between adjacent checks of DESIGN 4.1 that share no reason of their own.
func TestOrderWithinTheKeysStanding(t *testing.T) {
	tests := map[string]struct {
		apply func(w *world)
		want  Reason
	}{
		"deletion before expiry":       {func(w *world) { w.key.State, w.key.ExpiresAt = keyring.Deleted, keyring.At(now) }, DeletedKey},
		"revocation before expiry":     {func(w *world) { w.key.State, w.key.ExpiresAt = keyring.Revoked, keyring.At(now) }, RevokedKey},
		"suspension before expiry":     {func(w *world) { w.key.State, w.key.ExpiresAt = keyring.Suspended, keyring.At(now) }, SuspendedKey},
		"revocation before a mistake":  {func(w *world) { w.key.State, w.key.Err = keyring.Revoked, errors.New("broken") }, RevokedKey},
		"a version's end before IP":    {func(w *world) { w.key.Versions[0].NotAfter, w.request.Source = keyring.At(now), "" }, ExpiredKey},
		"a state that is no state":     {func(w *world) { w.key.State, w.key.ExpiresAt = 99, keyring.At(now) }, InternalError},
		"no namespace before deletion": {func(w *world) { w.api.Namespaces, w.key.State = nil, keyring.Deleted }, NamespaceNotAllowed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tt.apply(w)
			expect(t, w.outcome(), holding.because(tt.want))
		})
	}
}

func TestDeniedRequestsUseNoQuota(t *testing.T) {
	for _, f := range failures {
		if f.reason == RateLimited {
			continue
		}
		t.Run(string(f.reason), func(t *testing.T) {
			w := newWorld()
			w.key.Limit.Requests = 1
			f.apply(w)
			a := w.authenticator()
			for range 3 {
				expectReason(t, outcomeOf(a.Authenticate(&w.request)), f.reason)
			}
			mended := newWorld()
			mended.key.Limit.Requests = 1
			mended.ring, w.synced, w.current = w.ring, true, true
			mended.fill()
			want := holding.because(Allowed)
			want.Rate = ratelimit.Result{Allowed: true, Reset: time.Hour}
			expect(t, outcomeOf(a.Authenticate(&mended.request)), want)
			expectReason(t, outcomeOf(a.Authenticate(&mended.request)), RateLimited)
		})
	}
}
