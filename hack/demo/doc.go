// Command demo is `make run`: everything on this machine, the samples applied,
// and a table of real requests with the verdict that is expected and the one
// that came. It stays until Ctrl-C, and its cluster is that of .dev/run.kubeconfig;
// with -once it ends, with an error if a row differs.
package main
