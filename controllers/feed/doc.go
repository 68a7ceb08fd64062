// Package feed fills an auth server's keyring from watches of APIKeys,
// ProtectedAPIs and the labels of namespaces. It runs on every replica, and
// nothing is queued between the watch and the keyring: what the watch delivers
// is enforced.
package feed
