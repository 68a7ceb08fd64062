// Package closedloop asks a server as fast as it answers, with a given number of
// requests in flight: unary gRPC calls on HTTP/2, or HTTP/1.1 with keep-alive.
//
// It is much lighter than the servers that it measures, which a grpc-go client is
// not. Every answer is checked, and the first wrong one ends the run. It is no
// client for anything else: loopback, plain text, no retries, no other connection
// if the server closes one.
package closedloop
