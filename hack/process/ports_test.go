package process

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFreePortsAreGivenOnce: neither this process nor another one is given a port
// a second time as long as the first one lives, though nobody listens on it yet.
func TestFreePortsAreGivenOnce(t *testing.T) {
	ours := map[string]bool{}
	for range 2 {
		for _, port := range ports(t, fmt.Sprint(take(t))) {
			if ours[port] {
				t.Errorf("port %s is given twice", port)
			}
			ours[port] = true
		}
	}
	for range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTakePorts$")
		cmd.Env = append(os.Environ(), "TAKE_PORTS=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, port := range ports(t, string(out)) {
			if ours[port] {
				t.Errorf("port %s is given to another process", port)
			}
		}
	}
}

// TestTakePorts is the other process.
func TestTakePorts(t *testing.T) {
	if os.Getenv("TAKE_PORTS") == "" {
		t.Skip("is run by TestFreePortsAreGivenOnce")
	}
	fmt.Println(take(t))
}

const many = 500

func take(t *testing.T) []int {
	t.Helper()
	taken, err := FreePorts(many)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

// ports reads them as printed.
func ports(t *testing.T, out string) []string {
	t.Helper()
	_, list, _ := strings.Cut(out, "[")
	list, _, _ = strings.Cut(list, "]")
	fields := strings.Fields(list)
	if len(fields) != many {
		t.Fatalf("%d ports, want %d", len(fields), many)
	}
	return fields
}
