// Package gateways checks config/samples/gateways and config/samples/gitops: manifests
// for programs that run in clusters and that tests don't have. Each is held against what
// its program publishes: a real API server takes it with the program's own kinds
// installed, and the mesh configuration fits Istio's types.
package gateways
