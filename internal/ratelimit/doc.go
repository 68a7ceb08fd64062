// Package ratelimit counts requests against a limit: a fixed window or a token
// bucket, as pure functions of a state, a limit and a time, and a Limiter that
// guards one state for concurrent use.
//
// What was used survives a change of the limit, of its period and of its
// algorithm.
package ratelimit
