// Package process runs programs for tests and demos so that none is left behind:
// they end with Stop, and on Linux with us, however we end.
package process
