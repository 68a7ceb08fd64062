// Command loadgen measures one server once: it asks with hack/bench/closedloop what
// hack/bench/checkrequest makes, and prints a line of JSON.
package main
