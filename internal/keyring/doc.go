// Package keyring is what an auth server knows: which APIs there are, which
// hosts lead to them, and which key a digest belongs to. It holds digests, never
// raw keys, and is safe for concurrent use; what it hands out is never changed
// afterwards.
//
// Of a million keys each takes 330 bytes, or 590 with a holder and attributes that no
// other key has, and a decision reads six cache lines:
// one of the table, two of the key with its version, one of what it used, and those
// of its terms, which keys share. Readers take no lock.
//
// Files: api.go and key.go hold the compiled forms of the two kinds, terms.go what
// keys share, scopes.go, blocks.go and instant.go the values that are asked, hosts.go
// decides which API a host leads to, ring.go is the index, table.go its hash table,
// contest.go decides who has a digest that many claim, use.go remembers when key
// versions were last used.
package keyring
