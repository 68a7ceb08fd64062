// Package keyring is what an auth server knows: which APIs there are, which
// hosts lead to them, and which key a digest belongs to. It holds digests, never
// raw keys, and is safe for concurrent use; what it hands out is never changed
// afterwards.
//
// Files: api.go and key.go hold the compiled forms of the two kinds, hosts.go
// decides which API a host leads to, ring.go is the index, use.go remembers when
// key versions were last used.
package keyring
