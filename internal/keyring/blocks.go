package keyring

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// fewBlocks are looked through one by one as fast as they are searched.
const fewBlocks = 2

// blockSet is the union of address blocks: ranges that don't overlap, in order, so
// that a lookup halves them. A trie finds one among thousands no faster, and takes
// kilobytes for ten.
type blockSet struct {
	v4 []span[uint32]
	v6 []span[wide]
}

// wide is an IPv6 address.
type wide struct{ high, low uint64 }

func (a wide) compare(b wide) int {
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}

// span is a range of addresses, both ends included.
type span[A any] struct{ first, last A }

// newBlockSet returns nil for blocks that are better looked through one by one.
func newBlockSet(blocks []netip.Prefix) *blockSet {
	if len(blocks) <= fewBlocks {
		return nil
	}
	s := &blockSet{}
	for _, b := range blocks {
		switch addr := b.Masked().Addr(); {
		case addr.Is4():
			first := four(addr)
			s.v4 = append(s.v4, span[uint32]{first, first | uint32(uint64(1)<<(32-b.Bits())-1)})
		case addr.Is6():
			first := sixteen(addr)
			mask := wide{^uint64(0) >> min(b.Bits(), 64), ^uint64(0) >> max(b.Bits()-64, 0)}
			s.v6 = append(s.v6, span[wide]{first, wide{first.high | mask.high, first.low | mask.low}})
		}
	}
	s.v4 = union(s.v4, cmp.Compare[uint32])
	s.v6 = union(s.v6, wide.compare)
	return s
}

// contains says what netip.Prefix.Contains of any of the blocks says.
func (s *blockSet) contains(addr netip.Addr) bool {
	switch {
	case addr.Is4():
		a, low, high := four(addr), 0, len(s.v4)
		for low < high {
			middle := (low + high) / 2
			switch r := &s.v4[middle]; {
			case a < r.first:
				high = middle
			case a > r.last:
				low = middle + 1
			default:
				return true
			}
		}
	case addr.Is6() && addr.Zone() == "":
		_, found := slices.BinarySearchFunc(s.v6, sixteen(addr), func(r span[wide], a wide) int {
			switch {
			case r.last.compare(a) < 0:
				return -1
			case r.first.compare(a) > 0:
				return 1
			default:
				return 0
			}
		})
		return found
	}
	return false
}

func four(addr netip.Addr) uint32 {
	b := addr.As4()
	return binary.BigEndian.Uint32(b[:])
}

func sixteen(addr netip.Addr) wide {
	b := addr.As16()
	return wide{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// union orders ranges of blocks and leaves out those within others: two blocks
// never overlap otherwise.
func union[A any](ranges []span[A], compare func(a, b A) int) []span[A] {
	slices.SortFunc(ranges, func(a, b span[A]) int {
		return cmp.Or(compare(a.first, b.first), compare(b.last, a.last))
	})
	apart := ranges[:0]
	for _, r := range ranges {
		if n := len(apart); n == 0 || compare(apart[n-1].last, r.last) < 0 {
			apart = append(apart, r)
		}
	}
	return slices.Clip(apart)
}
