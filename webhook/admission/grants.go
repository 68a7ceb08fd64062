package admission

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// everyScope is the scope of full access.
const everyScope = "*"

// defaultAPI is the name of the default API in rights. No ProtectedAPI has it.
const defaultAPI = "default"

// maxFamilies is how many wildcards are asked for that cover a scope, the widest
// first: it bounds what one request can make the API server do.
const maxFamilies = 4

// grant is what an edit asks for, and what the rights to it are called.
type grant struct {
	namespace, api string
	// scopes are those that are opened, "*" for full access, and declared those of the
	// API, as far as whoever asks may know it.
	scopes, declared []string
	// full holds for a key without scopes: full access is more than every scope that is
	// declared.
	full bool
}

// grantOf returns what is to be asked for an APIKey that opens these scopes.
func grantOf(k *v1alpha1.APIKey, scopes []string) grant {
	g := grant{namespace: k.Namespace, api: defaultAPI, scopes: scopes, full: len(k.Spec.Scopes) == 0}
	if name := compile.APIName(k); name != keyring.DefaultAPI {
		g.namespace, g.api = name.Namespace, name.Name
	}
	return g
}

// toIssue is the right to issue keys of the API.
func (g grant) toIssue() Right { return Right{Namespace: g.namespace, Name: g.api} }

// toScope is the right to one scope, by its literal name.
func (g grant) toScope(scope string) Right {
	return Right{Namespace: g.namespace, Subresource: subScopes, Name: g.api + ":" + scope}
}

// toAll is the right to all scopes of all APIs of the namespace: a rule that names no
// object.
func (g grant) toAll() Right { return Right{Namespace: g.namespace, Subresource: subScopes} }

// first is asked first: with the right to all scopes none needs to be asked for.
func (g grant) first() []Right {
	if len(g.scopes) == 0 {
		return []Right{g.toIssue()}
	}
	return []Right{g.toIssue(), g.toAll()}
}

// second is asked next: the scopes, and the wildcards that cover them.
func (g grant) second(a answers) []Right {
	if len(g.scopes) == 0 || a[g.toAll()] {
		return nil
	}
	return g.ways(g.scopes)
}

// third is asked last: for wildcards that nobody granted as such, what they cover.
func (g grant) third(a answers) []Right {
	if a[g.toAll()] {
		return nil
	}
	var rights []Right
	for _, s := range g.scopes {
		if wildcard(s) && !g.has(a, s) {
			rights = append(rights, g.ways(g.covered(s))...)
		}
	}
	return rights
}

// ways are the rights of which any one grants a scope, for each of several: first by
// the names alone.
func (g grant) ways(scopes []string) []Right {
	rights := []Right{g.toScope(everyScope)}
	for _, s := range scopes {
		rights = append(rights, g.toScope(s))
	}
	for _, s := range scopes {
		for _, f := range families(s) {
			rights = append(rights, g.toScope(f))
		}
	}
	return rights
}

// has reports whether a scope is granted, by its name or by a wildcard that covers it.
func (g grant) has(a answers, scope string) bool {
	return slices.ContainsFunc(g.ways([]string{scope}), func(r Right) bool { return a[r] })
}

// covered are the declared scopes that a wildcard covers which is written in a spec.
func (g grant) covered(scope string) []string {
	if g.full {
		return nil
	}
	var out []string
	for _, s := range g.declared {
		if (keyring.Scopes{scope}).Grant(s) {
			out = append(out, s)
		}
	}
	return out
}

// missing returns the rights that the answers lack.
func (g grant) missing(a answers) []Right {
	var out []Right
	if !a[g.toIssue()] {
		out = append(out, g.toIssue())
	}
	if a[g.toAll()] {
		return out
	}
	for _, s := range g.scopes {
		covered := g.covered(s)
		piecemeal := wildcard(s) && len(covered) > 0 && !slices.ContainsFunc(covered, func(c string) bool { return !g.has(a, c) })
		if !piecemeal && !g.has(a, s) {
			out = append(out, g.toScope(s))
		}
	}
	return out
}

func wildcard(scope string) bool { return scope == everyScope || strings.HasSuffix(scope, ":*") }

func families(scope string) []string {
	f := policy.Families(scope)
	return f[:min(len(f), maxFamilies)]
}

// refusal says what widens, which rights are missing after so many answers, and the way
// out.
func (g grant) refusal(user string, o opened, missing []Right, a answers) string {
	rights := make([]string, len(missing))
	var resources, names []string
	for i, r := range missing {
		rights[i] = fmt.Sprintf("%s %q", r.resource(), r.Name)
		if !a.full() && len(g.covered(strings.TrimPrefix(r.Name, g.api+":"))) > 1 {
			rights[i] += " (or on each scope that it covers)"
		}
		resources = append(resources, r.resource())
		names = append(names, "--resource-name='"+r.Name+"'")
	}
	bound := ""
	if a.full() {
		bound = fmt.Sprintf(" (not more than %d rights are asked for at once: name fewer scopes, or get the right to \"*\")", maxReviews)
	}
	return fmt.Sprintf("it opens what user %q may not grant: %s. Missing: verb %s on %s in namespace %q%s. "+
		"Way out: whoever may grant it creates the APIKey, or gives the right: %s; "+
		"for all APIs of the namespace bind ClusterRole apikey-operator-issuer there",
		user, strings.Join(o.why, "; "), verbIssue, strings.Join(rights, ", "), g.namespace, bound,
		g.commands(user, strings.Join(slices.Compact(resources), ","), strings.Join(names, " ")))
}

// commands give the rights, each time under a name of their own.
func (g grant) commands(user, resources, names string) string {
	sum := sha256.Sum256([]byte(user + " " + resources + " " + names))
	name := fmt.Sprintf("issue-%s-%x", g.api[:min(len(g.api), 200)], sum[:3])
	who := "--user='" + strings.ReplaceAll(user, "'", `'\''`) + "'"
	if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		who = "--serviceaccount=" + account
	}
	return fmt.Sprintf("kubectl create role %s --namespace=%s --verb=%s --resource=%s %s, and then kubectl create rolebinding %s --namespace=%s --role=%s %s",
		name, g.namespace, verbIssue, resources, names, name, g.namespace, name, who)
}
