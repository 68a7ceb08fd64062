// Package compile translates the kinds of the API group into the terms of
// internal: pure functions, used by the feed of auth servers and by the
// reconcilers.
//
// The schema has refused almost everything that these functions refuse. What
// still can't be read never means "no restriction": the compiled object carries
// an error, and requests for it are answered with 503.
package compile
