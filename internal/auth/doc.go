// Package auth decides whether a request may pass: Authenticate takes a neutral
// Request, which adapters fill in from their protocol, and returns a Verdict.
//
// The checks come in one order (authenticate.go), the first that fails is the
// verdict, nothing is looked up over a network on the way, and whatever goes
// wrong denies.
package auth
