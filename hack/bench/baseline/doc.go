// Command baseline is what the operator's auth server is measured against: servers
// that do nothing. One is a plain grpc-go server that decodes CheckRequests with the
// generated types and always answers OK, the other a net/http handler that always
// answers 200. Each is as its library has it, without options.
package main
