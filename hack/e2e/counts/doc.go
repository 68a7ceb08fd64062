// Package counts is what a caller knows of its calls, and the tests read.
package counts
