package apikey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// namedScopes is how many unknown scopes a message names.
const namedScopes = 5

// unknownScopes returns a Problem that names the scopes of a key that its API
// doesn't declare, each with the nearest one that it does. Where none are declared
// every scope will do.
func unknownScopes(k *v1alpha1.APIKey, api *v1alpha1.ProtectedAPISpec) *Problem {
	if len(api.Scopes) == 0 {
		return nil
	}
	declared := make([]string, len(api.Scopes))
	for i, s := range api.Scopes {
		declared[i] = string(s.Name)
	}
	var unknown []string
	for _, s := range k.Spec.Scopes {
		if !slices.ContainsFunc(declared, keyring.Scopes{string(s)}.Grant) {
			unknown = append(unknown, string(s))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	rest := ""
	if n := len(unknown) - namedScopes; n > 0 {
		unknown, rest = unknown[:namedScopes], fmt.Sprintf(" and %d more", n)
	}
	for i, s := range unknown {
		unknown[i] = fmt.Sprintf("%q (nearest: %q)", s, nearest(s, declared))
	}
	return &Problem{
		Reason: v1alpha1.ReasonUnknownScope,
		Message: fmt.Sprintf("spec.scopes: %s doesn't declare %s%s, which grant nothing: correct them, or declare them in its spec.scopes",
			apiOf(k), strings.Join(unknown, ", "), rest),
	}
}

// nearest returns the valid scope with the fewest edits, of equal ones that with
// the fewest other than of case, and then the first in the alphabet. A wildcard is
// likened to the families that are declared, if any are.
func nearest(unknown string, declared []string) string {
	valid := declared
	if strings.HasSuffix(unknown, ":*") {
		if f := families(declared); len(f) > 0 {
			valid = f
		}
	}
	return slices.MinFunc(valid, func(a, b string) int {
		return cmp.Or(
			edits(strings.ToLower(unknown), strings.ToLower(a))-edits(strings.ToLower(unknown), strings.ToLower(b)),
			edits(unknown, a)-edits(unknown, b),
			cmp.Compare(a, b))
	})
}

// families are the wildcards that cover a declared scope, but "*".
func families(declared []string) []string {
	var out []string
	for _, s := range declared {
		for i := range s {
			if s[i] == ':' {
				out = append(out, s[:i]+":*")
			}
		}
	}
	return out
}

// edits is how many characters must be put in, taken out or replaced to make one
// name of the other (Levenshtein).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
