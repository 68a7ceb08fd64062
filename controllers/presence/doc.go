// Package presence lets the controller know which auth servers there are, how far
// each of them has read, and when it last saw a key used. Each auth server holds a
// Lease that says so; both ends of its format are here.
package presence
