// Package feed fills an auth server's keyring from watches of APIKeys,
// ProtectedAPIs and the labels of namespaces. It runs on every replica, and
// nothing is queued between the watch and the keyring: what the watch delivers
// is enforced.
//
// APIKeys (keys.go) go into the keyring before the watch is read on, so that it can
// be said up to which resourceVersion everything has (Position). There may be a
// million of them: their events are decoded without what nobody here reads
// (watch.go), and no API object is kept. The few ProtectedAPIs and namespaces (feed.go) come from
// informers.
//
// A feed of some namespaces reads the APIKeys of each by themselves, with a position
// of its own, and no Namespaces at all.
package feed
