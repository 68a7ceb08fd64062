// Package presence lets the controller know which auth servers there are, up to
// where each has read the APIKeys, and when they saw key versions used. The API
// server is the only channel: each auth server holds a Lease that says so.
//
// What a key waits for before it is given out is that every auth server accepts it.
// A server joins by writing its Lease and only then lists APIKeys: a controller that
// didn't find the Lease had published before, so that the list holds the key. A
// server whose Lease isn't renewed is waited for no longer; it has stopped to answer
// for keys that it doesn't know before that, and joins anew.
//
// A server that watches only some namespaces reads each by a watch of its own, and
// says how far it is in each: an idle one moves by a bookmark a minute. It is one
// server all the same, with one Lease of the same name, which is renewed, fenced and
// joined as a whole. A key waits for the servers that watch its namespace.
//
// lease.go is the format, reporter.go the auth servers' side, roster.go the
// controller's. sweeper.go deletes what crashed servers leave.
package presence
