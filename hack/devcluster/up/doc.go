// Command up runs a development cluster until Ctrl-C: `make devcluster`.
package main
