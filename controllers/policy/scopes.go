package policy

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

// UnknownScope is a scope of a key that its API doesn't declare.
type UnknownScope struct {
	Name string
	// Nearest is the one most like it that the API does declare.
	Nearest string
}

// UnknownScopes returns the scopes of a key that its API doesn't declare, each with
// the nearest one that it does, in the key's order. Where none are declared every
// scope will do.
func UnknownScopes(k *v1alpha1.APIKey, api *v1alpha1.ProtectedAPISpec) []UnknownScope {
	if len(api.Scopes) == 0 {
		return nil
	}
	declared := DeclaredScopes(api)
	var unknown []UnknownScope
	for _, s := range k.Spec.Scopes {
		if !slices.ContainsFunc(declared, keyring.Scopes{string(s)}.Grant) {
			unknown = append(unknown, UnknownScope{Name: string(s), Nearest: nearest(string(s), declared)})
		}
	}
	return unknown
}

// DeclaredScopes returns the names of an API's scopes.
func DeclaredScopes(api *v1alpha1.ProtectedAPISpec) []string {
	names := make([]string, len(api.Scopes))
	for i, s := range api.Scopes {
		names[i] = string(s.Name)
	}
	return names
}

// SayUnknown says of a key's unknown scopes what to do about them. It names five at
// most.
func SayUnknown(k *v1alpha1.APIKey, unknown []UnknownScope) string {
	rest := ""
	if n := len(unknown) - namedScopes; n > 0 {
		unknown, rest = unknown[:namedScopes], fmt.Sprintf(" and %d more", n)
	}
	names := make([]string, len(unknown))
	for i, u := range unknown {
		names[i] = fmt.Sprintf("%q (nearest: %q)", u.Name, u.Nearest)
	}
	return fmt.Sprintf("%s doesn't declare %s%s, which grant nothing: correct them, or declare them in its spec.scopes",
		APIOf(k), strings.Join(names, ", "), rest)
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
		out = append(out, Families(s)...)
	}
	return out
}

// Families returns the wildcards that cover a scope, but "*": the widest first. A
// wildcard isn't among its own.
func Families(scope string) []string {
	var out []string
	for i := range scope {
		if scope[i] == ':' && scope[i:] != ":*" {
			out = append(out, scope[:i]+":*")
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
