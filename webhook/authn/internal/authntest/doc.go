// Package authntest holds what the tests of the doors share: every reason there
// is, a verdict for each, and an Authenticator that says what a test wants.
package authntest
