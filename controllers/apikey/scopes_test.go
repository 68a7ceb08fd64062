package apikey

import (
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// Unknown scopes keep a key from being issued; one that is issued says so.
func TestUnknownScopes(t *testing.T) {
	issue := policyOutcome{Issue, "False Issuing", "", "", 0}
	refused := policyOutcome{Settle, "False UnknownScope", "", "", 0}
	checkPolicy(t, []policyRule{{
		name: "all are declared", scopes: budgets, spec: []edit{scoped("READ_BUDGETS", "WEBHOOKS")}, want: issue,
	}, {
		name: "none are declared: any will do", spec: []edit{scoped("WHATEVER")}, want: issue,
	}, {
		name: "none is named: see emptyScopes", scopes: budgets, want: issue,
	}, {
		name: "one isn't declared", scopes: budgets, spec: []edit{scoped("READ_BUDGETS", "READ_BUDGET")}, want: refused,
		says: []string{`spec.scopes: ProtectedAPI apis/shop doesn't declare "READ_BUDGET" (nearest: "READ_BUDGETS"), which grant nothing: correct them, or declare them in its spec.scopes`},
	}, {
		name: "many aren't: five are named", scopes: budgets, spec: []edit{scoped("a", "b", "c", "d", "e", "f", "g")}, want: refused,
		says: []string{`"a" (nearest`, `"e" (nearest: "WEBHOOKS") and 2 more, which`},
	}, {
		name: "every scope", scopes: budgets, spec: []edit{scoped("*")}, want: issue,
	}, {
		name: "a family that covers one", scopes: []v1alpha1.Scope{"a", "customers:read"}, spec: []edit{scoped("customers:*")}, want: issue,
	}, {
		name: "a family that covers none", scopes: []v1alpha1.Scope{"a", "customers:read"}, spec: []edit{scoped("customer:*")}, want: refused,
		says: []string{`"customer:*" (nearest: "customers:*")`},
	}, {
		name: "before the limits", scopes: budgets, spec: []edit{scoped("x")}, limits: atMostADay,
		want: policyOutcome{Settle, "False UnknownScope", "False LimitExceeded", "", 0},
	}, {
		name: "issued before: the Secret is kept, and it is said", scopes: budgets, spec: []edit{scoped("x")}, keys: "k1 Current", target: holds("k1"),
		want: refused, says: []string{`"x"`},
	}, {
		name: "issued before, and the Secret isn't as declared: brought up to date", scopes: budgets, spec: []edit{scoped("x")}, keys: "k1 Current", target: outdated(holds("k1")),
		want: policyOutcome{Update, "True Issued", "", "", 0},
	}, {
		name: "issued before and lost: replaced", scopes: budgets, spec: []edit{scoped("x")}, keys: "k1 Current", want: issue,
	}, {
		name: "issued before and suspended", scopes: budgets, spec: []edit{scoped("x"), suspended}, keys: "k1 Current", target: holds("k1"), want: refused,
	}, {
		name: "issued before and expired", scopes: budgets, spec: []edit{scoped("x"), expires(0)}, keys: "k1 Current", target: holds("k1"),
		want: policyOutcome{Settle, "False Expired", "", "", 0},
	}, {
		name: "an end is looked at all the same", scopes: budgets, spec: []edit{scoped("x"), expires(time.Hour)}, keys: "k1 Current", target: holds("k1"),
		want: policyOutcome{Settle, "False UnknownScope", "", "", time.Hour},
	}})
}
