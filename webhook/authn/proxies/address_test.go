package proxies

import (
	"net/netip"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// A client is known by the address that connected to the proxy.
func TestClientAddress(t *testing.T) {
	each(t, func(t *testing.T, s *system) {
		here := s.key("here", func(k *keyring.Key) {
			addr := netip.MustParseAddr(s.client)
			k.AllowedIPs = []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
		})
		office := s.key("office", func(k *keyring.Key) { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} })
		for what, fields := range map[string][]string{
			"nothing":                  nil,
			"X-Forwarded-For":          {"X-Forwarded-For: 203.0.113.9"},
			"a longer X-Forwarded-For": {"X-Forwarded-For: 198.51.100.1, 203.0.113.9", "X-Forwarded-For: 203.0.113.9"},
			"a wrong X-Forwarded-For":  {"X-Forwarded-For: ,,"},
			"X-Real-IP":                {"X-Real-IP: 203.0.113.9"},
			"X-Envoy-External-Address": {"X-Envoy-External-Address: 203.0.113.9", "X-Envoy-Internal: true"},
			"Forwarded":                {"Forwarded: for=203.0.113.9", "True-Client-IP: 203.0.113.9"},
		} {
			s.allowed(t, what, request{fields: append(bearer(here), fields...)})
			s.denied(t, what, request{fields: append(bearer(office), fields...)}, ipNotAllowed)
		}
	})
}

// With --trusted-proxies, X-Forwarded-For is read from the right: the first hop
// that isn't trusted is the client.
func TestTrustedProxies(t *testing.T) {
	trusting := func(d door) door {
		if d.trust != nil {
			d.edit = d.trust
		}
		return d
	}
	eachAs(t, trusting, func(t *testing.T, s *system) {
		s.change(t, func(core *auth.Authenticator) {
			core.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(s.client + "/32"), netip.MustParsePrefix("10.0.0.0/8")}
		})
		office := s.key("office", func(k *keyring.Key) { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} })
		for _, row := range []struct {
			what    string
			fields  []string
			allowed bool
		}{
			{"the client", []string{"X-Forwarded-For: 203.0.113.9"}, true},
			{"the client and a trusted proxy", []string{"X-Forwarded-For: 203.0.113.9, 10.1.2.3"}, true},
			{"the client and our own proxy", []string{"X-Forwarded-For: 203.0.113.9," + s.client}, true},
			{"the client in a header, a trusted proxy in the next", []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 10.1.2.3"}, true},
			{"the client, and what it claims", []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.9"}, true},
			{"IPv4 in IPv6", []string{"X-Forwarded-For: ::ffff:203.0.113.9"}, true},
			{"somebody who claims to be the client", []string{"X-Forwarded-For: 203.0.113.9, 198.51.100.1"}, false},
			{"the same with a trusted proxy", []string{"X-Forwarded-For: 203.0.113.9, 198.51.100.1, 10.1.2.3"}, false},
			{"the same in two headers", []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 198.51.100.1"}, false},
			{"nothing", nil, false},
			{"only trusted hops", []string{"X-Forwarded-For: 10.1.2.3"}, false},
			{"no address", []string{"X-Forwarded-For: unknown"}, false},
			{"no address before a trusted proxy", []string{"X-Forwarded-For: 203.0.113.9, unknown, 10.1.2.3"}, false},
			{"an empty hop", []string{"X-Forwarded-For: 203.0.113.9,"}, false},
			{"a port", []string{"X-Forwarded-For: 203.0.113.9:443"}, false},
			{"a zone", []string{"X-Forwarded-For: fe80::1%eth0"}, false},
			{"another header", []string{"X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9"}, false},
		} {
			r := request{fields: append(bearer(office), row.fields...)}
			if row.allowed {
				s.allowed(t, row.what, r)
			} else {
				s.denied(t, row.what, r, ipNotAllowed)
			}
		}
	})
}
