// Package checkrequest makes what the benchmarks ask of auth servers: the bytes of
// a CheckRequest as Envoy sends it with our recipe, the same question of another
// proxy over HTTP/1.1, the keys in them, and the answers to expect.
package checkrequest
