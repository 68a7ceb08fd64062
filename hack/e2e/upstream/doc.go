// Command upstream is an application without authentication of its own: it answers
// every request with 200.
package main
