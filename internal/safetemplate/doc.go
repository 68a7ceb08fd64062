// Package safetemplate renders Go templates that strangers write: with a fixed
// list of functions, in bounded time and to a bounded length.
package safetemplate
