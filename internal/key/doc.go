// Package key holds what a raw key is: its format, how one is generated, its
// digest and its hint. It knows nothing of Kubernetes or of requests.
//
// A raw key is radioactive: Raw redacts itself in every format, and only Reveal
// gives its characters.
package key
