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

func TestNearest(t *testing.T) {
	customers := []string{"customers:read", "customers:write", "invoices:read"}
	for _, row := range []struct {
		name, unknown string
		declared      []string
		want          string
	}{
		{"one letter short", "READ_BUDGET", []string{"WRITE_BUDGETS", "READ_BUDGETS"}, "READ_BUDGETS"},
		{"case counts last", "read_budgets", []string{"a", "READ_BUDGETS"}, "READ_BUDGETS"},
		{"but it counts", "read", []string{"READ", "Read"}, "Read"},
		{"another letter", "customers:reed", customers, "customers:read"},
		{"nothing alike: still one", "x", customers, "invoices:read"},
		{"equally near: the first in the alphabet", "c", []string{"b", "a"}, "a"},
		{"a family is likened to families", "customers-:*", customers, "customers:*"},
		{"an inner family too", "a:c:*", []string{"a:b:read"}, "a:b:*"},
		{"a family where there are none", "READ_BUDGETS:*", []string{"WEBHOOKS", "READ_BUDGETS"}, "READ_BUDGETS"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := nearest(row.unknown, row.declared); got != row.want {
				t.Errorf("nearest to %q is %q, want %q", row.unknown, got, row.want)
			}
		})
	}
}

func TestEdits(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"a", "a", 0}, {"a", "b", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2}, {"flaw", "lawn", 2},
	} {
		if got := edits(row.a, row.b); got != row.want {
			t.Errorf("edits(%q, %q) is %d, want %d", row.a, row.b, got, row.want)
		}
		if got := edits(row.b, row.a); got != row.want {
			t.Errorf("edits(%q, %q) is %d, want %d", row.b, row.a, got, row.want)
		}
	}
}
