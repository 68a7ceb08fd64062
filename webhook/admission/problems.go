package admission

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

// problem is why no key is issued for an APIKey, or why not with what it declares.
type problem struct {
	field, says string
	// about tells it from others, whatever their words and their place.
	about string
	// by is how bad it is, to be compared with the same problem of another version.
	by float64
}

// brought are the problems that an edit brings: those that weren't there, or are worse
// now. An edit that only takes away brings none but scopes that don't exist.
func brought(before, after *v1alpha1.APIKey, api apiFacts, o opened, now time.Time) []problem {
	problems := problemsOf(after, api, now)
	if before == nil {
		return problems
	}
	if narrows(before, after, o) {
		problems = slices.DeleteFunc(problems, func(p problem) bool { return !strings.HasPrefix(p.about, aboutScope) })
	}
	known := problemsOf(before, api, now)
	return slices.DeleteFunc(problems, func(p problem) bool {
		return slices.ContainsFunc(known, func(k problem) bool { return k.about == p.about && k.by >= p.by })
	})
}

// narrows reports whether an edit only takes away: it opens nothing, and touches
// nothing but what a key may do, and how people call it.
func narrows(before, after *v1alpha1.APIKey, o opened) bool {
	beside := func(k *v1alpha1.APIKey) v1alpha1.APIKeySpec {
		s := *k.Spec.DeepCopy()
		s.DisplayName, s.Description, s.Owner, s.State = "", "", nil, ""
		s.Project, s.Attributes, s.Scopes, s.AllowedIPs, s.RateLimit, s.ExpiresAt = "", nil, nil, nil, nil, nil
		return s
	}
	return !o.any() && equality.Semantic.DeepEqual(beside(before), beside(after))
}

// aboutScope begins what a problem with a scope is about.
const aboutScope = "scope "

// problemsOf are those that an APIKey has with its API, and in itself.
func problemsOf(k *v1alpha1.APIKey, api apiFacts, now time.Time) []problem {
	if api.unwatched {
		return []problem{{field: "spec.apiRef", about: "served", says: fmt.Sprintf(
			"this operator doesn't serve namespace %q: refer to a ProtectedAPI of a namespace in its --namespaces", compile.APIName(k).Namespace)}}
	}
	var out []problem
	if api.compiled != nil {
		out = slices.Concat(namespaceProblems(k, api), environmentProblems(k, api))
	}
	if api.spec != nil {
		out = append(out, scopeProblems(k, api.spec)...)
		for _, e := range policy.Exceeded(k, api.spec, now) {
			out = append(out, problem{field: e.Field, says: e.Message, about: e.Field + " " + e.Limit, by: e.By})
		}
	}
	return append(out, templateProblems(k, api)...)
}

func namespaceProblems(k *v1alpha1.APIKey, api apiFacts) []problem {
	if api.compiled.Err != nil || api.spec == nil || api.compiled.Admits(k.Namespace) {
		return nil
	}
	return []problem{{field: "spec.apiRef", about: "admitted", says: fmt.Sprintf(
		"spec.allowedNamespaces of %s doesn't include namespace %q, so requests would be denied: have it admitted there, or refer to another ProtectedAPI",
		policy.APIOf(k), k.Namespace)}}
}

// environmentProblems leaves out what is wrong with the API itself.
func environmentProblems(k *v1alpha1.APIKey, api apiFacts) []problem {
	_, err := compile.Format(keyFormat(api), k.Spec.Environment)
	if !errors.Is(err, compile.ErrEnvironment) {
		return nil
	}
	says := strings.TrimPrefix(err.Error(), compile.ErrEnvironment.Error()+": ")
	return []problem{{field: "spec.environment", about: "environment", says: fmt.Sprintf("%s (spec.keyFormat.environments of %s); it is part of the raw key", says, policy.APIOf(k))}}
}

func keyFormat(api apiFacts) *v1alpha1.KeyFormat {
	if api.spec == nil {
		return nil
	}
	return api.spec.KeyFormat
}

func scopeProblems(k *v1alpha1.APIKey, api *v1alpha1.ProtectedAPISpec) []problem {
	var out []problem
	for _, u := range policy.UnknownScopes(k, api) {
		i := slices.Index(k.Spec.Scopes, v1alpha1.Scope(u.Name))
		out = append(out, problem{
			field: fmt.Sprintf("spec.scopes[%d]", i), about: aboutScope + u.Name,
			says: fmt.Sprintf("%s doesn't declare %q (nearest: %q), which grants nothing: correct it, or declare it in its spec.scopes", policy.APIOf(k), u.Name, u.Nearest),
		})
	}
	return out
}

// templateProblems looks at each entry by itself, so that one which was wrong before
// doesn't hide another.
func templateProblems(k *v1alpha1.APIKey, api apiFacts) []problem {
	if k.Spec.Secret == nil {
		return nil
	}
	format, err := compile.Format(keyFormat(api), k.Spec.Environment)
	if err != nil {
		format = key.Default // what it would be is said elsewhere
	}
	var out []problem
	for _, entry := range slices.Sorted(maps.Keys(k.Spec.Secret.Data)) {
		alone := k.DeepCopy()
		alone.Spec.Secret.Data = map[string]v1alpha1.Template{entry: k.Spec.Secret.Data[entry]}
		field := fmt.Sprintf("spec.secret.data[%s]", entry)
		var p *apikey.Problem
		if err := apikey.CheckTemplates(alone, format); errors.As(err, &p) {
			says := strings.TrimPrefix(p.Message, field+": ")
			out = append(out, problem{field: field, about: field + " " + says, says: says + ": correct the template"})
		}
	}
	return out
}

// conflicts are the problems with what else is in the namespace.
func conflicts(k *v1alpha1.APIKey, n neighbours) []problem {
	var out []problem
	field := "metadata.name"
	if k.Spec.Secret != nil && k.Spec.Secret.Name != "" {
		field = "spec.secret.name"
	}
	name := apikey.SecretName(k)
	clash := func(format string, args ...any) {
		out = append(out, problem{field: field, says: fmt.Sprintf("Secret %q ", name) + fmt.Sprintf(format, args...)})
	}
	e := k.Spec.ExistingKey
	switch {
	case e != nil && e.SecretKeyRef != nil && e.SecretKeyRef.Name == name:
		clash("is the one to import from, which is only read: set spec.secret.name to another name, for the Secret that the key is copied into")
	case n.sharer != "":
		clash("is that of APIKey %q: choose another spec.secret.name", n.sharer)
	case n.secret != nil && n.secret.DeletionTimestamp.IsZero() && apikey.Belongs(k, *n.secret) == apikey.Foreign:
		clash("belongs to somebody else and would not be touched: choose another spec.secret.name, or delete it")
	}
	if p := n.unimportable; p != nil && p.Reason != v1alpha1.ReasonExistingKeyNotFound {
		const field = "spec.existingKey.secretKeyRef"
		out = append(out, problem{field: field, says: strings.TrimPrefix(p.Message, field+": ") + wayOut[p.Reason]})
	}
	if n.duplicate != "" {
		out = append(out, problem{field: "spec.existingKey", says: fmt.Sprintf(
			"APIKey %s holds the same key for the same API and keeps it: bring another key, or delete that APIKey", n.duplicate)})
	}
	return out
}

// wayOut is what to do about an existing key that can't be taken.
var wayOut = map[string]string{
	v1alpha1.ReasonImportNotAllowed: ": put the label on it first",
	v1alpha1.ReasonWeakKey:          ": bring another key, or have one generated",
}
