package main

import (
	"reflect"
	"testing"
	"time"
)

func TestAllowedCores(t *testing.T) {
	for _, row := range []struct {
		list string
		want []int
	}{
		{"0-1", []int{0, 1}},
		{"3", []int{3}},
		{"0-2,7", []int{0, 1, 2, 7}},
		{"", nil},
		{"a", nil},
		{"2-1", nil},
		{"0-9999999", nil},
	} {
		got, err := allowedCores("Name:\tx\nCpus_allowed_list:\t" + row.list + "\nMems_allowed:\t1\n")
		if !reflect.DeepEqual(got, row.want) || (err == nil) != (row.want != nil) {
			t.Errorf("%q: got %v, %v, want %v", row.list, got, err, row.want)
		}
	}
	if got, err := allowedCores("Name:\tx\n"); err == nil {
		t.Errorf("no list: got %v", got)
	}
}

func TestCommand(t *testing.T) {
	path, args := cores{pinned: true, client: 3}.command(3, "loadgen", []string{"-x"})
	if path != "taskset" || !reflect.DeepEqual(args, []string{"-c", "3", "loadgen", "-x"}) {
		t.Errorf("pinned: got %s %v", path, args)
	}
	path, args = cores{}.command(0, "loadgen", []string{"-x"})
	if path != "loadgen" || !reflect.DeepEqual(args, []string{"-x"}) {
		t.Errorf("not pinned: got %s %v", path, args)
	}
}

func TestUsedCPU(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"42 (name) S 1 42 42 0 -1 4194304 100 0 0 0 150 25 0 0 20 0":   1750 * time.Millisecond,
		"42 (a) b) c) S 1 42 42 0 -1 4194304 100 0 0 0 1 0 0 0 20 0\n": 10 * time.Millisecond,
		"42 (name) S 1": 0,
		"":              0,
	} {
		if got := usedCPU(stat); got != want {
			t.Errorf("%q: got %v, want %v", stat, got, want)
		}
	}
}

func TestKilobytes(t *testing.T) {
	const status = "Name:\tx\nVmHWM:\t   4573876 kB\nVmRSS:\t     25332 kB\nbad:\tx kB\n"
	for name, want := range map[string]int{"VmHWM": 4573876, "VmRSS": 25332, "bad": 0, "RSS": 0} {
		if got := kilobytes(status, name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}
