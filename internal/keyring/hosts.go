package keyring

import (
	"fmt"
	"slices"
	"strings"
)

// Grant lets the ProtectedAPIs of a namespace answer for the hosts of a pattern:
// an exact name, "*." and a name for all hosts below it, or "*" for all hosts.
type Grant struct{ Namespace, Pattern string }

// HostPolicy says which API a host may lead to where the gateway doesn't name the
// API: a right that the operator gives, not a claim that a tenant makes.
type HostPolicy struct {
	Grants []Grant
	// DefaultHosts are patterns of hosts that lead to the default API, unless a
	// grant covers them.
	DefaultHosts []string
}

// ParseGrant reads "namespace=pattern".
func ParseGrant(s string) (Grant, error) {
	namespace, pattern, ok := strings.Cut(s, "=")
	if !ok || !isLabel(namespace) || strings.Contains(namespace, "_") || strings.ToLower(namespace) != namespace {
		return Grant{}, fmt.Errorf("host claim %q: must be <namespace>=<host pattern>, such as shop=*.example.com", s)
	}
	pattern, err := ParseHostPattern(pattern)
	if err != nil {
		return Grant{}, fmt.Errorf("host claim %q: %w", s, err)
	}
	return Grant{Namespace: namespace, Pattern: pattern}, nil
}

// ParseHostPattern reads a host pattern and returns it in lower case.
func ParseHostPattern(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	name := strings.TrimPrefix(s, "*.")
	good := len(name) <= 253
	for label := range strings.SplitSeq(name, ".") {
		good = good && isLabel(label)
	}
	if !good {
		return "", fmt.Errorf("host pattern %q: must be a DNS name, *.<name> or *", s)
	}
	return strings.ToLower(s), nil
}

// isLabel reports whether s is a label of a DNS name, or one with underscores.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// HostVerdict is why a host of an API has no effect.
type HostVerdict struct {
	Host string
	// Winner is the API that holds the host, if another does. Otherwise the host
	// isn't granted.
	Winner *Name
}

// HostTable finds the API of a host.
type HostTable struct {
	granted      map[string]map[string]*API // by grant's pattern, then API's host
	defaultHosts map[string]bool
	defaultAPI   *API
}

// Assign makes the table of a set of APIs, and says which of their hosts have no
// effect and why.
//
// A host belongs to the namespaces of the most specific grant that covers it.
// Among their APIs the most specific host wins, then the older API, then the
// first by namespace and name. So neither age, nor deletion, nor a more specific
// name takes a host away from whom the operator granted it to.
func (p HostPolicy) Assign(apis []*API, defaultAPI *API) (*HostTable, map[Name][]HostVerdict) {
	t := &HostTable{
		granted:      make(map[string]map[string]*API, len(p.Grants)),
		defaultHosts: make(map[string]bool, len(p.DefaultHosts)),
		defaultAPI:   defaultAPI,
	}
	holders := map[Grant]bool{}
	for _, g := range p.Grants {
		holders[g] = true
		t.granted[g.Pattern] = map[string]*API{}
	}
	for _, h := range p.DefaultHosts {
		t.defaultHosts[h] = true
	}
	apis = slices.Clone(apis)
	slices.SortFunc(apis, func(a, b *API) int { return older(a.CreatedAt, b.CreatedAt, a.Name, b.Name) })
	lost := map[Name][]HostVerdict{}
	for _, api := range apis {
		for _, host := range api.Hosts {
			pattern, ok := mostSpecific(t.granted, host)
			if !ok || !holders[Grant{Namespace: api.Name.Namespace, Pattern: pattern}] {
				lost[api.Name] = append(lost[api.Name], HostVerdict{Host: host})
				continue
			}
			if first := t.granted[pattern][host]; first != nil && first != api {
				lost[api.Name] = append(lost[api.Name], HostVerdict{Host: host, Winner: &first.Name})
				continue
			}
			t.granted[pattern][host] = api
		}
	}
	return t, lost
}

// Find returns the API that a normal host leads to. A host that a grant covers
// never leads to the default API.
func (t *HostTable) Find(host string) (*API, bool) {
	if pattern, ok := mostSpecific(t.granted, host); ok {
		apis := t.granted[pattern]
		if won, ok := mostSpecific(apis, host); ok {
			return apis[won], true
		}
		return nil, false
	}
	if _, ok := mostSpecific(t.defaultHosts, host); ok {
		return t.defaultAPI, true
	}
	return nil, false
}

// mostSpecific returns the most specific of the patterns that covers a host or a
// pattern: the same, then the wildcards from the longest to "*".
func mostSpecific[V any](patterns map[string]V, host string) (string, bool) {
	if _, ok := patterns[host]; ok {
		return host, true
	}
	name := strings.TrimPrefix(host, "*.")
	for {
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			_, ok = patterns["*"]
			return "*", ok
		}
		name = parent
		if _, ok := patterns["*."+name]; ok {
			return "*." + name, true
		}
	}
}
