package keyring

import (
	"cmp"
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
	// exact has what Find comes to for the hosts that APIs name without a wildcard.
	exact        map[string]*API
	granted      patterns[*patterns[*API]] // by grant's pattern, then API's host
	defaultHosts patterns[bool]
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
	t := &HostTable{exact: map[string]*API{}, defaultAPI: defaultAPI}
	holders := map[Grant]bool{}
	for _, g := range p.Grants {
		holders[g] = true
		t.granted.set(g.Pattern, &patterns[*API]{pattern: g.Pattern})
	}
	for _, h := range p.DefaultHosts {
		t.defaultHosts.set(h, true)
	}
	apis = slices.Clone(apis)
	slices.SortFunc(apis, func(a, b *API) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), a.Name.compare(b.Name)) })
	lost := map[Name][]HostVerdict{}
	for _, api := range apis {
		for _, host := range api.Hosts {
			covered, ok := t.granted.mostSpecific(host)
			if !ok || !holders[Grant{Namespace: api.Name.Namespace, Pattern: covered.pattern}] {
				lost[api.Name] = append(lost[api.Name], HostVerdict{Host: host})
				continue
			}
			if first := covered.get(host); first != nil && first != api {
				lost[api.Name] = append(lost[api.Name], HostVerdict{Host: host, Winner: &first.Name})
				continue
			}
			covered.set(host, api)
			if !strings.HasPrefix(host, "*") {
				t.exact[host] = api // nothing is more specific
			}
		}
	}
	return t, lost
}

// Find returns the API that a normal host leads to. A host that a grant covers
// never leads to the default API.
func (t *HostTable) Find(host string) (*API, bool) {
	if api, ok := t.exact[host]; ok {
		return api, true
	}
	if apis, ok := t.granted.mostSpecific(host); ok {
		return apis.mostSpecific(host)
	}
	if _, ok := t.defaultHosts.mostSpecific(host); ok {
		return t.defaultAPI, true
	}
	return nil, false
}

// patterns has values of host patterns. What is below a name is found by the end of
// a host, so that no pattern has to be put together.
type patterns[V any] struct {
	pattern string // the grant's, of those that it covers
	hosts   map[string]V
	below   map[string]V // by ".example.com" for "*.example.com"
	every   map[string]V // by "*"
}

// table returns where a pattern is kept, and by what.
func (p *patterns[V]) table(pattern string) (table *map[string]V, by string) {
	switch {
	case pattern == "*":
		return &p.every, pattern
	case strings.HasPrefix(pattern, "*."):
		return &p.below, pattern[1:]
	default:
		return &p.hosts, pattern
	}
}

func (p *patterns[V]) get(pattern string) V {
	table, by := p.table(pattern)
	return (*table)[by]
}

func (p *patterns[V]) set(pattern string, v V) {
	table, by := p.table(pattern)
	if *table == nil {
		*table = map[string]V{}
	}
	(*table)[by] = v
}

// mostSpecific returns the value of the most specific of the patterns that covers a
// host or a pattern: the same, then the wildcards from the longest to "*".
func (p *patterns[V]) mostSpecific(host string) (v V, ok bool) {
	table, by := p.table(host)
	if v, ok = (*table)[by]; ok {
		return v, true
	}
	name := strings.TrimPrefix(host, "*.")
	for i := 0; i < len(name) && len(p.below) > 0; i++ {
		if name[i] != '.' {
			continue
		}
		if v, ok = p.below[name[i:]]; ok {
			return v, true
		}
	}
	v, ok = p.every["*"]
	return v, ok
}
