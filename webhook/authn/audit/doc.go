// Package audit writes a line of JSON for each decision: who asked for what, with
// whose key, and what became of it. docs/audit.md is its schema, Record the same
// in Go.
//
// What a client wrote is cleaned (clean.go) and never shows its key (secrets.go).
// A sink that is slow or broken loses lines, and counts them; it doesn't hold up
// requests (sink.go).
package audit
