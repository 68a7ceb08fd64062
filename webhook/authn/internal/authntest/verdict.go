package authntest

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/internal/safetemplate"
)

// Now is the time in tests.
var Now = time.Date(2026, 11, 22, 9, 41, 7, 0, time.UTC)

// Bearer is an API whose keys are Bearer tokens.
func Bearer() *keyring.API {
	return &keyring.API{
		Name:          keyring.Name{Namespace: "apis", Name: "billoget"},
		Credentials:   []keyring.Credential{{Place: keyring.Bearer}},
		AllNamespaces: true,
	}
}

// Key is a key with a value in every field that an upstream is told.
func Key() *keyring.Key {
	return &keyring.Key{
		Name: keyring.Name{Namespace: "shop", Name: "shopify"},
		Terms: &keyring.Terms{
			API:         keyring.Name{Namespace: "apis", Name: "billoget"},
			Scopes:      keyring.Scopes{"READ_BUDGETS", "customers:*"},
			Limit:       ratelimit.Limit{Requests: 1000, Period: time.Hour},
			Environment: "live",
		},
		Holder: &keyring.Holder{
			DisplayName: "My E-commerce Integration",
			Project:     "proj_abc123",
			OwnerName:   "Shop team",
			OwnerEmail:  "ops@shop.example",
		},
	}
}

// Verdict is a whole verdict with a reason: everything is set that can be, also
// what the reason has no use for.
func Verdict(r auth.Reason) auth.Verdict {
	v := auth.Verdict{
		Reason:       r,
		API:          Bearer(),
		Key:          Key(),
		Version:      &keyring.Version{Hint: "bk_live_1234"},
		Credential:   keyring.Credential{Place: keyring.Bearer},
		MissingScope: "WRITE_BUDGETS",
		Path:         "/api/public/budgets",
		Route:        "/api/public/budgets/**",
		Client:       netip.MustParseAddr("203.0.113.7"),
		Limited:      true,
		Rate:         ratelimit.Result{Reset: time.Hour, RetryAfter: 3599200 * time.Millisecond},
		RetryAfter:   41200 * time.Millisecond,
	}
	switch r {
	case auth.ConditionNotMet:
		v.ConditionMessage = "Only on weekdays"
	case auth.Allowed:
		v.MissingScope = ""
		v.Rate = ratelimit.Result{Allowed: true, Remaining: 999, Reset: 3599200 * time.Millisecond}
	default:
	}
	return v
}

// Public is the verdict of a request that needs no key.
func Public() auth.Verdict {
	return auth.Verdict{
		Reason: auth.Allowed, API: Bearer(), Path: "/healthz", Route: "/healthz",
		Client: netip.MustParseAddr("203.0.113.7"),
	}
}

// Statuses are some that an API may want for its denials, although they mean
// permission to a proxy, allow no body, lead elsewhere, or are nobody's.
var Statuses = []int{200, 204, 302, 599}

// Own is the verdict of a reason for an API that answers every denial with a status
// of its own, in its own words.
func Own(t testing.TB, r auth.Reason, status int) auth.Verdict {
	t.Helper()
	body, err := safetemplate.Parse(`{"success": false,"why": {{ json .Error }}}`)
	if err != nil {
		t.Fatal(err)
	}
	v := Verdict(r)
	v.API.Denials = map[string]keyring.Denial{keyring.DefaultDenial: {
		Status: status, Headers: [][2]string{{"X-Why", "its own"}, {"Location", "https://login.example/"}}, Body: body,
	}}
	return v
}

// Scripted is an Authenticator that notes what it is asked.
type Scripted struct {
	// Answer decides. Nil allows everything but what isn't configured rightly.
	Answer func(r *auth.Request) auth.Verdict

	mu    sync.Mutex
	asked []auth.Request
}

// Authenticate notes and answers.
func (s *Scripted) Authenticate(r *auth.Request) auth.Verdict {
	s.mu.Lock()
	s.asked = append(s.asked, *r)
	s.mu.Unlock()
	switch {
	case s.Answer != nil:
		return s.Answer(r)
	case r.Target.Err != nil:
		return Verdict(auth.BadConfiguration)
	default:
		return Verdict(auth.Allowed)
	}
}

// Asked returns what was asked since the last call.
func (s *Scripted) Asked() []auth.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// Always is an Authenticator with one answer.
func Always(v auth.Verdict) *Scripted {
	return &Scripted{Answer: func(*auth.Request) auth.Verdict { return v }}
}
