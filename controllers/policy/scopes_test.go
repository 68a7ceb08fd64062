package policy

import (
	"slices"
	"testing"
)

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

func TestFamilies(t *testing.T) {
	for scope, want := range map[string][]string{
		"READ": nil, "*": nil, "a:b": {"a:*"}, "a:*": nil, "a:b:c": {"a:*", "a:b:*"}, "a:b:*": {"a:*"},
	} {
		if got := Families(scope); !slices.Equal(got, want) {
			t.Errorf("families of %s are %q, want %q", scope, got, want)
		}
	}
}
