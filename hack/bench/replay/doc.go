// Command replay stands in for the API server where an auth server is measured: it
// lists and watches generated APIKeys, and keeps Leases, over TLS and HTTP/2 on loopback.
//
// It is a replay and not the real one because a benchmark has two cores, one for the
// auth server and one for who asks: kube-apiserver and etcd would take of both,
// which would be measured, and etcd doesn't hold a million APIKeys of this size. Objects are as a
// real API server sent them after the controller had issued them, managedFields included. What depends on
// the real one, such as how fast a change is in force, is measured with the real one.
package main
