package admission

import (
	"net/netip"
	"slices"
)

// addrRange are the addresses from first to last, of one family.
type addrRange struct{ first, last netip.Addr }

// mapped are the IPv4 addresses as IPv6 has them. No client ever has one: addresses
// are unmapped before they are looked for.
var mapped = netip.MustParsePrefix("::ffff:0:0/96")

// outside returns the indices of the blocks that let in an address which none of
// the others does. Blocks are as auth.ParseBlock returns them.
func outside(blocks, others []netip.Prefix) []int {
	union := ranges(append([]netip.Prefix{mapped}, others...))
	var out []int
	for i, b := range blocks {
		r := rangeOf(b)
		if !slices.ContainsFunc(union, func(u addrRange) bool { return within(r, u) }) {
			out = append(out, i)
		}
	}
	return out
}

// ranges returns the union of blocks as ranges with a gap between each two.
func ranges(blocks []netip.Prefix) []addrRange {
	all := make([]addrRange, len(blocks))
	for i, b := range blocks {
		all[i] = rangeOf(b)
	}
	slices.SortFunc(all, func(a, b addrRange) int { return a.first.Compare(b.first) }) // IPv4 first
	var union []addrRange
	for _, r := range all {
		n := len(union) - 1
		if n < 0 || !touches(union[n], r) {
			union = append(union, r)
		} else if union[n].last.Less(r.last) {
			union[n].last = r.last
		}
	}
	return union
}

// touches holds for two ranges without a gap, of which b doesn't start before a.
func touches(a, b addrRange) bool {
	next := a.last.Next() // invalid after the last address of the family
	return a.last.BitLen() == b.first.BitLen() && (!a.last.Less(b.first) || next == b.first)
}

// within reports whether all of a is in b.
func within(a, b addrRange) bool {
	return a.first.BitLen() == b.first.BitLen() && !a.first.Less(b.first) && !b.last.Less(a.last)
}

func rangeOf(p netip.Prefix) addrRange {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return addrRange{p.Masked().Addr(), last}
}
