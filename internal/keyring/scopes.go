package keyring

import "strings"

// Scopes are the scopes of a key. A scope "a:*" grants every scope that starts
// with "a:", and "*" every scope.
type Scopes []string

// Grant reports whether the scopes include the wanted one.
func (s Scopes) Grant(want string) bool {
	for _, have := range s {
		if have == want || have == "*" {
			return true
		}
		if family, ok := familyOf(have); ok && strings.HasPrefix(want, family) {
			return true
		}
	}
	return false
}

// familyOf returns "a:" of a scope "a:*".
func familyOf(scope string) (string, bool) {
	family, ok := strings.CutSuffix(scope, "*")
	return family, ok && strings.HasSuffix(family, ":")
}

// fewScopes are looked through one by one faster than they are hashed.
const fewScopes = 4

// scopeSet is Scopes in a form in which their number doesn't matter.
type scopeSet struct {
	all      bool
	scopes   map[string]struct{}
	families map[string]struct{} // "a:" of "a:*"
}

// newScopeSet returns nil for scopes that are better looked through one by one.
func newScopeSet(scopes Scopes) *scopeSet {
	if len(scopes) <= fewScopes {
		return nil
	}
	s := &scopeSet{scopes: make(map[string]struct{}, len(scopes))}
	for _, have := range scopes {
		s.scopes[have] = struct{}{}
		if have == "*" {
			s.all = true
		}
		if family, ok := familyOf(have); ok {
			if s.families == nil {
				s.families = map[string]struct{}{}
			}
			s.families[family] = struct{}{}
		}
	}
	return s
}

func (s *scopeSet) grant(want string) bool {
	if _, ok := s.scopes[want]; ok || s.all {
		return true
	}
	if s.families == nil {
		return false
	}
	for i := range len(want) {
		if want[i] == ':' {
			if _, ok := s.families[want[:i+1]]; ok {
				return true
			}
		}
	}
	return false
}
