package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// cores are what processes are pinned to: servers to one, who asks to another.
type cores struct {
	pinned         bool
	server, client int
	why            string // not, if not
}

// findCores takes the first two cores that we may use.
func findCores() cores {
	if _, err := exec.LookPath("taskset"); err != nil {
		return cores{why: "there is no taskset"}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return cores{why: "there is no /proc/self/status"}
	}
	allowed, err := allowedCores(string(status))
	switch {
	case err != nil:
		return cores{why: err.Error()}
	case len(allowed) < 2:
		return cores{why: "there is one core"}
	}
	return cores{pinned: true, server: allowed[0], client: allowed[1]}
}

// allowedCores reads Cpus_allowed_list of /proc/<pid>/status: "0-2,7".
func allowedCores(status string) ([]int, error) {
	_, list, _ := strings.Cut(status, "\nCpus_allowed_list:")
	list, _, _ = strings.Cut(list, "\n")
	var all []int
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || from > to || to-from >= 4096 {
			return nil, fmt.Errorf("the list of cores %q can't be read", list)
		}
		for n := from; n <= to; n++ {
			all = append(all, n)
		}
	}
	return all, nil
}

// command is how a program is run on a core.
func (c cores) command(core int, program string, args []string) (string, []string) {
	if !c.pinned {
		return program, args
	}
	return "taskset", append([]string{"-c", strconv.Itoa(core), program}, args...)
}

func (c cores) String() string {
	if !c.pinned {
		return "NOT pinned to cores, for " + c.why + ": the figures say little"
	}
	return fmt.Sprintf("servers on core %d, who asks on core %d", c.server, c.client)
}

// kilobytes reads a line of /proc/<pid>/status such as "VmRSS:  25332 kB", 0 without it.
func kilobytes(status, name string) int {
	_, rest, _ := strings.Cut(status, "\n"+name+":")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(line, "kB")))
	if err != nil {
		return 0
	}
	return n
}

// usedCPU reads /proc/<pid>/stat: its 14th and 15th field are hundredths of a second.
// What stands in brackets before is the program's name, whatever that holds.
func usedCPU(stat string) time.Duration {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0
	}
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err != nil || err2 != nil {
		return 0
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
