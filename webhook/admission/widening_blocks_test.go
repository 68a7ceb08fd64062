package admission

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
)

func TestOutside(t *testing.T) {
	for _, row := range []struct {
		name           string
		blocks, others []string
		want           []string
	}{
		{name: "the same", blocks: []string{"10.0.0.0/24"}, others: []string{"10.0.0.0/24"}},
		{name: "nothing in nothing"},
		{name: "something in nothing", blocks: []string{"10.0.0.1"}, want: []string{"10.0.0.1/32"}},
		{name: "an address of a block", blocks: []string{"10.0.0.255"}, others: []string{"10.0.0.0/24"}},
		{name: "an address next to a block", blocks: []string{"10.0.1.0"}, others: []string{"10.0.0.0/24"}, want: []string{"10.0.1.0/32"}},
		{name: "two halves", blocks: []string{"10.0.0.0/24"}, others: []string{"10.0.0.128/25", "10.0.0.0/25"}},
		{name: "two halves but one address", blocks: []string{"10.0.0.0/30"}, others: []string{"10.0.0.0/31", "10.0.0.3"}, want: []string{"10.0.0.0/30"}},
		{name: "overlapping", blocks: []string{"10.0.0.0/23"}, others: []string{"10.0.0.0/24", "10.0.0.7", "10.0.1.0/24", "10.0.1.0/25"}},
		{name: "two neighbours that are no two halves", blocks: []string{"10.0.1.0/24", "10.0.2.0/24"}, others: []string{"10.0.0.0/23", "10.0.2.0/23"}},
		{name: "only some", blocks: []string{"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"}, others: []string{"10.0.1.0/24"}, want: []string{"10.0.0.0/24", "10.0.2.0/24"}},
		{name: "all of IPv4", blocks: []string{"0.0.0.0/0"}, others: []string{"0.0.0.0/1", "128.0.0.0/1"}},
		{name: "IPv4 in all of IPv6", blocks: []string{"192.0.2.1"}, others: []string{"::/0"}, want: []string{"192.0.2.1/32"}},
		{name: "IPv6 in all of IPv4", blocks: []string{"::1"}, others: []string{"0.0.0.0/0"}, want: []string{"::1/128"}},
		{name: "all of both families isn't one range", blocks: []string{"::/0", "0.0.0.0/0"}, others: []string{"255.255.255.255", "::"}, want: []string{"::/0", "0.0.0.0/0"}},
		{name: "IPv4-mapped is IPv4", blocks: []string{"::ffff:192.0.2.1", "::ffff:192.0.2.0/120"}, others: []string{"192.0.2.0/24"}},
		{name: "IPv4 in IPv4-mapped", blocks: []string{"192.0.2.0/24"}, others: []string{"::ffff:192.0.2.0/119"}},
		{name: "nobody comes from IPv4-mapped", blocks: []string{"::fffe:0:0/95"}, others: []string{"::fffe:0:0/96"}},
		{name: "all but IPv4-mapped", blocks: []string{"::/80"}, others: halvesBut("::/80", "::ffff:0:0/96")},
		{name: "the last address", blocks: []string{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, others: []string{"ffff::/16"}},
	} {
		var got []string
		blocks := parsed(t, row.blocks)
		for _, i := range outside(blocks, parsed(t, row.others)) {
			got = append(got, blocks[i].String())
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v of %v are outside of %v, want %v", row.name, got, row.blocks, row.others, row.want)
		}
	}
}

// halvesBut are the blocks that make up a block but for one in it.
func halvesBut(block, but string) []string {
	b, hole := netip.MustParsePrefix(block), netip.MustParsePrefix(but)
	if b == hole {
		return nil
	}
	low := netip.PrefixFrom(b.Addr(), b.Bits()+1)
	high := netip.PrefixFrom(rangeOf(low).last.Next(), b.Bits()+1)
	if low.Contains(hole.Addr()) {
		return append(halvesBut(low.String(), but), high.String())
	}
	return append(halvesBut(high.String(), but), low.String())
}

func parsed(t *testing.T, texts []string) []netip.Prefix {
	t.Helper()
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		var err error
		if all[i], err = auth.ParseBlock(text); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// FuzzOutside asks for each of 16 addresses at either end and in the middle of both
// families. A block is two bytes: which addresses, and how many of them.
func FuzzOutside(f *testing.F) {
	f.Add([]byte{0x00, 1}, []byte{0x00, 1})
	f.Add([]byte{0x08, 0}, []byte{0x08, 1, 0x0c, 1})
	f.Add([]byte{0x30, 4}, []byte{0x37, 4})
	f.Add([]byte{0x40, 2, 0x50, 4}, []byte{0x00, 3})
	corners := []netip.Addr{
		netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("255.255.255.240"),
		netip.MustParseAddr("::"), netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0"),
		netip.MustParseAddr("::ffff:10.0.0.0"),
	}
	blocks := func(in []byte) []netip.Prefix {
		var all []netip.Prefix
		for ; len(in) >= 2 && len(all) < 16; in = in[2:] {
			corner := corners[int(in[0]>>4)%len(corners)]
			bytes := corner.AsSlice()
			bytes[len(bytes)-1] |= in[0] & 15
			addr, _ := netip.AddrFromSlice(bytes)
			block, err := auth.ParseBlock(netip.PrefixFrom(addr, addr.BitLen()-int(in[1]%5)).String())
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, block)
		}
		return all
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		to, from := blocks(a), blocks(b)
		var want []int
		for i, block := range to {
			for addr := block.Addr(); block.Contains(addr); addr = addr.Next() {
				if !auth.Contains(from, addr) {
					want = append(want, i)
					break
				}
			}
		}
		if got := outside(to, from); !slices.Equal(got, want) {
			t.Errorf("%v of %v are outside of %v, want %v", got, to, from, want)
		}
	})
}
