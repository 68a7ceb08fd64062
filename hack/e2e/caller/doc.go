// Command caller is a workload with an API key: it reads the key from a file before
// each call, as an application must whose key is rotated, and counts what its calls
// come to. GET /counts answers with the counts; no raw key is in them, nor in what
// it logs.
package main
