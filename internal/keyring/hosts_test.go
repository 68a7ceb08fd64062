package keyring_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// claim is an API that asks for hosts.
type claim struct {
	name  string // namespace/name
	age   int    // in hours
	hosts []string
	err   error
}

func (c claim) api() *keyring.API {
	namespace, name, _ := strings.Cut(c.name, "/")
	return &keyring.API{
		Name: keyring.Name{Namespace: namespace, Name: name}, CreatedAt: now.Add(-time.Duration(c.age) * time.Hour), Hosts: c.hosts, Err: c.err,
	}
}

func grants(t *testing.T, texts ...string) []keyring.Grant {
	t.Helper()
	var all []keyring.Grant
	for _, text := range texts {
		g, err := keyring.ParseGrant(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

type hostRow struct {
	grants, defaults []string
	claims           []claim
	found            map[string]string   // the API of each host; "" is none
	lost             map[string][]string // by API: "host", or "host: winner"
}

// Whose host it is, and among whose APIs.
var hostRows = map[string]hostRow{
	"exact beats wildcard, a longer wildcard a shorter one": {
		grants: []string{"shop=*.shop.dev"},
		claims: []claim{
			{name: "shop/wide", age: 3, hosts: []string{"*.shop.dev"}},
			{name: "shop/long", age: 2, hosts: []string{"*.a.shop.dev"}},
			{name: "shop/exact", age: 1, hosts: []string{"x.a.shop.dev"}},
		},
		found: map[string]string{
			"x.a.shop.dev": "shop/exact", "y.a.shop.dev": "shop/long", "y.x.a.shop.dev": "shop/long", "a.shop.dev": "shop/wide",
			"b.shop.dev": "shop/wide", "x.b.shop.dev": "shop/wide", "shop.dev": "", "xshop.dev": "", "dev": "", "other.dev": "",
		},
	},
	"an exact grant covers no host below it": {
		grants: []string{"shop=shop.dev"},
		claims: []claim{{name: "shop/api", hosts: []string{"shop.dev", "a.shop.dev", "*.shop.dev"}}},
		found:  map[string]string{"shop.dev": "shop/api", "a.shop.dev": ""},
		lost:   map[string][]string{"shop/api": {"a.shop.dev", "*.shop.dev"}},
	},
	"a wildcard wider than the grant is not granted": {
		grants: []string{"shop=*.a.shop.dev", "shop=x.shop.dev"},
		claims: []claim{{name: "shop/api", hosts: []string{"*.shop.dev", "*"}}},
		found:  map[string]string{"x.a.shop.dev": "", "x.shop.dev": "", "other.dev": ""},
		lost:   map[string][]string{"shop/api": {"*.shop.dev", "*"}},
	},
	"a grant of all hosts": {
		grants: []string{"gateway=*"},
		claims: []claim{{name: "gateway/api", hosts: []string{"*"}}, {name: "gateway/exact", hosts: []string{"a.dev"}}},
		found:  map[string]string{"a.dev": "gateway/exact", "b.dev": "gateway/api", "localhost": "gateway/api", "[::1]": "gateway/api", "10.0.0.1": "gateway/api"},
	},
	"the older API wins, and the younger is told": {
		grants: []string{"shop=*.shop.dev"},
		claims: []claim{
			{name: "shop/a", age: 1, hosts: []string{"x.shop.dev", "a.shop.dev"}},
			{name: "shop/b", age: 2, hosts: []string{"x.shop.dev"}},
		},
		found: map[string]string{"x.shop.dev": "shop/b", "a.shop.dev": "shop/a"},
		lost:  map[string][]string{"shop/a": {"x.shop.dev: shop/b"}},
	},
	"of one age, the first by namespace, then name": {
		grants: []string{"a=*.dev", "b=*.dev"},
		claims: []claim{{name: "b/a", hosts: []string{"x.dev"}}, {name: "a/b", hosts: []string{"x.dev"}}, {name: "a/c", hosts: []string{"x.dev"}}},
		found:  map[string]string{"x.dev": "a/b"},
		lost:   map[string][]string{"b/a": {"x.dev: a/b"}, "a/c": {"x.dev: a/b"}},
	},
	"where two namespaces hold one grant, the more specific host wins over the older": {
		grants: []string{"a=*.dev", "b=*.dev"},
		claims: []claim{{name: "a/wide", age: 9, hosts: []string{"*.dev"}}, {name: "b/exact", age: 1, hosts: []string{"x.dev"}}},
		found:  map[string]string{"x.dev": "b/exact", "y.dev": "a/wide"},
	},
	"a tenant takes no host by age": {
		grants: []string{"shop=*.shop.dev"},
		claims: []claim{
			{name: "evil/api", age: 99, hosts: []string{"x.shop.dev", "*.shop.dev", "shop.dev", "*"}},
			{name: "shop/api", hosts: []string{"x.shop.dev"}},
		},
		found: map[string]string{"x.shop.dev": "shop/api", "y.shop.dev": "", "shop.dev": "", "other.dev": ""},
		lost:  map[string][]string{"evil/api": {"x.shop.dev", "*.shop.dev", "shop.dev", "*"}},
	},
	"nor while the holder's API is gone": {
		grants: []string{"shop=*.shop.dev"},
		claims: []claim{{name: "evil/api", age: 99, hosts: []string{"x.shop.dev"}}},
		found:  map[string]string{"x.shop.dev": ""},
		lost:   map[string][]string{"evil/api": {"x.shop.dev"}},
	},
	"nor by a more specific name than the holder's": {
		grants: []string{"shop=*.shop.dev", "evil=*.evil.dev"},
		claims: []claim{
			{name: "shop/api", hosts: []string{"*.shop.dev"}},
			{name: "evil/api", age: 99, hosts: []string{"x.shop.dev", "*.x.shop.dev", "x.evil.dev"}},
		},
		found: map[string]string{"x.shop.dev": "shop/api", "y.x.shop.dev": "shop/api", "x.evil.dev": "evil/api"},
		lost:  map[string][]string{"evil/api": {"x.shop.dev", "*.x.shop.dev"}},
	},
	"the most specific grant decides": {
		grants: []string{"platform=*", "shop=*.shop.dev", "team=x.shop.dev"},
		claims: []claim{
			{name: "platform/api", age: 9, hosts: []string{"*", "x.shop.dev", "y.shop.dev", "*.shop.dev"}},
			{name: "shop/api", age: 8, hosts: []string{"*.shop.dev", "x.shop.dev"}},
			{name: "team/api", age: 1, hosts: []string{"x.shop.dev", "y.shop.dev"}},
		},
		found: map[string]string{"x.shop.dev": "team/api", "y.shop.dev": "shop/api", "z.x.shop.dev": "shop/api", "other.dev": "platform/api"},
		lost: map[string][]string{
			"platform/api": {"x.shop.dev", "y.shop.dev", "*.shop.dev"}, "shop/api": {"x.shop.dev"}, "team/api": {"y.shop.dev"},
		},
	},
	"also where its holder has no API: a wider one doesn't get the host back": {
		grants: []string{"shop=*.shop.dev", "team=x.shop.dev", "sub=*.sub.shop.dev"},
		claims: []claim{{name: "shop/api", hosts: []string{"*.shop.dev"}}},
		found:  map[string]string{"x.shop.dev": "", "a.sub.shop.dev": "", "sub.shop.dev": "shop/api", "y.shop.dev": "shop/api"},
	},
	"a namespace is not its prefix": {
		grants: []string{"shop=*.shop.dev"},
		claims: []claim{{name: "shop-2/api", hosts: []string{"x.shop.dev"}}, {name: "sho/api", hosts: []string{"x.shop.dev"}}},
		found:  map[string]string{"x.shop.dev": ""},
		lost:   map[string][]string{"shop-2/api": {"x.shop.dev"}, "sho/api": {"x.shop.dev"}},
	},
	"a broken API holds its hosts": {
		grants: []string{"shop=*.shop.dev"}, defaults: []string{"*"},
		claims: []claim{
			{name: "shop/broken", age: 2, hosts: []string{"x.shop.dev"}, err: errors.New("broken")},
			{name: "shop/wide", age: 1, hosts: []string{"*.shop.dev", "x.shop.dev"}},
		},
		found: map[string]string{"x.shop.dev": "shop/broken", "y.shop.dev": "shop/wide"},
		lost:  map[string][]string{"shop/wide": {"x.shop.dev: shop/broken"}},
	},
	"a host that an API lists twice is its own": {
		grants: []string{"shop=*.shop.dev"},
		claims: []claim{{name: "shop/api", hosts: []string{"x.shop.dev", "x.shop.dev"}}},
		found:  map[string]string{"x.shop.dev": "shop/api"},
	},
	"without grants no host leads anywhere": {
		claims: []claim{{name: "shop/api", hosts: []string{"x.shop.dev", "*"}}},
		found:  map[string]string{"x.shop.dev": "", "localhost": ""},
		lost:   map[string][]string{"shop/api": {"x.shop.dev", "*"}},
	},
	"the default API answers for its own hosts only": {
		defaults: []string{"keys.dev", "*.keys.dev"},
		found: map[string]string{
			"keys.dev": "default", "a.keys.dev": "default", "b.a.keys.dev": "default", "xkeys.dev": "", "dev": "", "other.dev": "",
		},
	},
	"the default API for all hosts, also those claimed without a right": {
		defaults: []string{"*"},
		claims:   []claim{{name: "shop/api", hosts: []string{"x.shop.dev"}}},
		found:    map[string]string{"x.shop.dev": "default", "localhost": "default", "[::1]": "default"},
		lost:     map[string][]string{"shop/api": {"x.shop.dev"}},
	},
	"the default API never for granted hosts, even when no API is there": {
		grants: []string{"shop=*.shop.dev", "shop=shop.dev"}, defaults: []string{"*", "x.shop.dev", "*.shop.dev", "shop.dev"},
		found: map[string]string{"x.shop.dev": "", "y.shop.dev": "", "shop.dev": "", "other.dev": "default"},
	},
	"the default API never where all hosts are granted": {
		grants: []string{"gateway=*"}, defaults: []string{"*", "keys.dev"},
		found: map[string]string{"keys.dev": "", "other.dev": ""},
	},
}

func TestHostPolicy(t *testing.T) {
	for name, row := range hostRows {
		t.Run(name, func(t *testing.T) {
			policy := keyring.HostPolicy{Grants: grants(t, row.grants...), DefaultHosts: row.defaults}
			for _, order := range permutations(len(row.claims)) {
				var apis []*keyring.API
				for _, i := range order {
					apis = append(apis, row.claims[i].api())
				}
				given := slices.Clone(apis)
				table, verdicts := policy.Assign(apis, keyring.NewDefaultAPI())
				if !slices.Equal(apis, given) {
					t.Fatal("Assign changed its argument")
				}
				for host, want := range row.found {
					if got := holder(table, host); got != want {
						t.Errorf("in order %v, %s leads to %q, want %q", order, host, got, want)
					}
				}
				if got := texts(verdicts); !reflect.DeepEqual(got, row.lost) {
					t.Errorf("in order %v, lost: got %v, want %v", order, got, row.lost)
				}
			}
		})
	}
}

// holder returns the name of the API that a host leads to, or "".
func holder(table *keyring.HostTable, host string) string {
	api, ok := table.Find(host)
	switch {
	case ok != (api != nil):
		return "neither an API nor none"
	case !ok:
		return ""
	default:
		return api.Name.String()
	}
}

func texts(verdicts map[keyring.Name][]keyring.HostVerdict) map[string][]string {
	var all map[string][]string
	for name, lost := range verdicts {
		for _, v := range lost {
			text := v.Host
			if v.Winner != nil {
				text += ": " + v.Winner.String()
			}
			if all == nil {
				all = map[string][]string{}
			}
			all[name.String()] = append(all[name.String()], text)
		}
	}
	return all
}

// Deleting the API and creating it again gives nobody else its host in between,
// though an older claim of another namespace waits for it.
func TestHostThroughDeletionAndRecreation(t *testing.T) {
	r := keyring.New(keyring.HostPolicy{Grants: grants(t, "shop=*.shop.dev"), DefaultHosts: []string{"*"}})
	r.SetAPI(claim{name: "evil/api", age: 99, hosts: []string{"x.shop.dev", "*.shop.dev"}}.api())
	steps := []struct {
		name string
		do   func()
		want string
	}{
		{"before it exists", func() {}, ""},
		{"created", func() { r.SetAPI(claim{name: "shop/api", age: 2, hosts: []string{"x.shop.dev"}}.api()) }, "shop/api"},
		{"its host is taken from the list", func() { r.SetAPI(claim{name: "shop/api", age: 2}.api()) }, ""},
		{"and put back", func() { r.SetAPI(claim{name: "shop/api", age: 2, hosts: []string{"*.shop.dev"}}.api()) }, "shop/api"},
		{"deleted", func() { r.DeleteAPI(keyring.Name{Namespace: "shop", Name: "api"}) }, ""},
		{"created again", func() { r.SetAPI(claim{name: "shop/api", hosts: []string{"x.shop.dev"}}.api()) }, "shop/api"},
	}
	for _, s := range steps {
		s.do()
		got := ""
		if api, ok := r.APIForHost("x.shop.dev"); ok {
			got = api.Name.String()
		}
		if got != s.want {
			t.Errorf("%s: leads to %q, want %q", s.name, got, s.want)
		}
	}
}

// TestHostsAgainstTheRule holds the tables that Find looks into against the rule as
// it is said, with random grants and hosts.
func TestHostsAgainstTheRule(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 5))
	host := func() string {
		labels := make([]string, 1+rnd.IntN(4))
		for i := range labels {
			labels[i] = string("ab"[rnd.IntN(2)])
		}
		return strings.Join(labels, ".")
	}
	pattern := func() string { return []string{"", "*.", "*."}[rnd.IntN(3)] + host() }
	covers := func(pattern, host string) bool {
		return pattern == host || pattern == "*" || strings.HasPrefix(pattern, "*.") && strings.HasSuffix(host, pattern[1:])
	}
	best := func(patterns []string, host string) string {
		best := ""
		for _, p := range patterns {
			if covers(p, host) && (best == "" || p == host || best != host && len(p) > len(best)) {
				best = p
			}
		}
		return best
	}
	for range 2000 {
		var policy keyring.HostPolicy
		var granted []string
		for range rnd.IntN(5) {
			granted = append(granted, pattern())
			policy.Grants = append(policy.Grants, keyring.Grant{Namespace: "shop", Pattern: granted[len(granted)-1]})
		}
		if rnd.IntN(3) == 0 {
			granted = append(granted, "*")
			policy.Grants = append(policy.Grants, keyring.Grant{Namespace: "shop", Pattern: "*"})
		}
		policy.DefaultHosts = []string{pattern(), pattern()}
		api := &keyring.API{Name: shop, Hosts: []string{pattern(), pattern(), pattern()}}
		table, _ := policy.Assign([]*keyring.API{api}, keyring.NewDefaultAPI())
		for range 20 {
			h, want := host(), "none"
			if grant := best(granted, h); grant != "" {
				for _, claimed := range api.Hosts {
					if covers(claimed, h) && best(granted, claimed) == grant {
						want = shop.String()
					}
				}
			} else if best(policy.DefaultHosts, h) != "" {
				want = "default"
			}
			got := "none"
			if found, ok := table.Find(h); ok {
				got = found.Name.String()
			}
			if got != want {
				t.Fatalf("%s leads to %s, want %s, with %+v and hosts %q", h, got, want, policy, api.Hosts)
			}
		}
	}
}
