package auth

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

func TestClientAddr(t *testing.T) {
	proxies := blocks("10.0.0.0/8", "fd00::/8", "fe80::/10")
	trusted := func(a netip.Addr) bool { return Contains(proxies, a) }
	tests := map[string]struct {
		source string
		hops   []string // values of X-Forwarded-For
		want   string   // "" is unknown
	}{
		"no proxy": {"203.0.113.7", nil, "203.0.113.7"},
		"an untrusted source, whatever it claims": {"203.0.113.7", []string{"198.51.100.1, 10.0.0.1"}, "203.0.113.7"},
		"an untrusted source with garbage":        {"203.0.113.7", []string{"garbage", ""}, "203.0.113.7"},
		"one trusted proxy":                       {"10.0.0.1", []string{"203.0.113.7"}, "203.0.113.7"},
		"two trusted proxies":                     {"10.0.0.1", []string{"203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		"read from the right: what a client put first isn't believed": {
			"10.0.0.1", []string{"192.0.2.1, 203.0.113.7, 10.0.0.2"}, "203.0.113.7",
		},
		"also where it claims trusted hops":        {"10.0.0.1", []string{"10.9.9.9, 192.0.2.1, 203.0.113.7"}, "203.0.113.7"},
		"several headers, the last is the nearest": {"10.0.0.1", []string{"192.0.2.1", "203.0.113.7", "10.0.0.3, 10.0.0.2"}, "203.0.113.7"},
		"without spaces":                           {"10.0.0.1", []string{"203.0.113.7,10.0.0.2"}, "203.0.113.7"},
		"with spaces and tabs":                     {"10.0.0.1", []string{"\t 203.0.113.7 \t,  10.0.0.2 "}, "203.0.113.7"},
		"IPv6":                                     {"fd00::1", []string{"2001:DB8::7, fd00::2"}, "2001:db8::7"},
		"mapped source is unmapped":                {"::ffff:203.0.113.7", nil, "203.0.113.7"},
		"mapped proxy is trusted as IPv4":          {"::ffff:10.0.0.1", []string{"203.0.113.7"}, "203.0.113.7"},
		"mapped hops":                              {"10.0.0.1", []string{"::ffff:203.0.113.7, ::ffff:10.0.0.2"}, "203.0.113.7"},
		"mapped in hexadecimal":                    {"10.0.0.1", []string{"::ffff:cb00:7107"}, "203.0.113.7"},

		"no source":                      {"", []string{"203.0.113.7"}, ""},
		"a source that is no address":    {"unix:/run/envoy.sock", []string{"203.0.113.7"}, ""},
		"a source with a port":           {"203.0.113.7:4711", nil, ""},
		"a source with a zone":           {"fe80::1%eth0", []string{"203.0.113.7"}, ""},
		"a mapped source with a zone":    {"::ffff:10.0.0.1%eth0", []string{"203.0.113.7"}, ""},
		"a source with a space":          {" 203.0.113.7", nil, ""},
		"two sources":                    {"203.0.113.7, 10.0.0.1", nil, ""},
		"a proxy that names nobody":      {"10.0.0.1", nil, ""},
		"an empty header":                {"10.0.0.1", []string{""}, ""},
		"an empty header after a good":   {"10.0.0.1", []string{"203.0.113.7", ""}, ""},
		"only trusted hops":              {"10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, ""},
		"an unparsable hop":              {"10.0.0.1", []string{"203.0.113.7, unknown"}, ""},
		"behind a trusted one":           {"10.0.0.1", []string{"203.0.113.7, unknown, 10.0.0.2"}, ""},
		"an obfuscated hop":              {"10.0.0.1", []string{"_hidden"}, ""},
		"a hop with a port":              {"10.0.0.1", []string{"203.0.113.7:4711"}, ""},
		"a hop in brackets":              {"10.0.0.1", []string{"[2001:db8::7]"}, ""},
		"a hop with a zone":              {"10.0.0.1", []string{"fe80::7%eth0"}, ""},
		"an empty hop":                   {"10.0.0.1", []string{"203.0.113.7,"}, ""},
		"an empty hop between":           {"10.0.0.1", []string{"203.0.113.7,,10.0.0.2"}, ""},
		"leading zeros":                  {"10.0.0.1", []string{"203.0.113.007"}, ""},
		"a block":                        {"10.0.0.1", []string{"203.0.113.0/24"}, ""},
		"quoted":                         {"10.0.0.1", []string{`"203.0.113.7"`}, ""},
		"unparsable beyond the client's": {"10.0.0.1", []string{"unknown, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, known := clientAddr(tt.source, tt.hops, trusted)
			text := ""
			if known {
				text = got.String()
			}
			if text != tt.want {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

func TestAllowedIPs(t *testing.T) {
	type chain struct {
		source string
		hops   []string
	}
	direct, forwarded := chain{"203.0.113.7", nil}, chain{"10.0.0.1", []string{"203.0.113.7, 10.1.0.1"}}
	tests := map[string]struct {
		allowed []netip.Prefix
		narrow  []netip.Prefix // the API's own trusted proxies
		chain   chain
		want    Reason
	}{
		"any, for a key without a list":      {nil, nil, chain{"garbage", nil}, Allowed},
		"any, also behind only proxies":      {nil, nil, chain{"10.0.0.1", nil}, Allowed},
		"an address":                         {blocks("203.0.113.7/32"), nil, direct, Allowed},
		"another address":                    {blocks("203.0.113.8/32"), nil, direct, IPNotAllowed},
		"a block":                            {blocks("203.0.113.0/24"), nil, direct, Allowed},
		"one of some blocks":                 {blocks("192.0.2.0/24", "2001:db8::/32", "203.0.113.0/29"), nil, direct, Allowed},
		"outside of a block":                 {blocks("203.0.113.8/29"), nil, direct, IPNotAllowed},
		"IPv6":                               {blocks("2001:db8::/32"), nil, chain{"2001:db8:1::7", nil}, Allowed},
		"all of IPv6 is none of IPv4":        {blocks("::/0"), nil, direct, IPNotAllowed},
		"all of IPv4 is none of IPv6":        {blocks("0.0.0.0/0"), nil, chain{"2001:db8::7", nil}, IPNotAllowed},
		"a mapped address is IPv4":           {blocks("203.0.113.7/32"), nil, chain{"::ffff:203.0.113.7", nil}, Allowed},
		"forwarded":                          {blocks("203.0.113.7/32"), nil, forwarded, Allowed},
		"a proxy's own address isn't":        {blocks("10.0.0.0/8"), nil, forwarded, IPNotAllowed},
		"an unknown client, all allowed":     {blocks("0.0.0.0/0", "::/0"), nil, chain{"10.0.0.1", []string{"unknown"}}, IPNotAllowed},
		"only proxies, all allowed":          {blocks("0.0.0.0/0", "::/0"), nil, chain{"10.0.0.1", []string{"10.0.0.2"}}, IPNotAllowed},
		"no source, all allowed":             {blocks("0.0.0.0/0", "::/0"), nil, chain{"", nil}, IPNotAllowed},
		"an API may narrow":                  {blocks("203.0.113.7/32"), blocks("10.0.0.0/16", "10.1.0.0/16"), forwarded, Allowed},
		"narrowed, a hop is the client":      {blocks("203.0.113.7/32"), blocks("10.0.0.0/16"), forwarded, IPNotAllowed},
		"and allowed as such":                {blocks("10.1.0.1/32"), blocks("10.0.0.0/16"), forwarded, Allowed},
		"narrowed to none":                   {blocks("10.0.0.1/32"), []netip.Prefix{}, forwarded, Allowed},
		"but not widen the operator's list":  {blocks("203.0.113.7/32"), blocks("0.0.0.0/0"), chain{"192.0.2.1", []string{"203.0.113.7"}}, IPNotAllowed},
		"nor beyond a hop that isn't on it ": {blocks("203.0.113.7/32"), blocks("0.0.0.0/0"), chain{"10.0.0.1", []string{"203.0.113.7, 192.0.2.1"}}, IPNotAllowed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.key.AllowedIPs, w.api.TrustedProxies = tt.allowed, tt.narrow
			w.request.Source, w.request.ForwardedFor = tt.chain.source, tt.chain.hops
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

func TestTrustedCallers(t *testing.T) {
	loopback := blocks("127.0.0.0/8", "::1/128")
	tests := map[string]struct {
		callers []netip.Prefix
		caller  netip.Addr
		want    Reason
	}{
		"loopback":               {loopback, netip.MustParseAddr("127.0.0.1"), Allowed},
		"loopback, IPv6":         {loopback, netip.MustParseAddr("::1"), Allowed},
		"loopback, mapped":       {loopback, netip.MustParseAddr("::ffff:127.0.0.1"), Allowed},
		"link-local with a zone": {blocks("fe80::/10"), netip.MustParseAddr("fe80::1%eth0"), Allowed},
		"another":                {loopback, netip.MustParseAddr("10.0.0.1"), CallerNotTrusted},
		"unknown":                {blocks("0.0.0.0/0", "::/0"), netip.Addr{}, CallerNotTrusted},
		"none are trusted":       {nil, netip.MustParseAddr("127.0.0.1"), CallerNotTrusted},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.callers, w.request.Caller = tt.callers, tt.caller
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

func TestParseBlock(t *testing.T) {
	good := map[string]string{
		"192.168.1.100":           "192.168.1.100/32",
		"203.0.113.0/24":          "203.0.113.0/24",
		"203.0.113.7/24":          "203.0.113.0/24",
		"0.0.0.0/0":               "0.0.0.0/0",
		"203.0.113.7/32":          "203.0.113.7/32",
		"2001:db8::1":             "2001:db8::1/128",
		"2001:DB8::7/32":          "2001:db8::/32",
		"::/0":                    "::/0",
		"::ffff:203.0.113.7":      "203.0.113.7/32",
		"::ffff:203.0.113.7/128":  "203.0.113.7/32",
		"::ffff:203.0.113.7/120":  "203.0.113.0/24",
		"::ffff:cb00:7107/120":    "203.0.113.0/24",
		"::ffff:203.0.113.7/96":   "0.0.0.0/0",
		"::ffff:203.0.113.7/95":   "::fffe:0:0/95",
		"2001:db8::203.0.113.7/8": "2000::/8",
	}
	for text, want := range good {
		got, err := ParseBlock(text)
		if err != nil || got != netip.MustParsePrefix(want) {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "/", "/24", "203.0.113.0/", "203.0.113.0/33", "203.0.113.0/-1", "203.0.113.0/024", "203.0.113.0/24/24", "203.0.113", "203.0.113.0.0",
		"203.0.113.256", "203.0.113.007", " 203.0.113.7", "203.0.113.7 ", "203.0.113.0 /24", "203.0.113.7:80", "[2001:db8::1]", "2001:db8::/129",
		"example.com", "*", "any", "0x7f.1", "203.0.113.0-203.0.113.9", "203.0.113.0/255.255.255.0",
		"fe80::1%eth0", "fe80::%eth0/64", "::ffff:203.0.113.7%eth0",
	} {
		if got, err := ParseBlock(text); err == nil || got != (netip.Prefix{}) {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1", "203.0.113.7, 10.0.0.2", "10.0.0.3")
	f.Add("::ffff:10.0.0.1", "fe80::1%eth0", "")
	f.Add("", ",,", "unknown")
	proxies := blocks("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, source, first, second string) {
		hops := []string{first, second}
		addr, known := clientAddr(source, hops, func(a netip.Addr) bool { return Contains(proxies, a) })
		if !known {
			return
		}
		if !addr.IsValid() || addr.Is4In6() || addr.Zone() != "" || Contains(proxies, addr) {
			t.Errorf("%q, %q: the client is %v", source, hops, addr)
		}
		// The address was written by somebody, and the source alone decides where no
		// proxy is trusted.
		written := strings.Split(source+","+strings.Join(hops, ","), ",")
		if !slices.ContainsFunc(written, func(hop string) bool {
			a, err := netip.ParseAddr(strings.Trim(hop, " \t"))
			return err == nil && a.Unmap() == addr
		}) {
			t.Errorf("%q, %q: nobody wrote %v", source, hops, addr)
		}
		alone, known := clientAddr(source, hops, func(netip.Addr) bool { return false })
		if from, err := netip.ParseAddr(source); known != (err == nil && from.Zone() == "") || known && alone != from.Unmap() {
			t.Errorf("%q without proxies: the client is %v", source, alone)
		}
	})
}

func BenchmarkClientAddr(b *testing.B) {
	proxies := blocks("10.0.0.0/8")
	hops := []string{"198.51.100.1, 203.0.113.7, 10.0.0.2"}
	api := &keyring.API{}
	b.ReportAllocs()
	for b.Loop() {
		clientAddr("10.0.0.1", hops, func(a netip.Addr) bool {
			return Contains(proxies, a) && (api.TrustedProxies == nil || Contains(api.TrustedProxies, a))
		})
	}
}
