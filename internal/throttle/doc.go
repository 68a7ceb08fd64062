// Package throttle counts what a client's address does wrong, in memory whose size
// doesn't depend on how many addresses there are.
//
// Each address has a budget that refills evenly: GCRA, the token bucket in one
// number. IPv4 counts by address; IPv6 by /64, since a client has at least that
// many. What doesn't fit is forgotten, least debt first: an address may get more
// than its budget when very many others owe something, never less.
package throttle
