package auth

import (
	"errors"
	"net/netip"
	"strings"
)

// clientAddr returns the address of the client: the source that the gateway
// wrote or, as long as that is a trusted proxy, the hop before it, read from the
// right of X-Forwarded-For. It is not known where a hop can't be parsed, or all
// are trusted.
func clientAddr(source string, forwardedFor []string, trusted func(netip.Addr) bool) (netip.Addr, bool) {
	addr, ok := parseAddr(source)
	if !ok || !trusted(addr) {
		return addr, ok
	}
	for i := len(forwardedFor) - 1; i >= 0; i-- {
		for hops, more := forwardedFor[i], true; more; {
			var hop string
			hops, hop, more = cutLast(hops)
			addr, ok = parseAddr(trimBlanks(hop))
			if !ok || !trusted(addr) {
				return addr, ok
			}
		}
	}
	return netip.Addr{}, false
}

// cutLast cuts the last hop off a list, and says whether there are more.
func cutLast(hops string) (others, hop string, more bool) {
	if i := strings.LastIndexByte(hops, ','); i >= 0 {
		return hops[:i], hops[i+1:], true
	}
	return "", hops, false
}

var errZone = errors.New("an address with a zone is known on one machine only")

// parseAddr reads an address without port or zone, and unmaps IPv4-mapped IPv6.
func parseAddr(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// Contains reports whether one of the blocks contains the address.
func Contains(blocks []netip.Prefix, addr netip.Addr) bool {
	for _, b := range blocks {
		if b.Contains(addr) {
			return true
		}
	}
	return false
}

// ParseBlock reads an address or a CIDR block. Blocks of IPv4-mapped IPv6 are
// unmapped, bits beyond the mask are dropped, zones are refused.
func ParseBlock(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		if addr.Zone() != "" {
			return netip.Prefix{}, errZone
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
