package throttle

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

var start = time.Date(2026, 11, 25, 9, 41, 7, 0, time.UTC)

// step is what an address is told at a time after start.
type step struct {
	at   time.Duration
	from string
	want time.Duration // until it may come again; 0: it may now
}

// times repeats a step.
func times(n int, s step) []step {
	all := make([]step, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func steps(parts ...[]step) []step {
	var all []step
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestTake(t *testing.T) {
	const eve, ann = "203.0.113.7", "203.0.113.8"
	const second = time.Second
	tests := map[string]struct {
		perMinute int
		steps     []step
	}{
		"60 at once, then one a second": {60, steps(
			times(60, step{0, eve, 0}), times(1000, step{0, eve, second}),
			[]step{{second - 1, eve, 1}, {second, eve, 0}, {second, eve, second}, {1500 * time.Millisecond, eve, 500 * time.Millisecond}},
		)},
		"a minute later all of it is there again, and no more": {60, steps(
			times(60, step{0, eve, 0}), times(60, step{time.Minute, eve, 0}), times(1, step{time.Minute, eve, second}),
			times(60, step{24 * time.Hour, eve, 0}), times(1, step{24 * time.Hour, eve, second}),
		)},
		"what is refused costs nothing": {60, steps(
			times(60, step{0, eve, 0}), times(100, step{900 * time.Millisecond, eve, 100 * time.Millisecond}), times(1, step{second, eve, 0}),
		)},
		"half a minute, half of it": {60, steps(
			times(60, step{0, eve, 0}), times(30, step{30 * second, eve, 0}), times(1, step{30 * second, eve, second}),
		)},
		"one a minute": {1, []step{{0, eve, 0}, {0, eve, time.Minute}, {59 * second, eve, second}, {time.Minute, eve, 0}}},
		"a number that doesn't divide a minute": {7, steps(
			times(7, step{0, eve, 0}), times(1, step{0, eve, time.Minute / 7}), times(7, step{time.Minute, eve, 0}),
		)},
		"the most that the flag takes": {1_000_000, steps(times(1_000_000, step{0, eve, 0}), times(1, step{0, eve, 60 * time.Microsecond}))},
		"0 is off":                     {0, times(1000, step{0, eve, 0})},
		"below 0 too":                  {-1, times(1000, step{0, eve, 0})},

		"another address has its own": {1, []step{{0, eve, 0}, {0, ann, 0}, {0, eve, time.Minute}, {0, ann, time.Minute}}},
		"an IPv4-mapped address is that address": {1, []step{
			{0, eve, 0}, {0, "::ffff:203.0.113.7", time.Minute}, {0, "::ffff:203.0.113.8", 0},
		}},
		"a /64 is one client": {2, []step{
			{0, "2001:db8:0:1::1", 0}, {0, "2001:db8:0:1:ffff:ffff:ffff:ffff", 0}, {0, "2001:db8:0:1::2", 30 * second},
			{0, "2001:db8:0:2::1", 0}, {0, "2001:db8::1", 0},
		}},
		"IPv4 is no /64, whatever the bits": {1, []step{
			{0, "203.0.113.7", 0}, {0, "0:0:cb00:7107::", 0}, {0, "cb00:7107::", 0}, {0, "0.0.0.0", 0}, {0, "::", 0}, {0, "255.255.255.255", 0},
		}},
		"an address of zeros starts like any other": {2, []step{{0, "::", 0}, {0, "::1", 0}, {0, "::2", 30 * second}}},

		"a clock that went back costs no more than the budget": {60, steps(
			times(60, step{24 * time.Hour, eve, 0}), times(1, step{0, eve, second}), []step{{second, eve, 0}, {second, eve, second}, {2 * second, eve, 0}},
		)},
		"and a little back costs a little": {60, steps(
			times(10, step{5 * second, eve, 0}), times(45, step{0, eve, 0}), times(1, step{0, eve, second}),
		)},
		"no address, no budget": {1, times(3, step{0, "", 0})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			table := New(tt.perMinute)
			for i, s := range tt.steps {
				from, _ := netip.ParseAddr(s.from)
				if got := table.Take(from, start.Add(s.at)); got != s.want {
					t.Fatalf("step %d, %v: got %v, want %v", i, s, got, s.want)
				}
			}
		})
	}
}

// numbered are different addresses: of IPv4, or of as many /64.
func numbered(i int, six bool) netip.Addr {
	four := [4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}
	if !six {
		return netip.AddrFrom4(four)
	}
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 4: four[0], 5: four[1], 6: four[2], 7: four[3], 15: 1})
}

// However many addresses come, the table stays as large as it was said to be.
func TestMemoryIsBounded(t *testing.T) {
	table := New(60)
	size := uintptr(len(table.sets)) * unsafe.Sizeof(table.sets[0])
	if size != 1_114_112 || Addresses != 65_536 {
		t.Errorf("a table of %d addresses takes %d bytes, which isn't what is documented", Addresses, size)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	i := 0
	allocated := testing.AllocsPerRun(1_000_000, func() {
		if wait := table.Take(numbered(i, i%2 == 0), start); wait != 0 {
			t.Fatalf("address %d, its first: wait %v", i, wait)
		}
		i++
	})
	if after := heap(); allocated != 0 || after > before+64<<10 {
		t.Errorf("a million addresses: %v allocations each, the heap went from %d to %d bytes", allocated, before, after)
	}
	// Of 16 addresses a set, hardly any set stays partly empty.
	if n := table.Owing(start); n < Addresses*9/10 || n > Addresses {
		t.Errorf("%d addresses are known, want nearly %d", n, Addresses)
	}
	if n := table.Owing(start.Add(time.Second)); n != 0 {
		t.Errorf("%d addresses owe something after a second, want none", n)
	}
	runtime.KeepAlive(table)
}

// Whoever is over its budget can't be made forgotten by others that owe less.
func TestTheLeastInDebtIsForgotten(t *testing.T) {
	const perMinute = 5
	table, eve := New(perMinute), netip.MustParseAddr("203.0.113.7")
	for range perMinute {
		table.Take(eve, start)
	}
	for i := range 1_000_000 {
		if wait := table.Take(numbered(i, false), start); wait != 0 {
			t.Fatalf("address %d, its first: wait %v", i, wait)
		}
	}
	if wait := table.Take(eve, start); wait != time.Minute/perMinute {
		t.Errorf("after a million others eve waits %v, want %v", wait, time.Minute/perMinute)
	}

	one := newTable(perMinute, 1)
	debt := func(i int) int { return perMinute - i%perMinute }
	for i := range ways {
		for range debt(i) {
			one.Take(numbered(i, false), start)
		}
	}
	one.Take(eve, start)
	for i := range ways {
		left := 0
		for one.Take(numbered(i, false), start) == 0 && left < perMinute {
			left++
		}
		if i == 4 { // it owed one only, and so it was its turn
			continue
		}
		if want := perMinute - debt(i); left != want {
			t.Errorf("address %d has %d left, want %d", i, left, want)
		}
	}
}

// Goroutines that share addresses get the budget, once.
func TestConcurrentUse(t *testing.T) {
	const perMinute, addresses = 100, 50
	for name, table := range map[string]*Table{"all sets": New(perMinute), "few sets": newTable(perMinute, 64)} {
		var taken [addresses]atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for i := range addresses * perMinute {
					if table.Take(numbered(i%addresses, true), start) == 0 {
						taken[i%addresses].Add(1)
					}
					if i%1000 == 0 && table.Owing(start) > addresses {
						t.Error("more addresses owe something than there are")
					}
				}
			})
		}
		all.Wait()
		for i := range taken {
			if got := taken[i].Load(); got != perMinute {
				t.Errorf("%s: address %d got %d, want %d", name, i, got, perMinute)
			}
		}
		if n := table.Owing(start); n != addresses {
			t.Errorf("%s: %d addresses owe something, want %d", name, n, addresses)
		}
	}
}

func TestOwing(t *testing.T) {
	var none *Table
	if n := none.Owing(start); n != 0 {
		t.Errorf("no table: %d", n)
	}
	table := New(60)
	for i := range 10 {
		for range i {
			table.Take(numbered(i, false), start)
		}
	}
	for after, want := range map[time.Duration]int{0: 9, time.Second - 1: 9, time.Second: 8, 5 * time.Second: 4, 9 * time.Second: 0} {
		if n := table.Owing(start.Add(after)); n != want {
			t.Errorf("after %v: %d, want %d", after, n, want)
		}
	}
}

// Two tables put the same addresses into different sets.
func TestSeedsDiffer(t *testing.T) {
	if a, b := New(1), New(1); a.seed == b.seed { // by chance once in 2^64
		t.Error("tables share a seed")
	}
}

// model is what each address owes, paid back as time goes by. Below zero is how long
// it has owed nothing, which counts if the clock goes back.
type model map[netip.Addr]int64

func (m model) pass(t *Table, d time.Duration) {
	for addr, owed := range m {
		m[addr] = min(owed-int64(d), t.budget)
	}
}

func (m model) take(t *Table, addr netip.Addr) time.Duration {
	owed := max(m[addr], 0) + t.interval
	if owed > t.budget {
		return time.Duration(owed - t.budget)
	}
	m[addr] = owed
	return 0
}

// FuzzTake holds the table against a map in which nobody is forgotten: as many
// addresses as fit into any set.
func FuzzTake(f *testing.F) {
	f.Add(uint16(60), uint64(1), uint16(500))
	f.Add(uint16(1), uint64(2), uint16(500))
	f.Add(uint16(7), uint64(3), uint16(500))
	f.Add(uint16(65535), uint64(4), uint16(500))
	f.Fuzz(func(t *testing.T, perMinute uint16, seed uint64, n uint16) {
		table := newTable(int(perMinute), 1)
		if table == nil {
			return
		}
		random := rand.New(rand.NewPCG(seed, 1))
		want, now := model{}, start
		for i := range int(n) {
			passes := time.Duration(0)
			switch random.IntN(8) {
			case 0:
				passes = time.Duration(random.Int64N(2 * int64(time.Minute)))
			case 1: // the clock went back
				passes = -time.Duration(random.Int64N(2 * int64(time.Minute)))
			case 2, 3, 4:
				passes = time.Duration(random.Int64N(2*table.interval + 1))
			default:
			}
			now = now.Add(passes)
			want.pass(table, passes)
			which := random.IntN(ways)
			addr := numbered(which, which%2 == 0)
			if got, want := table.Take(addr, now), want.take(table, addr); got != want {
				t.Fatalf("%d a minute, call %d, %s, %v after the one before: got %v, want %v", perMinute, i, addr, passes, got, want)
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	one := func(int) netip.Addr { return numbered(1, false) }
	for _, row := range []struct {
		name    string
		limit   int
		address func(i int) netip.Addr
	}{
		{"an address over its budget", 1, one},
		{"a million addresses", 60, func(i int) netip.Addr { return numbered(i%1_000_000, true) }},
	} {
		b.Run(row.name, func(b *testing.B) {
			table := New(row.limit)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				table.Take(row.address(i), start)
			}
		})
		b.Run(fmt.Sprintf("%s, %d goroutines", row.name, runtime.GOMAXPROCS(0)), func(b *testing.B) {
			table := New(row.limit)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(1_000_000); pb.Next(); i++ {
					table.Take(row.address(i), start)
				}
			})
		})
	}
	b.Run("Owing", func(b *testing.B) {
		table := New(60)
		for b.Loop() {
			table.Owing(start)
		}
	})
}
