// Package stack runs all of it on one machine, for `make run` and for tests of
// the whole: a development cluster, the operator built from this tree as separate
// processes under its shipped roles, proxies that run the shipped recipes, and an
// upstream that tells what reached it.
package stack
